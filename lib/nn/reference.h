/*
 * A naive interpreter of a graph, in double precision and plain layout: the
 * truth that the tests hold the engine to. No fusion, no blocks, no threads.
 */
#ifndef NN_REFERENCE_H
#define NN_REFERENCE_H

#include "nn/internal.h"

/* What one layer sees. Arrays are plain (N, C, H, W), (N, D) for vectors. */
struct ref_op {
    const vertex *v;
    const vertex *in[2];
    int n; /* rows of the output */
    const double *x[2];
    double *y;
    const double *dy;
    double *dx[2];
    double *param[4]; /* in PyTorch's layout; NULL: none */
    double *dparam[4];
    graph_mode mode;
    int estimates;
    double *saved; /* 2 C doubles, from forward to backward */
};

typedef struct reference reference;

/* Takes the graph's present parameters. n rows at the input. NULL: out of memory. */
reference *reference_new(const graph *g, int n);
void reference_free(reference *r);
/* A vertex's value and gradient, n rows of plain doubles; write inputs' values and outputs' gradients here. */
double *reference_value(reference *r, node x);
double *reference_grad(reference *r, node x);
/* A parameter and its gradient. */
double *reference_param(reference *r, int i);
double *reference_param_grad(reference *r, int i);
void reference_forward(reference *r, graph_mode mode);
/* Zeroes gradients before forward; backward adds. */
void reference_zero_grad(reference *r);
void reference_backward(reference *r);

#endif
