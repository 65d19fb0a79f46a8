/*
 * Minimise a smooth function of many variables: limited-memory BFGS (Nocedal
 * and Wright, "Numerical Optimization", 2nd ed., algorithm 7.4) with ten
 * correction pairs and a weak Wolfe line search by bracketing (Lewis and
 * Overton, "Nonsmooth optimization via quasi-Newton methods", 2013).
 */
#ifndef EVAL_LBFGS_H
#define EVAL_LBFGS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* *f and g[0..n-1] (overwritten) at x. 0 or -1. */
typedef int lbfgs_function(const double *x, double *f, double *g, void *arg, err *e);

typedef struct lbfgs_result {
    double f;
    double gain; /* what f could still fall by, estimated: g' H g / 2 */
    int iterations, evaluations;
    bool converged; /* gain <= tolerance, or lost in rounding */
} lbfgs_result;

/* From x, in place, until `gain` is at most `tolerance`. 0, also when it stops at max_iterations. */
int lbfgs_minimise(lbfgs_function *function, void *arg, size_t n, double *x, double tolerance, int max_iterations,
                   lbfgs_result *result, err *e);

#endif
