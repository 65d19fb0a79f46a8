/*
 * 3x3 convolutions of padding 1 and stride 1, by Winograd's F(4x4, 3x3), or
 * stride 2, by its polyphase form, in all three passes. conv2d.c decides and
 * calls; the transforms are in kernels/winograd.h and kernels/polyphase.h, with
 * the papers. The naive loops that they are held to end conv2d.c.
 *
 * forward (N, C, H, W) -> (N, K, H', W'), data (N, K, H', W') -> (N, C, H, W),
 * weights both -> (K, C, 3, 3).
 */
#ifndef NN_LAYERS_WINOGRAD_H
#define NN_LAYERS_WINOGRAD_H

#include "nn/internal.h"

/* What a pass reads beside the vertices' memory. */
typedef struct winograd_pass {
    graph *g;
    const vertex *v, *x; /* of the convolution and its input */
    int rows;
    const float *src;
    affine pre;   /* applied to src */
    float *stats; /* of out: [winograd_jobs][blocks][STAT_ROWS][L], or NULL */
    float *out;
    const float *weights;     /* in the arena's layout */
    const float *transformed; /* or, for inference, made once by winograd_transform(); NULL: made from `weights` on the way */
    const float *bias, *add;  /* added to out, or NULL; add is laid out as out and may be out */
    bool relu;
} winograd_pass;

/* Worth it for this shape? Not for maps that a tile would mostly overhang. */
bool winograd_fits(const vertex *v, const vertex *x);

/* Are there so few tiles in `rows` rows that transformed weights had better not be kept for them? */
bool winograd_is_brief(const vertex *v, int rows);

/* Floats of scratch (each thread) that a pass needs, and of shared memory that training does. */
size_t winograd_scratch(const graph *g, const vertex *v, const vertex *x);
size_t winograd_shared(const graph *g, const vertex *v, const vertex *x);

/* Independent jobs of a forward pass over `rows` rows. */
int winograd_jobs(const graph *g, const vertex *v, const vertex *x, int rows);

/* Floats of the transformed weights, and the transform of one block of outputs from the arena's layout. */
size_t winograd_weights_size(const graph *g, const vertex *v, const vertex *x);
void winograd_transform(const graph *g, const vertex *v, const vertex *x, const float *weights, float *transformed,
                        int kb);

void winograd_forward(const winograd_pass *p);
/* src is dy, out is dx. */
void winograd_backward_data(const winograd_pass *p);
/* src is x; dy and dw as named. */
void winograd_backward_weights(const winograd_pass *p, const float *dy, float *dw);

#endif
