#include "eval/yinyang.h"

#include "base/panel.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32)));
typedef float v4 __attribute__((vector_size(16)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef int32_t i4 __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))

/* A worker's. */
typedef struct scratch {
    float top[YINYANG_ROWS];    /* each row's best value so far, */
    int32_t best[YINYANG_ROWS]; /* its cluster, */
    uint32_t own[YINYANG_ROWS]; /* the group that it was in, */
    float group[YINYANG_ROWS];  /* and the best value in the group at hand */
    uint32_t row[YINYANG_ROWS + 1]; /* those that look at the group */
} scratch;

int yinyang_new(yinyang *y, size_t n, size_t dim, size_t K, const float *square, int workers, err *e)
{
    size_t panels = panel_round_up(K, PANEL_COLUMNS) / PANEL_COLUMNS, most = dim / 2 > 1 ? dim / 2 : 1;

    *y = (yinyang){.n = n, .dim = dim, .K = K, .panels = panels, .square = square};
    /* Few enough groups that the bounds take no more than half of the room of the rows. */
    y->wide = (panels + most - 1) / most;
    y->groups = (panels + y->wide - 1) / y->wide;
    y->slack = (float)(dim + 8) * FLT_EPSILON;
    y->packed = calloc(panels * dim, PANEL_COLUMNS * sizeof *y->packed);
    y->offset = malloc(panels * PANEL_COLUMNS * sizeof *y->offset);
    y->id = malloc(panels * PANEL_COLUMNS * sizeof *y->id);
    y->group = malloc(K * sizeof *y->group);
    y->lower = calloc(panel_round_up(n, YINYANG_ROWS) * y->groups, sizeof *y->lower);
    y->drift = calloc(y->groups, sizeof *y->drift);
    y->scratch = aligned_alloc(64, panel_round_up((size_t)workers * sizeof(scratch), 64));
    if (!y->packed || !y->offset || !y->id || !y->group || !y->lower || !y->drift || !y->scratch)
        return err_nomem(e);
    for (size_t j = 0; j < panels * PANEL_COLUMNS; j++) {
        y->id[j] = j < K ? (int32_t)j : INT32_MAX;
        if (j < K)
            y->group[j] = (uint32_t)(j / PANEL_COLUMNS / y->wide);
    }
    return 0;
}

void yinyang_free(yinyang *y)
{
    free(y->packed);
    free(y->offset);
    free(y->id);
    free(y->group);
    free(y->lower);
    free(y->drift);
    free(y->scratch);
}

/* ---- Groups ---------------------------------------------------------------------- */

typedef struct place {
    double at; /* along the line that divides */
    int32_t id;
} place;

static int by_place(const void *a, const void *b)
{
    const place *p = a, *q = b;

    return p->at != q->at ? (p->at < q->at ? -1 : 1) : (p->id > q->id) - (p->id < q->id);
}

static int by_id(const void *a, const void *b)
{
    const place *p = a, *q = b;

    return (p->id > q->id) - (p->id < q->id);
}

static double apart(const float *a, const float *b, size_t dim)
{
    double sum = 0;

    for (size_t d = 0; d < dim; d++)
        sum += ((double)a[d] - b[d]) * ((double)a[d] - b[d]);
    return sum;
}

static const float *farthest(const place *p, size_t n, const float *centroids, size_t dim, const float *from)
{
    const float *far = from;
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        const float *c = centroids + (size_t)p[i].id * dim;
        double d = apart(c, from, dim);
        if (d > most) {
            most = d;
            far = c;
        }
    }
    return far;
}

/* Halve along the line between two that are far apart, until what is left is one group. */
static void divide(place *p, size_t n, size_t size, const float *centroids, size_t dim)
{
    if (n <= size) {
        qsort(p, n, sizeof *p, by_id);
        return;
    }
    const float *a = farthest(p, n, centroids, dim, centroids + (size_t)p[0].id * dim);
    const float *b = farthest(p, n, centroids, dim, a);
    for (size_t i = 0; i < n; i++) {
        const float *c = centroids + (size_t)p[i].id * dim;
        p[i].at = 0;
        for (size_t d = 0; d < dim; d++)
            p[i].at += ((double)b[d] - a[d]) * c[d];
    }
    qsort(p, n, sizeof *p, by_place);
    size_t half = (n / size + (n % size > 0)) / 2 * size; /* whole groups, so that only the last is short */
    divide(p, half, size, centroids, dim);
    divide(p + half, n - half, size, centroids, dim);
}

