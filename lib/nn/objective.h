/*
 * Objectives: the contract between a pretext task and the trainer. The header
 * of a stream of examples names one, with its parameters; an objective builds
 * its heads on the network, takes its fields from each batch, and computes
 * the loss and its gradient at the heads' outputs. One file each in
 * objectives/, one line in the table of objective.c.
 */
#ifndef NN_OBJECTIVE_H
#define NN_OBJECTIVE_H

#include "base/err.h"
#include "nn/batch.h"
#include "nn/graph.h"
#include "nn/params.h"
#include "stream/value.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct objective objective;
struct network_arch;

/* Where heads attach. */
typedef struct objective_nodes {
    node features; /* the encoder's output (N, D); graph_find() knows its maps */
    node z;        /* the projector's output, or the features where there is no projector */
    node input;
} objective_nodes;

/* What an objective may need to know once the graph is compiled. */
typedef struct objective_setting {
    const struct network_arch *arch; /* to build a second network from (a momentum encoder) */
    int batch;                       /* source images in a full batch */
    int chunk;                       /* those computed at a time; 0: the batch */
    int64_t distinct;                /* source images in the data (a memory bank), or -1 */
    int threads;
    uint64_t seed;
} objective_setting;

typedef struct objective_step {
    const batch *b;
    const batch_shape *shape;
    const float *input;  /* the transformed rows, (n P, C, H, W) */
    int64_t step, steps; /* steps -1: unknown */
} objective_step;

typedef struct objective_result {
    double loss;             /* the mean that is optimised */
    double correct, counted; /* accuracy is correct / counted; counted 0: the objective has none */
    int bad;                 /* the first sample of the batch whose loss is not finite, or -1 */
} objective_result;

/* An answer beside the truth, for a person: RGB, [H][W][3]; owned by whoever asked (free() both). */
typedef struct objective_picture {
    int H, W;
    uint8_t *answer, *truth;
} objective_picture;

/* A tensor of the objective's own state, saved in checkpoints as "objective.NAME". */
typedef struct objective_tensor {
    const char *name;
    dtype type;
    int ndim;
    int64_t shape[4];
    void *data;
} objective_tensor;

typedef struct objective_type {
    const char *name, *about;
    const param *params;       /* overridden by the header, then by --set */
    const batch_field *fields; /* NULL-ended; in this order in batch.field */
    const char *projector;     /* the default one: "none", "256-128" */
    bool chunks;               /* reads of the network only graph_value(), so that a batch may be computed in chunks */

    /* Take what the header's map says beyond the parameters ("classes"); ERR_INPUT. */
    int (*configure)(objective *o, const value *declared, err *e);
    /* Add heads and graph_output() what loss() reads. shape is NULL when a finished model is rebuilt. */
    int (*build)(objective *o, graph *g, const objective_nodes *at, const batch_shape *shape, err *e);
    /* Optional: after graph_compile(), allocate state. */
    int (*start)(objective *o, graph *g, const objective_setting *s, err *e);
    /* Optional: whether sample i is sound. May be called from another thread than the rest. */
    int (*check)(const objective *o, const batch_shape *shape, const batch *b, int i, err *e);
    /* After graph_forward(): the loss, and its gradient added to graph_grad(). */
    int (*loss)(objective *o, graph *g, const objective_step *s, objective_result *r, err *e);
    /* Optional: after graph_backward(): add the gradients that graphs of its own have for g's weights to graph_grads(g). */
    int (*backward)(objective *o, graph *g, err *e);
    /* Optional: after the optimiser's step (moving averages, memory banks). */
    int (*update)(objective *o, graph *g, const objective_step *s, err *e);
    /* Optional, after loss(): row `row` of the answer as an image. ERR_RUN when this one has no picture. */
    int (*picture)(objective *o, graph *g, const objective_step *s, int row, objective_picture *p, err *e);
    /* Optional: the i-th state tensor; false when there are no more. */
    bool (*state)(objective *o, int i, objective_tensor *t);
    void (*clear)(objective *o);
} objective_type;

struct objective {
    const objective_type *type;
    value *declared; /* the header's map with the resolved parameters; owned; goes into the model */
    void *own;       /* the type's */
};

/*
 * From a header's map, with NAME=VALUE settings on top: ERR_INPUT when the
 * map is missing or names no objective, ERR_USAGE for a bad setting.
 * objective_clear() when done, also after a failure.
 */
int objective_init(objective *o, const value *declared, const char *const *settings, int n, err *e);
void objective_clear(objective *o);

/* A resolved parameter. */
double objective_param(const objective *o, const char *name);

void objective_list(FILE *f);

#endif
