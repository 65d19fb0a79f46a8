/*
 * A network: an encoder, a projector and an objective's heads on one graph,
 * built from a short description that also stands in the model's header.
 */
#ifndef NN_NETWORK_H
#define NN_NETWORK_H

#include "base/err.h"
#include "nn/encoder.h"
#include "nn/model.h"
#include "nn/objective.h"
#include "nn/projector.h"
#include "nn/transform.h"

#include <stdbool.h>

typedef struct network_arch {
    const encoder *enc;
    encoder_options options; /* resolved */
    int H, W, C;         /* of the images; vectors have H = W = 0 and C values */
    transform input;     /* images only */
    char projector[128];
} network_arch;

typedef enum network_parts { PARTS_ENCODER, PARTS_HEADS, PARTS_ALL } network_parts;

typedef struct network {
    graph *g;
    node input;
    objective_nodes at;
} network;

/* What a model's header says; ERR_INPUT. */
int network_arch_read(network_arch *a, const header *h, err *e);
/* A network of patches takes whole images of the size that its input transform knows, by the same layers. */
void network_take_whole_images(network_arch *a);
/* Put it into a header: extra "model", and the input transform. */
int network_arch_write(const network_arch *a, header *h, err *e);

/*
 * Build, without compiling. o may be NULL (no heads). shape is that of the
 * examples, or NULL when a finished model is rebuilt. network_clear() when
 * done, also after a failure.
 */
int network_build(network *n, const network_arch *a, objective *o, const batch_shape *shape, int threads, err *e);
void network_clear(network *n);

/* Images (H, W, C) or vectors of one source image, `count` of them, into the graph's input from row `row`. */
void network_fill(network *n, const network_arch *a, const uint8_t *src, int row, int count);

/* Take the parameters from a model: the encoder's ("encoder."), or all. ERR_INPUT names what is missing. */
int network_load(network *n, const model *m, network_parts parts, err *e);
/* Declare all parameters in a model's header; write them. */
int network_declare(const network *n, header *h, err *e);
int network_save(const network *n, writer *w, frame *scratch, err *e);

#endif
