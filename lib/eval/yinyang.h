/*
 * The assignment step of k-means, exact, without comparing every row with every
 * centroid (Ding, Zhao, Shen, Musuvathi and Mytkowicz, "Yinyang k-means: a
 * drop-in replacement of the classic k-means with consistent speedup", ICML 2015).
 *
 * Centroids are put into groups of near ones. For each row and group a lower
 * bound of the distance to any of the group is kept; it falls by how far the
 * group's centroids have moved. A group whose bound is above the distance to
 * the row's own centroid need not be looked at.
 *
 * The bounds allow for rounding, so the assignments are those of comparing
 * all, to the bit: of equals the lowest cluster wins. Sums are made in a fixed
 * order, without fused multiply-add: the same bits with SSE2, AVX2 and AVX-512.
 */
#ifndef EVAL_YINYANG_H
#define EVAL_YINYANG_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define YINYANG_ROWS 240 /* of a job: their bits of the rows and one group's centroids stay in the cache */

typedef struct yinyang {
    size_t n, dim, K;
    size_t groups, panels;   /* each group is `wide` panels of 16 columns, the last may be less */
    size_t wide;
    const float *square;     /* [n]: |x|^2; the caller's */
    float *packed;           /* [panels][dim][16]: centroids in the order of `id` */
    float *offset;           /* [panels 16]: -|c|^2 / 2 */
    int32_t *id;             /* [panels 16]: the column's cluster; of padding INT32_MAX */
    uint32_t *group;         /* [K]: where a cluster is */
    float *lower;            /* [n / YINYANG_ROWS, rounded up][groups][YINYANG_ROWS]: the bounds */
    float *drift;            /* [groups]: how far the group's centroids have moved since */
    float slack;             /* the rounding of a squared distance, as part of |x|^2 + 2 max |c|^2 */
    float largest;           /* max |c|^2 */
    void *scratch;           /* of the workers */
} yinyang;

/* Room for K centroids and n rows; nothing is known of any bound. `square` must outlive it. 0 or -1. */
int yinyang_new(yinyang *y, size_t n, size_t dim, size_t K, const float *square, int workers, err *e);
void yinyang_free(yinyang *y);

/* Put near ones of the centroids [K][dim] into one group, and forget the bounds. 0 or -1. */
int yinyang_regroup(yinyang *y, const float *centroids, err *e);

/* How far the centroids have moved from `before` (NULL: they are new, and have no bounds yet), both [K][dim]. */
void yinyang_move(yinyang *y, const float *before, const float *centroids);

/* Copy panel q's centroids to where assign reads them. For all panels, after yinyang_move. */
void yinyang_pack(yinyang *y, size_t q, const float *centroids);

/*
 * Rows [from, from + count), from a multiple of YINYANG_ROWS and count at most that, of x [n][dim]: assignment[i], which holds the cluster
 * before (any, at first), becomes the nearest one, and value[i] its x c - |c|^2 / 2.
 */
void yinyang_assign(yinyang *y, const float *x, size_t from, size_t count, int32_t *assignment, float *value, int worker);

#endif
