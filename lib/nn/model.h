/*
 * Model files: a stream of kind "model", one tensor a sample, in PyTorch's
 * layout and under its own name:
 *
 *     encoder.layer1.0.conv1.weight   the encoder's parameters and running statistics
 *     projector.0.weight, head.weight the projector's and the objective's
 *
 * A checkpoint is a model with more tensors ("optimizer.momentum.encoder....",
 * "objective.NAME") and the trainer's counters in the header; whatever takes a
 * model takes a checkpoint too.
 *
 * The header tells how to build the network again: extra "model" {version,
 * encoder, width, stem, input, projector}, the objective with its resolved
 * parameters, the input transform with its numbers, and the history.
 */
#ifndef NN_MODEL_H
#define NN_MODEL_H

#include "base/err.h"
#include "stream/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define MODEL_VERSION 1

typedef struct model_tensor {
    char *name; /* owned, like data */
    dtype type;
    int ndim;
    int64_t shape[TENSOR_MAX_DIMS];
    void *data; /* aligned */
} model_tensor;

typedef struct model {
    header h;
    model_tensor *t;
    int n;
} model;

/*
 * Read a whole model. ERR_INPUT, naming the file, for a stream of another kind,
 * a damaged or incomplete one, or a model of another version. model_clear()
 * when done, also after a failure.
 */
int model_load(model *m, const char *path, err *e);
/* The same from a reader that has read the header; the message does not name the file. */
int model_read(model *m, reader *r, err *e);
void model_clear(model *m);

/* The tensor of that name, or NULL. */
const model_tensor *model_find(const model *m, const char *name);
/* The same, of that dtype and shape: NULL with ERR_INPUT where it is missing or differs. */
const model_tensor *model_need(const model *m, const char *name, dtype type, int ndim, const int64_t *shape, err *e);

/* One tensor as a sample frame; data is borrowed. */
int model_put(writer *w, frame *scratch, const char *name, dtype type, int ndim, const int64_t *shape, const void *data,
              err *e);

#endif
