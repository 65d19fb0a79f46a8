/*
 * Decoders: from an encoder's maps back to an image. A table; a decoder adds
 * layers named "decoder..." to the graph and returns the node of the answer.
 */
#ifndef NN_OBJECTIVES_DECODER_H
#define NN_OBJECTIVES_DECODER_H

#include "nn/objective.h"

typedef struct decoder_options {
    int H, W, C;    /* of the answer */
    int width;      /* channels of its layers */
    int bottleneck; /* units that all must pass through, as in Context Encoders; 0: none */
    bool bounded;   /* the answer is normalised too: its size then does not depend on the weights', and squares do not run away */
    int skip;       /* how many of the encoder's maps, from its end, are left out */
} decoder_options;

typedef struct decoder {
    const char *name, *about;
    /* The answer (N, C, H, W); -1 with e set. */
    node (*build)(graph *g, const objective_nodes *at, const decoder_options *o, err *e);
} decoder;

/* The table, ended by a NULL name. */
extern const decoder decoders[];

#endif
