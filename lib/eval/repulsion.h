/*
 * The forces by which the points of a t-SNE map push each other apart, for
 * all pairs at once: the kernel is interpolated on a grid, where the sums are a
 * convolution that Fourier transforms make quick (Linderman, Rachh, Hoskins,
 * Steinerberger and Kluger, "Fast interpolation-based t-SNE for improved
 * visualization of single-cell RNA-seq data", Nature Methods 2019).
 *
 * Charges are spread over the 4 x 4 nearest nodes of one even grid by cubic
 * Lagrange polynomials, and the potentials are gathered with the same weights.
 */
#ifndef EVAL_REPULSION_H
#define EVAL_REPULSION_H

#include "base/err.h"

#include <stddef.h>

typedef struct repulsion repulsion;

/* For maps of n points. NULL on failure. */
repulsion *repulsion_new(size_t n, int threads, err *e);
void repulsion_free(repulsion *r);

/*
 * y [n][2], finite. force[i] = sum over j of (y_i - y_j) / (1 + d_ij^2)^2; the result is the sum over all pairs i != j of
 * 1 / (1 + d_ij^2), or -1 (memory). Same bits for any number of threads.
 */
double repulsion_run(repulsion *r, const double *y, double *force, err *e);

#endif
