/*
 * Projectors and predictors: small MLPs between the encoder and a loss, written
 * as their widths: "none", "128", "512-128", "2048-2048-2048". Hidden layers are
 * linear, batch normalisation, ReLU; the last is linear. Parameters are named
 * as in PyTorch's Sequential: PREFIX.0 linear, .1 norm, .3 linear, ...
 */
#ifndef NN_PROJECTOR_H
#define NN_PROJECTOR_H

#include "base/err.h"
#include "nn/graph.h"

#define PROJECTOR_MAX_LAYERS 8

/* The widths of a text; 0 for "none". ERR_USAGE, -1. */
int projector_parse(const char *text, int width[PROJECTOR_MAX_LAYERS], err *e);
/* Its output on x, named PREFIX; x itself for "none". The text must be sound. */
node projector_build(graph *g, const char *prefix, node x, const char *text);

#endif
