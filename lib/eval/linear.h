/*
 * The linear probe as it is reported: logistic regression whose L2 strength is
 * chosen on rows that do not train, and never on those that test.
 */
#ifndef EVAL_LINEAR_H
#define EVAL_LINEAR_H

#include "base/err.h"
#include "eval/features.h"

/* The strengths tried: 100 down to 1e-6, two a decade. */
#define LINEAR_GRID 17
#define LINEAR_FOLDS 5             /* a fifth of the training rows is held out where there are no validation rows */
#define LINEAR_CROSS_BELOW 5000    /* training rows below which each fifth is held out in turn */
#define LINEAR_DEFAULT_L2 0.01     /* where nothing can be held out: one row a class */

double linear_grid(int i);

typedef struct linear_options {
    double l2; /* fixed, or NAN: choose */
    uint64_t seed;
    int threads;
    void (*fitted)(void *arg); /* optional: called after each fit */
    void *arg;
} linear_options;

/*
 * Choose the strength on `val`, or, when that is empty, on held-out rows of
 * `train` (stratified); the most rows right win, then the lower loss, then the
 * greater strength. Then fit all of `train` (not `val`) and predict `test`.
 * *l2 is the strength used; *unconverged counts a last fit that was stopped.
 */
int linear_probe(const features *f, rows train, rows val, rows test, const linear_options *o, int32_t *predicted,
                 double *l2, int *unconverged, err *e);

#endif
