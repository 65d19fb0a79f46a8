#include "eval/nearest.h"

#include <math.h>

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t i16 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

/* Each lane remembers the best column among its own: 16 candidates a row. */
typedef struct lanes {
    v16 value[NEAREST_ROWS];
    i16 panel[NEAREST_ROWS];
} lanes;

INLINE void keep_best(lanes *l, size_t row, const v16 *candidate, int32_t panel)
{
    v16 value = *candidate;
    i16 better = value > l->value[row], number = (i16){0} + panel;

    l->value[row] = (v16)(((i16)value & better) | ((i16)l->value[row] & ~better));
    l->panel[row] = (number & better) | (l->panel[row] & ~better);
}

INLINE void compare(lanes *l, const float *x, size_t m, const float *p, const float *offset, size_t dim, int32_t panel)
{
    const v16u *columns = (const v16u *)p;
    v16 start = *(const v16u *)offset;

    for (size_t i = 0; i < m; i += PANEL_ROWS) {
        const float *a = x + i * dim;
        v16 c0 = start, c1 = start, c2 = start, c3 = start, c4 = start, c5 = start;
        for (size_t d = 0; d < dim; d++, a++) {
            v16 y = columns[d];
            c0 += a[0] * y;
            c1 += a[dim] * y;
            c2 += a[2 * dim] * y;
            c3 += a[3 * dim] * y;
            c4 += a[4 * dim] * y;
            c5 += a[5 * dim] * y;
        }
        keep_best(l, i, &c0, panel);
        keep_best(l, i + 1, &c1, panel);
        keep_best(l, i + 2, &c2, panel);
        keep_best(l, i + 3, &c3, panel);
        keep_best(l, i + 4, &c4, panel);
        keep_best(l, i + 5, &c5, panel);
    }
}

INLINE void columns(const float *x, size_t m, const float *p, const float *offset, size_t panels, size_t dim, int32_t *best,
                    float *value)
{
    lanes l;

    for (size_t i = 0; i < m; i++) {
        l.value[i] = (v16){0} - INFINITY;
        l.panel[i] = (i16){0};
    }
    for (size_t q = 0; q < panels; q++)
        compare(&l, x, m, p + q * dim * PANEL_COLUMNS, offset + q * PANEL_COLUMNS, dim, (int32_t)q);
    for (size_t i = 0; i < m; i++) {
        best[i] = l.panel[i][0] * PANEL_COLUMNS;
        value[i] = l.value[i][0];
        for (int c = 1; c < PANEL_COLUMNS; c++) {
            int32_t column = l.panel[i][c] * PANEL_COLUMNS + c;
            if (l.value[i][c] > value[i] || (l.value[i][c] == value[i] && column < best[i])) {
                best[i] = column;
                value[i] = l.value[i][c];
            }
        }
    }
}

#ifdef __x86_64__

__attribute__((target("avx512f"))) static void
columns_avx512(const float *x, size_t m, const float *p, const float *offset, size_t panels, size_t dim, int32_t *best, float *value)
{
    columns(x, m, p, offset, panels, dim, best, value);
}

__attribute__((target("avx2"))) static void
columns_avx2(const float *x, size_t m, const float *p, const float *offset, size_t panels, size_t dim, int32_t *best, float *value)
{
    columns(x, m, p, offset, panels, dim, best, value);
}

#endif

void nearest_columns(const float *x, size_t m, const float *p, const float *offset, size_t panels, size_t dim, int32_t *best,
                     float *value)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        columns_avx512(x, m, p, offset, panels, dim, best, value);
    else if (__builtin_cpu_supports("avx2"))
        columns_avx2(x, m, p, offset, panels, dim, best, value);
    else
#endif
        columns(x, m, p, offset, panels, dim, best, value);
}
