/*
 * t-SNE: a map of points in two dimensions on which neighbours stay neighbours
 * (van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008), with
 * neighbours beyond 3 times the perplexity left out (van der Maaten,
 * "Accelerating t-SNE using tree-based algorithms", JMLR 2014), repulsion by
 * repulsion.h, and the learning rate of Belkina et al. (Nature Communications
 * 2019): n / exaggeration.
 */
#ifndef EVAL_TSNE_H
#define EVAL_TSNE_H

#include "base/err.h"
#include "eval/knn.h"

#include <stddef.h>
#include <stdint.h>

typedef struct tsne_options {
    double perplexity; /* > 1 */
    int iterations;    /* of which the first quarter, at most 250, exaggerates by 12 */
    uint64_t seed;     /* of the noise that parts equal points */
    int threads;
    void (*each)(void *arg, int iteration); /* optional */
    void *arg;
} tsne_options;

/* Neighbours of each point that are used. */
int tsne_neighbours(double perplexity, size_t n);

/*
 * found [n][k]: the nearest other points of each, by cosine similarity s; the squared distance is 2 - 2 s. y [n][2]: a
 * first map of any scale (principal components), replaced by the result. *loss (may be NULL): Kullback and Leibler's
 * divergence at the end. n >= 4. Same bits for any number of threads. 0 or -1.
 */
int tsne_run(const knn_neighbour *found, size_t n, int k, const tsne_options *o, double *y, double *loss, err *e);

#endif
