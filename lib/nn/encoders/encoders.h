/* The builders behind the table in encoder.c. */
#ifndef NN_ENCODERS_H
#define NN_ENCODERS_H

#include "nn/encoder.h"

node resnet10_build(graph *g, node x, const encoder_options *o);
node resnet18_build(graph *g, node x, const encoder_options *o);
node resnet34_build(graph *g, node x, const encoder_options *o);
node resnet50_build(graph *g, node x, const encoder_options *o);
node resnet20_build(graph *g, node x, const encoder_options *o);
node convnet_build(graph *g, node x, const encoder_options *o);
node identity_build(graph *g, node x, const encoder_options *o);

#endif
