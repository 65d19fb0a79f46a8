/*
 * Measures of collapse: whether embeddings still differ from one another.
 */
#ifndef NN_COLLAPSE_H
#define NN_COLLAPSE_H

#include "base/err.h"

/* Rows that effective_rank looks at, at most: its cost is cubic. */
#define COLLAPSE_MAX_ROWS 256

/*
 * The standard deviation over the n rows of each dimension of the
 * L2-normalised embeddings, averaged over the D dimensions: 1 / sqrt(D) for
 * directions spread evenly, 0 when all are equal (Chen and He, "Exploring
 * simple Siamese representation learning", CVPR 2021, section 4.1).
 * -1 when memory is out.
 */
double collapse_std(const float *x, int n, int D, err *e);

/*
 * exp of the entropy of the singular values of the (n, D) matrix, normalised
 * to sum 1: between 1 and min(n, D) (Roy and Vetterli, "The effective rank: a
 * measure of effective dimensionality", EUSIPCO 2007). Over at most
 * COLLAPSE_MAX_ROWS rows, evenly spaced. 0 for a matrix of zeros or one that
 * is not finite; -1 when memory is out.
 */
double collapse_rank(const float *x, int n, int D, err *e);

#endif
