/*
 * For each of many rows the best of many columns: the inner loop of k-means.
 *
 * Sums are made in a fixed order, without fused multiply-add, so results are
 * the same bits with SSE2, AVX2 and AVX-512; of equals the lowest column wins.
 */
#ifndef EVAL_NEAREST_H
#define EVAL_NEAREST_H

#include "eval/panel.h"

#include <stdint.h>

#define NEAREST_ROWS 96 /* at a time, at most */

/*
 * best[i] = the column j with the greatest value[i] = offset[j] + sum over d of
 * x[i][d] p[j][d], for i < m (a multiple of PANEL_ROWS). The columns lie in
 * `panels` panels [dim][16]; padding columns have an offset of -INFINITY.
 * x has rows of dim floats.
 */
void nearest_columns(const float *x, size_t m, const float *p, const float *offset, size_t panels, size_t dim, int32_t *best,
                     float *value);

#endif