int yinyang_regroup(yinyang *y, const float *centroids, err *e)
{
    place *p = malloc(y->K * sizeof *p);

    if (!p)
        return err_nomem(e);
    for (size_t j = 0; j < y->K; j++)
        p[j].id = (int32_t)j;
    divide(p, y->K, y->wide * PANEL_COLUMNS, centroids, y->dim);
    for (size_t j = 0; j < y->K; j++) {
        y->id[j] = p[j].id;
        y->group[p[j].id] = (uint32_t)(j / PANEL_COLUMNS / y->wide);
    }
    free(p);
    memset(y->lower, 0, panel_round_up(y->n, YINYANG_ROWS) * y->groups * sizeof *y->lower);
    return 0;
}

void yinyang_move(yinyang *y, const float *before, const float *centroids)
{
    double largest = 0;

    memset(y->drift, 0, y->groups * sizeof *y->drift);
    for (size_t j = 0; j < y->K; j++) {
        const float *c = centroids + j * y->dim;
        double sum = 0;
        for (size_t d = 0; d < y->dim; d++)
            sum += (double)c[d] * c[d];
        largest = sum > largest ? sum : largest;
        if (!before)
            continue;
        float *drift = &y->drift[y->group[j]], moved = (float)(sqrt(apart(before + j * y->dim, c, y->dim)) * (1 + 1e-6));
        *drift = moved > *drift ? moved : *drift;
    }
    y->largest = (float)largest;
}

void yinyang_pack(yinyang *y, size_t q, const float *centroids)
{
    float *to = y->packed + q * y->dim * PANEL_COLUMNS;

    for (size_t c = 0; c < PANEL_COLUMNS; c++) {
        size_t j = q * PANEL_COLUMNS + c;
        double sum = 0;
        for (size_t d = 0; j < y->K && d < y->dim; d++) {
            float v = centroids[(size_t)y->id[j] * y->dim + d];
            to[d * PANEL_COLUMNS + c] = v;
            sum += (double)v * v;
        }
        y->offset[j] = j < y->K ? (float)(-sum / 2) : -INFINITY;
    }
}

/* ---- Assignment --------------------------------------------------------------------- */

INLINE float greatest(const v16 *v)
{
    v8 a, b;
    v4 c, d;

    memcpy(&a, v, sizeof a);
    memcpy(&b, (const char *)v + sizeof a, sizeof b);
    i8 more = a > b;
    a = (v8)(((i8)a & more) | ((i8)b & ~more));
    memcpy(&c, &a, sizeof c);
    memcpy(&d, (const char *)&a + sizeof c, sizeof d);
    i4 more4 = c > d;
    c = (v4)(((i4)c & more4) | ((i4)d & ~more4));
    float p = c[0] > c[1] ? c[0] : c[1], q = c[2] > c[3] ? c[2] : c[3];
    return p > q ? p : q;
}

/* Row `i` has the values c with the columns `ids`. */
INLINE void keep(scratch *w, size_t i, const v16 *c, const int32_t *ids)
{
    float most = greatest(c);

    w->group[i] = most > w->group[i] ? most : w->group[i];
    if (most < w->top[i])
        return;
    int32_t best = INT32_MAX; /* the lowest of equals, of the group and of all */
    for (int j = 0; j < PANEL_COLUMNS; j++)
        if ((*c)[j] == most && ids[j] < best)
            best = ids[j];
    if (most > w->top[i] || best < w->best[i])
        w->best[i] = best;
    w->top[i] = most;
}

/* Panel q for the m rows of w->row, six at a time; the last six may be the same ones again. */
INLINE void look(const yinyang *y, scratch *w, const float *x, size_t m, size_t q)
{
    const v16u *columns = (const v16u *)(y->packed + q * y->dim * PANEL_COLUMNS);
    v16 start = *(const v16u *)(y->offset + q * PANEL_COLUMNS);
    const int32_t *ids = y->id + q * PANEL_COLUMNS;
    size_t dim = y->dim;

    for (size_t at = 0; at < m; at += PANEL_ROWS) {
        uint32_t r[PANEL_ROWS];
        for (size_t i = 0; i < PANEL_ROWS; i++)
            r[i] = w->row[at + i < m ? at + i : m - 1];
        const float *a0 = x + r[0] * dim, *a1 = x + r[1] * dim, *a2 = x + r[2] * dim, *a3 = x + r[3] * dim,
                    *a4 = x + r[4] * dim, *a5 = x + r[5] * dim;
        for (size_t i = at + PANEL_ROWS; i < at + 2 * PANEL_ROWS && i < m; i++)
            for (size_t d = 0; d < dim; d += 16)
                __builtin_prefetch(x + w->row[i] * dim + d);
        v16 c0 = start, c1 = start, c2 = start, c3 = start, c4 = start, c5 = start;
        for (size_t d = 0; d < dim; d++) {
            v16 b = columns[d];
            c0 += a0[d] * b;
            c1 += a1[d] * b;
            c2 += a2[d] * b;
            c3 += a3[d] * b;
            c4 += a4[d] * b;
            c5 += a5[d] * b;
        }
        keep(w, r[0], &c0, ids);
        keep(w, r[1], &c1, ids);
        keep(w, r[2], &c2, ids);
        keep(w, r[3], &c3, ids);
        keep(w, r[4], &c4, ids);
        keep(w, r[5], &c5, ids);
    }
}

