/*
 * A change of variables under which logistic regression is well conditioned,
 * however correlated the features are: pixels need a tenth of the steps.
 *
 * The Hessian of the multinomial loss is at most 1/2 (I - 11'/C) (x) S + l2 I,
 * with S the second moments of the (standardised) features (Böhning,
 * "Multinomial logistic regression algorithm", 1992). With L L' = a S + l2 I,
 * w = L'^-1 v, a minimiser sees a function of v whose curvature is nearly even.
 * L-BFGS finds the overall scale by itself.
 */
#ifndef EVAL_PRECONDITION_H
#define EVAL_PRECONDITION_H

#include "base/err.h"
#include "eval/features.h"

#include <stdbool.h>

typedef struct preconditioner {
    size_t dim;
    double *moments; /* [dim][dim] owned, or NULL: no change of variables */
    double *factor;  /* [dim][dim] owned, lower triangle: L */
} preconditioner;

/* Whether so many rows repay the effort. */
bool precondition_pays(size_t n, size_t dim);

/* Second moments of the standardised rows (of at most 16,384 of them, evenly spread). 0 or -1. */
int precondition_init(preconditioner *p, const features *f, rows r, const float *mean, const float *scale, int threads, err *e);
void precondition_clear(preconditioner *p);

/* Factor for this strength. */
void precondition_factor(preconditioner *p, double l2);

/* In place on x[0..dim-1][16], panel by panel: L'x, its inverse L'^-1 x, and L^-1 x. */
void precondition_to_v(const preconditioner *p, double *x);
void precondition_to_w(const preconditioner *p, double *x);
void precondition_gradient(const preconditioner *p, double *x);

#endif
