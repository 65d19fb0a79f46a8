/*
 * 3x3 convolutions of stride 1 and padding 1 by Winograd's F(4x4, 3x3), in all
 * three passes. conv2d.c decides and calls; the transforms are in
 * kernels/winograd.h, with the paper.
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
    float *out;
    const float *weights; /* the arena's */
    const float *bias;
    bool accumulate;
} winograd_pass;

/* Worth it for this shape? Not for maps that a tile would mostly overhang. */
bool winograd_fits(const vertex *v, const vertex *x);

/* Floats of scratch (each thread) and shared memory that the passes need. */
size_t winograd_scratch(const graph *g, const vertex *v, const vertex *x);
size_t winograd_shared(const graph *g, const vertex *v, const vertex *x, bool train);

void winograd_forward(const winograd_pass *p);
/* src is dy, out is dx. */
void winograd_backward_data(const winograd_pass *p);
/* src is x; dy and dw as named. */
void winograd_backward_weights(const winograd_pass *p, const float *dy, float *dw);

#endif
