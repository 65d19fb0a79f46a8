/* Principal components, whitening and lengths of rows: what clustering does to features beforehand. */
#ifndef EVAL_PCA_H
#define EVAL_PCA_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Floats that x must have room for behind its last row. */
#define PCA_PADDING 16

/*
 * Replace the rows of x [n][dim] by their coordinates y [n][k] along the k <= dim directions of most
 * variance, after subtracting the mean: y in the front of x. With `whiten` each is divided by its
 * standard deviation; a direction of (nearly) no variance becomes 0. 0 or -1.
 */
int pca_project(float *x, size_t n, size_t dim, size_t k, bool whiten, int threads, err *e);

/* Subtract the mean of the rows of x [n][dim], which is summed in double. 0 or -1. */
int pca_centre(float *x, size_t n, size_t dim, err *e);

/* Each row to length 1; a row of zeros stays. */
void pca_normalise(float *x, size_t n, size_t dim);

#endif
