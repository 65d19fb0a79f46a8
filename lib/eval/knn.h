/*
 * Weighted k-nearest-neighbour classification by cosine similarity, as in
 * Wu, Xiong, Yu and Lin, "Unsupervised feature learning via non-parametric
 * instance discrimination" (CVPR 2018), section 3.4: each of the k nearest
 * training rows votes for its class with weight exp(s / T).
 *
 * Exact: every pair is compared, in float32. Of equally near rows the one that
 * comes first is nearer; of classes with equal votes the lowest wins. The
 * similarity to a vector of length zero is 0.
 */
#ifndef EVAL_KNN_H
#define EVAL_KNN_H

#include "base/err.h"
#include "eval/features.h"

typedef struct knn_neighbour {
    float similarity;
    uint32_t row; /* of the table */
} knn_neighbour;

/* found[i * k ...] are the k nearest training rows of test row i, nearest first; k is in 1..train.n. 0 or -1. */
int knn_search(const features *f, rows train, rows test, int k, int threads, knn_neighbour *found, err *e);

/* predicted[j * test.n + i] is row i's class by k[j] neighbours; each k is in 1..train.n. 0 or -1. */
int knn_predict(const features *f, rows train, rows test, const int *k, int n_k, double temperature, int threads,
                int32_t *predicted, err *e);

#endif
