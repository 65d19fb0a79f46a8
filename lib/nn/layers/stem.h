/*
 * The first convolution: of the caller's plain (N, C, H, W) input with few
 * channels, which blocks would pad several times over. Its weights are
 * LAYOUT_PLAIN. conv2d.c decides and calls, and ends with the naive loops that
 * this is held to.
 */
#ifndef NN_LAYERS_STEM_H
#define NN_LAYERS_STEM_H

#include "nn/internal.h"

typedef struct stem_pass {
    graph *g;
    const vertex *v, *x;
    int rows;
    const float *src;     /* plain */
    const float *weights; /* [K/L][C R S][L] */
    const float *bias, *add;
    bool relu;
    float *out, *stats;   /* stats: [stem_jobs][blocks][STAT_ROWS][L], or NULL */
} stem_pass;

/* Floats of scratch (each thread) and of shared memory. */
size_t stem_scratch(const graph *g, const vertex *v, const vertex *x);
size_t stem_shared(const graph *g, const vertex *v, const vertex *x);

/* Independent jobs of a forward pass. */
int stem_jobs(const vertex *v, int rows);
void stem_forward(const stem_pass *p);
void stem_backward_weights(const stem_pass *p, const float *dy, float *dw);
/* For tests, by plain loops: src is dy, out is dx in blocks; added to dx if `add`. */
void stem_backward_data(const stem_pass *p);

#endif