/* The bounds of group g for the rows of the job that begins at `from`. */
INLINE float *bounds(const yinyang *y, size_t from, size_t g)
{
    return y->lower + from * y->groups + g * YINYANG_ROWS;
}

static float rounding(const yinyang *y, float square)
{
    return y->slack * (square + 2 * y->largest);
}

/* All of group g for the m rows of w->row, and what is now known of their distance to it. */
INLINE void look_at_group(const yinyang *y, scratch *w, const float *x, size_t from, size_t m, size_t g)
{
    float *lower = bounds(y, from, g);

    for (size_t i = 0; i < m; i++)
        w->group[w->row[i]] = -INFINITY;
    for (size_t q = g * y->wide; q < (g + 1) * y->wide && q < y->panels; q++)
        look(y, w, x, m, q);
    for (size_t i = 0; i < m; i++) {
        uint32_t r = w->row[i];
        float most = w->group[r], square = y->square[from + r], d = square - 2 * most - rounding(y, square);
        lower[r] = d > 0 ? sqrtf(d) : 0;
    }
}

INLINE void assign(const yinyang *y, const float *x, size_t from, size_t count, int32_t *assignment, float *value, scratch *w)
{
    for (size_t i = 0; i < count; i++) {
        w->top[i] = -INFINITY;
        w->best[i] = INT32_MAX;
    }
    /* Each row's own group, then those that may hold a nearer one. */
    for (size_t i = 0; i < count; i++)
        w->own[i] = y->group[assignment[from + i]];
    for (size_t g = 0; g < y->groups; g++) {
        size_t m = 0;
        for (size_t i = 0; i < count; i++) {
            w->row[m] = (uint32_t)i;
            m += w->own[i] == g;
        }
        look_at_group(y, w, x, from, m, g);
    }
    for (size_t g = 0; g < y->groups; g++) {
        float *lower = bounds(y, from, g);
        size_t m = 0;
        for (size_t i = 0; i < count; i++) {
            float far = lower[i] - (y->drift[g] + lower[i] * FLT_EPSILON);
            lower[i] = w->own[i] == g ? lower[i] : far > 0 ? far : 0;
        }
        for (size_t i = 0; i < count; i++) {
            float square = y->square[from + i], reach = square - 2 * w->top[i] + rounding(y, square);
            w->row[m] = (uint32_t)i;
            m += (w->own[i] != g) & (lower[i] * lower[i] * (1 - 4 * FLT_EPSILON) <= reach);
        }
        look_at_group(y, w, x, from, m, g);
    }
    for (size_t i = 0; i < count; i++) {
        assignment[from + i] = w->best[i];
        value[from + i] = w->top[i];
    }
}

#ifdef __x86_64__

__attribute__((target("avx512f"))) static void
assign_avx512(const yinyang *y, const float *x, size_t from, size_t count, int32_t *assignment, float *value, scratch *w)
{
    assign(y, x, from, count, assignment, value, w);
}

__attribute__((target("avx2"))) static void
assign_avx2(const yinyang *y, const float *x, size_t from, size_t count, int32_t *assignment, float *value, scratch *w)
{
    assign(y, x, from, count, assignment, value, w);
}

#endif

void yinyang_assign(yinyang *y, const float *x, size_t from, size_t count, int32_t *assignment, float *value, int worker)
{
    scratch *w = (scratch *)y->scratch + worker;

    x += from * y->dim;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        assign_avx512(y, x, from, count, assignment, value, w);
    else if (__builtin_cpu_supports("avx2"))
        assign_avx2(y, x, from, count, assignment, value, w);
    else
#endif
        assign(y, x, from, count, assignment, value, w);
}
