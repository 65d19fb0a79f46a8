/*
 * k-means (Lloyd, "Least squares quantization in PCM", 1982): rows go to the
 * nearest centroid, centroids move to the mean of their rows, and again.
 *
 * A cluster that loses all its rows is seeded anew by splitting the largest
 * one in two: along the line from its centroid to its farthest row, so that
 * the border runs through the centroid.
 *
 * Exact, in float32: each row goes to the nearest centroid, though those that
 * cannot be it are not looked at (yinyang.h); means are summed in double. The
 * same bits for any number of threads.
 */
#ifndef EVAL_KMEANS_H
#define EVAL_KMEANS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef enum kmeans_start {
    KMEANS_PLUSPLUS, /* k-means++ (Arthur and Vassilvitskii, SODA 2007), on KMEANS_CANDIDATES k rows drawn at random */
    KMEANS_RANDOM    /* k different rows */
} kmeans_start;

#define KMEANS_CANDIDATES 32

typedef struct kmeans_options {
    int clusters; /* 1..n */
    kmeans_start start;
    int iterations; /* at most; fewer when no row changes its cluster */
    uint64_t seed;
    int threads;
    void (*each)(void *arg, int iteration, double objective); /* optional: after each assignment */
    void *arg;
} kmeans_options;

typedef struct kmeans_result {
    double objective; /* the mean over rows of the squared distance to the centroid */
    int iterations;
    int splits; /* empty clusters that were seeded anew, over all iterations */
} kmeans_result;

/*
 * x [n][dim], finite, no row longer than 1e15: sums of squares are floats. centroids [clusters][dim] and
 * assignment [n] are written. 0 or -1.
 */
int kmeans_run(const float *x, size_t n, size_t dim, const kmeans_options *o, float *centroids, int32_t *assignment,
               kmeans_result *r, err *e);

#endif
