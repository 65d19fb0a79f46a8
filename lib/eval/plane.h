/*
 * The two directions of most variance: principal components, without the
 * others. Block power iteration with Rayleigh-Ritz (Golub and Van Loan,
 * "Matrix Computations", 4th ed., section 8.3.7), so that it is quick where a
 * whole eigendecomposition is not: rows of thousands of numbers.
 */
#ifndef EVAL_PLANE_H
#define EVAL_PLANE_H

#include "base/err.h"

#include <stddef.h>

/*
 * y [n][2]: coordinates of the rows x [n][dim] along the first two principal directions, whose largest components
 * are positive. share[2] (may be NULL): of the variance. Same bits for any number of threads. 0 or -1.
 */
int plane_project(const float *x, size_t n, size_t dim, int threads, double *y, double *share, err *e);

#endif
