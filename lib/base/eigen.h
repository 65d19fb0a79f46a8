/* Eigenvalues and eigenvectors of a symmetric matrix (Golub and Van Loan, "Matrix Computations", sections 8.3.1 and 8.3.5). */
#ifndef BASE_EIGEN_H
#define BASE_EIGEN_H

#include "base/err.h"

#include <stddef.h>

/*
 * a [n][n], symmetric and finite, is replaced by its eigenvectors, one a row, of length 1 and with
 * their largest component positive; value[n] are the eigenvalues, the largest first. 0 or -1.
 */
int eigen_symmetric(double *a, size_t n, double *value, err *e);

/* Only the eigenvalues, in any order; a is destroyed. 0 or -1. */
int eigen_values(double *a, size_t n, double *value, err *e);

#endif
