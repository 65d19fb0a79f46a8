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

/* predicted[j * test.n + i] is row i's class by k[j] neighbours; each k is in 1..train.n. 0 or -1. */
int knn_predict(const features *f, rows train, rows test, const int *k, int n_k, double temperature, int threads,
                int32_t *predicted, err *e);

#endif
