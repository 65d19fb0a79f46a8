/* Streams of embeddings as points: what is to be drawn of each sample, in memory. */
#ifndef PLOT_POINTS_H
#define PLOT_POINTS_H

#include "base/names.h"
#include "eval/features.h"
#include "eval/knn.h"
#include "image/image.h"
#include "plot/plot.h"

typedef struct thumbnail {
    size_t at; /* in `pixels` */
    uint16_t h, w, c;
} thumbnail;

typedef struct points {
    size_t n, cap;
    int dim;
    float *x;         /* [n][dim], finite; owned, like all below */
    char **key;       /* [n] */
    int32_t *class_of, *split, *cluster; /* [n], numbers in the three below; -1: none */
    name_set classes, splits, clusters;
    thumbnail *thumb; /* [n]; NULL: none were asked for */
    buf pixels;
    uint32_t *all;    /* [n]: 0, 1, ... */
} points;

/*
 * Read all inputs of q, and no more of them than q->limit, drawn at random by q->seed. side: images are reduced to
 * fit that square, 0: none are kept; below 0: to -side, if the streams have any. Clusters are joined by key from q->clusters. ERR_INPUT where a sample has no
 * embedding, or no image where one is asked for. points_clear() also after a failure.
 */
int points_read(points *p, const plot_request *q, int side, err *e);
void points_clear(points *p);

image points_image(const points *p, size_t i); /* borrowed pixels; not to be freed */
features points_features(const points *p);

/* The k nearest of `among` to each of `of`, none its own: found[of.n][k]; k < among.n. */
int points_neighbours(const points *p, rows among, rows of, int k, int threads, knn_neighbour *found, err *e);

#endif
