/*
 * The inner loops of this layer's linear algebra. Matrices lie in panels of 16
 * columns: [rows][16].
 *
 * Sums are made in an order that the code fixes, without fused multiply-add,
 * so results are the same bits with SSE2, AVX2 and AVX-512, of which the
 * widest that the processor has is used.
 */
#ifndef BASE_PANEL_H
#define BASE_PANEL_H

#include <stddef.h>

#define PANEL_COLUMNS 16
#define PANEL_ROWS 6 /* m is a multiple of this */

static inline size_t panel_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* c[i][0..15] += sum over t < k of a[i * row + t * col] * b[t][0..15], i < m. */
void panel_multiply_add(float *c, const float *a, size_t row, size_t col, size_t m, const float *b, size_t k);

/* The sum of a[i] * b[i], in 16 interleaved sums that are added at the end. */
double panel_dot(const double *a, const double *b, size_t n);

/* The sum of (a[i] - b[i])^2, in 16 interleaved sums that are added at the end. */
float panel_distance(const float *a, const float *b, size_t n);

/* x[0..15] += s * y[0..15] */
static inline void panel_add_row(double *x, double s, const double *y)
{
    for (int i = 0; i < PANEL_COLUMNS; i++)
        x[i] += s * y[i];
}

/* dst[i] = (src[i] - shift[i]) * scale[i] */
void panel_standardise(float *dst, const float *src, const float *shift, const float *scale, size_t n);

#endif
