/*
 * (N, D) -> (N, out):  y = x w^T + bias, w (out, D).
 *
 * Rows of blocked vectors are maps of one pixel: the convolution's panels and
 * products are this layer's too.
 */
#include "nn/layers/conv2d.h"

#include "nn/reference.h"

const layer layer_linear = {"linear", conv2d_plan, conv2d_forward, conv2d_backward, conv2d_reference_forward,
                            conv2d_reference_backward};
