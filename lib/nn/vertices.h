/* A graph as it was built, vertex by vertex, for those who write it down in another form. */
#ifndef NN_VERTICES_H
#define NN_VERTICES_H

#include "nn/graph.h"

typedef struct vertex_info {
    const char *layer; /* "conv2d", "batchnorm", "relu", ...; static */
    int inputs;
    node in[2];
    int kernel, stride, pad;
    double eps;   /* what batch normalisation adds to the variance */
    int param[4]; /* weight, bias, running mean and variance, for graph_param(); -1: none */
} vertex_info;

/* x: 0, 1, ... in the order of building, up to any node that a build call returned. */
vertex_info graph_vertex(const graph *g, node x);

#endif
