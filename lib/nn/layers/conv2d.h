/* Convolution, shared with the linear layer (a 1x1 convolution of 1x1 maps). */
#ifndef NN_LAYERS_CONV2D_H
#define NN_LAYERS_CONV2D_H

#include "nn/internal.h"

int conv2d_plan(graph *g, op *o, err *e);
/* Into how many slices [K/L][STAT_ROWS][L] the forward pass over `rows` rows sums its output's statistics. */
int conv2d_stat_slices(const graph *g, const op *o, int rows);
void conv2d_forward(graph *g, op *o, int n);
void conv2d_backward(graph *g, op *o, int n);
void conv2d_reference_forward(const ref_op *o);
void conv2d_reference_backward(const ref_op *o);

#endif
