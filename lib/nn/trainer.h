/*
 * Training: one step, the state that a checkpoint holds, and saving it.
 */
#ifndef NN_TRAINER_H
#define NN_TRAINER_H

#include "base/err.h"
#include "nn/batch.h"
#include "nn/network.h"
#include "nn/objective.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"

#include <stdint.h>

/* Sums since the last line of the log. */
typedef struct trainer_meter {
    double loss, correct, counted;
    int64_t steps;
} trainer_meter;

typedef struct trainer {
    network_arch arch;
    network net;
    objective obj;     /* type NULL: none (a network without heads) */
    optimizer opt;
    schedule sched;
    uint64_t seed;
    int chunk;         /* source images computed at a time; 0: the whole batch */
    int rows;          /* inputs computed at a time */

    int64_t step;      /* steps taken */
    int64_t next_pos;  /* of the first sample not used yet */
    int64_t epoch;     /* of the last sample used */
    trainer_meter meter;
    double grad_norm;  /* of the last step */
    double lr;         /* of the last step */
} trainer;

/*
 * Build, compile for batches of `size` source images, initialise and allocate. arch, obj,
 * opt, sched and seed are set; they belong to the trainer from then on.
 * shape NULL: no examples (arch's sizes are used; no optimiser state).
 */
int trainer_start(trainer *t, const batch_shape *shape, int size, int64_t distinct, int threads, err *e);
void trainer_clear(trainer *t);

/* One step. ERR_RUN "the loss is nan at step ..." when the loss or the gradient is not finite. */
int trainer_step(trainer *t, const batch *b, const batch_shape *shape, err *e);
/* The encoder's features of the last step, one row of D an input. */
const float *trainer_features(trainer *t, int *D);
/* What the network answered for input `row` of the last step (objective.h); ERR_RUN where it has no pictures. */
int trainer_picture(trainer *t, const batch *b, const batch_shape *shape, int row, objective_picture *p, err *e);
/*
 * The features (n, D) of n further images (H, W, C) by the network as it stands, with its running statistics; nothing
 * that trains changes, but trainer_features() is gone until the next step.
 */
int trainer_embed(trainer *t, const uint8_t *images, size_t n, float *x, err *e);
/* Forward only, for the running statistics of a network that is not trained. */
int trainer_estimate(trainer *t, const batch *b, const batch_shape *shape, err *e);

/* Take parameters from a model; PARTS_ALL: also the optimiser's and the objective's state. */
int trainer_init_from(trainer *t, const model *m, network_parts parts, err *e);
/* Take everything from a checkpoint, counters too. */
int trainer_resume(trainer *t, const model *checkpoint, err *e);
/* The position that a checkpoint goes on from; ERR_INPUT when the model is no checkpoint. */
int trainer_checkpoint_pos(const model *m, int64_t *pos, err *e);

/* Write the model, or a checkpoint, whole; h is the model's header as yet without fields. */
int trainer_save(const trainer *t, const header *h, bool checkpoint, int fd, err *e);

#endif
