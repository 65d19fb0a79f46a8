/*
 * An encoder's worth while it trains: a few labelled images, held in memory,
 * and the accuracy of nearest neighbours on what the encoder makes of them.
 */
#ifndef EVAL_MONITOR_H
#define EVAL_MONITOR_H

#include "base/err.h"
#include "base/names.h"
#include "eval/features.h"

typedef struct monitor {
    size_t n;
    int H, W, C;
    uint8_t *image;   /* [n][H][W][C]; owned, like all below */
    int32_t *label;   /* [n] */
    uint64_t *id;
    uint32_t *train, *test; /* rows; both in `train`'s allocation */
    size_t n_train, n_test;
    name_set classes;
} monitor;

#define MONITOR_NEIGHBOURS 20
#define MONITOR_TEMPERATURE 0.07

/*
 * Read a whole stream of images of one size, H x W x C, each with a class. Where some are of the split "train" and
 * others not, the former are the neighbours of the latter; otherwise every second image of each class is (ERR_INPUT where
 * no class has two, or for another size). monitor_clear() also after a failure.
 */
int monitor_load(monitor *m, const char *path, int H, int W, int C, err *e);
void monitor_clear(monitor *m);

/* The share of the tested images that MONITOR_NEIGHBOURS neighbours classify rightly, given x [n][dim]; -1 on failure. */
double monitor_score(const monitor *m, const float *x, int dim, int threads, err *e);

#endif
