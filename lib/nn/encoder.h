/*
 * Encoders: networks that turn an input into a feature vector. A table; each
 * family is one file in encoders/. Parameters are named "encoder." and then as
 * torchvision names them; nodes are named "stem", "layer1"... and "embedding"
 * for graph_find() and ssl-embed --layer.
 */
#ifndef NN_ENCODER_H
#define NN_ENCODER_H

#include "nn/graph.h"

typedef enum encoder_stem {
    STEM_AUTO, /* 3x3 at 64 pixels and below, else 7x7 */
    STEM_3X3,  /* stride 1, no max-pooling */
    STEM_7X7   /* stride 2, 3x3 max-pooling of stride 2 */
} encoder_stem;

typedef struct encoder_options {
    int width;         /* channels of the first stage; 0: the encoder's default */
    encoder_stem stem; /* of the ResNets that have both */
} encoder_options;

typedef struct encoder {
    const char *name;
    const char *help; /* one line for --list */
    int width;        /* default; 0: the encoder has none */
    bool stems;       /* does `stem` apply? */
    /* x: (N, C, H, W) -> (N, D); -1 after a failed build call. width and stem are resolved. */
    node (*build)(graph *g, node x, const encoder_options *o);
} encoder;

/* The table, ended by a NULL name. */
extern const encoder encoders[];

/* NULL: no such encoder. */
const encoder *encoder_find(const char *name);

/* The options with every default filled in for an input of H x W. */
encoder_options encoder_resolve(const encoder *enc, encoder_options o, int H, int W);

/* The feature node, named "embedding"; -1 and *e set on failure. */
node encoder_build(const encoder *enc, graph *g, node x, encoder_options o, err *e);

/* "auto", "3x3" or "7x7"; -1: neither. */
int encoder_parse_stem(const char *text, encoder_stem *stem);
const char *encoder_stem_name(encoder_stem stem);

#endif
