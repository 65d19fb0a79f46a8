#include "eval/pca.h"

#include "base/pool.h"
#include "base/eigen.h"
#include "base/panel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 960 }; /* of a block whose float32 sums are added up in double; a multiple of PANEL_ROWS */

#define NEGLIGIBLE 1e-6 /* of the largest variance: less is rounding in float32 */

#define ROUNDING 1e-12 /* of the largest variance: less is what rounding of the rows themselves left, in any direction */

typedef struct scratch {
    float *columns, *sums; /* [ROWS][16], [dim rounded up][16] */
} scratch;

typedef struct moments {
    const float *x; /* centred */
    size_t n, dim;
    double *s;      /* [dim][dim] */
    scratch *of;    /* a worker's */
} moments;

int pca_centre(float *x, size_t n, size_t dim, err *e)
{
    double *mean = calloc(dim, sizeof *mean);

    if (!mean)
        return err_nomem(e);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++)
            mean[d] += x[i * dim + d];
    for (size_t d = 0; d < dim; d++)
        mean[d] /= (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++)
            x[i * dim + d] = (float)(x[i * dim + d] - mean[d]);
    free(mean);
    return 0;
}

/* Sixteen columns of the second moments. */
static void sum_columns(void *item, int worker, void *arg)
{
    const moments *m = arg;
    size_t from = *(const size_t *)item, width = m->dim - from < PANEL_COLUMNS ? m->dim - from : PANEL_COLUMNS;
    scratch *w = &m->of[worker];

    for (size_t at = 0; at < m->n; at += ROWS) {
        size_t rows = m->n - at < ROWS ? m->n - at : ROWS;
        memset(w->columns, 0, ROWS * PANEL_COLUMNS * sizeof *w->columns);
        for (size_t i = 0; i < rows; i++)
            memcpy(w->columns + i * PANEL_COLUMNS, m->x + (at + i) * m->dim + from, width * sizeof *m->x);
        memset(w->sums, 0, panel_round_up(m->dim, PANEL_ROWS) * PANEL_COLUMNS * sizeof *w->sums);
        /* The last tile may read past a row, into sums that nobody uses. */
        panel_multiply_add(w->sums, m->x + at * m->dim, 1, m->dim, panel_round_up(m->dim, PANEL_ROWS), w->columns, rows);
        for (size_t i = 0; i < m->dim; i++)
            for (size_t c = 0; c < width; c++)
                m->s[i * m->dim + from + c] += w->sums[i * PANEL_COLUMNS + c];
    }
}

static int second_moments(moments *m, int threads, err *e)
{
    size_t jobs = (m->dim + PANEL_COLUMNS - 1) / PANEL_COLUMNS, *from = malloc(jobs * sizeof *from);
    pool *p = NULL;
    int rc = -1;

    m->of = calloc((size_t)threads, sizeof *m->of);
    if (!from || !m->of) {
        err_nomem(e);
        goto out;
    }
    for (int i = 0; i < threads; i++) {
        m->of[i].columns = malloc(ROWS * PANEL_COLUMNS * sizeof(float));
        m->of[i].sums = malloc(panel_round_up(m->dim, PANEL_ROWS) * PANEL_COLUMNS * sizeof(float));
        if (!m->of[i].columns || !m->of[i].sums) {
            err_nomem(e);
            goto out;
        }
    }
    if (!(p = pool_new(threads, (int)jobs, sum_columns, m, e)))
        goto out;
    for (size_t i = 0; i < jobs; i++) {
        from[i] = i * PANEL_COLUMNS;
        pool_put(p, &from[i]);
    }
    while (pool_take(p, true))
        ;
    /* The two halves were summed in different orders. */
    for (size_t i = 0; i < m->dim; i++)
        for (size_t j = 0; j <= i; j++)
            m->s[j * m->dim + i] = m->s[i * m->dim + j] /= (double)m->n;
    rc = 0;
out:
    pool_free(p);
    for (int i = 0; m->of && i < threads; i++) {
        free(m->of[i].columns);
        free(m->of[i].sums);
    }
    free(m->of);
    free(from);
    return rc;
}

/* Directions, scaled, as panels [k / 16][dim][16]. */
static float *pack(const double *vectors, const double *value, size_t dim, size_t k, bool whiten)
{
    float *b = calloc(panel_round_up(k, PANEL_COLUMNS) * dim, sizeof *b);

    for (size_t j = 0; b && j < k; j++) {
        double scale = !whiten ? 1 : value[j] > NEGLIGIBLE * value[0] ? 1 / sqrt(value[j]) : 0;
        for (size_t d = 0; d < dim; d++)
            b[(j / PANEL_COLUMNS * dim + d) * PANEL_COLUMNS + j % PANEL_COLUMNS] = (float)(scale * vectors[j * dim + d]);
    }
    return b;
}

/* Block by block from the front: what is written never overtakes what is still to be read. */
static int project(float *x, size_t n, size_t dim, size_t k, const float *b, err *e)
{
    float *in = malloc(ROWS * dim * sizeof *in), *out = malloc(ROWS * PANEL_COLUMNS * sizeof *out);

    if (!in || !out) {
        free(in);
        free(out);
        return err_nomem(e);
    }
    for (size_t at = 0; at < n; at += ROWS) {
        size_t rows = n - at < ROWS ? n - at : ROWS;
        memset(in, 0, ROWS * dim * sizeof *in);
        memcpy(in, x + at * dim, rows * dim * sizeof *in);
        for (size_t j = 0; j < k; j += PANEL_COLUMNS) {
            memset(out, 0, ROWS * PANEL_COLUMNS * sizeof *out);
            panel_multiply_add(out, in, dim, 1, panel_round_up(rows, PANEL_ROWS), b + j * dim, dim);
            for (size_t i = 0; i < rows; i++)
                for (size_t c = j; c < k && c < j + PANEL_COLUMNS; c++)
                    x[(at + i) * k + c] = out[i * PANEL_COLUMNS + c - j];
        }
    }
    free(in);
    free(out);
    return 0;
}

/* All directions [dim][dim], and their variances, from the covariance. */
static double *by_columns(const float *x, size_t n, size_t dim, int threads, double *value, err *e)
{
    moments m = {.x = x, .n = n, .dim = dim, .s = calloc(dim * dim, sizeof *m.s)};

    if (!m.s)
        err_nomem(e);
    else if (second_moments(&m, threads, e) == 0 && eigen_symmetric(m.s, dim, value, e) == 0)
        return m.s;
    free(m.s);
    return NULL;
}

/* x x' / n [n][n] has the same variances, and its eigenvectors tell how much of each row there is in a direction. */
static int combine_rows(const double *rows, size_t n, size_t dim, size_t k, double *value, double *gram, double *v, err *e)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            gram[i * n + j] = gram[j * n + i] = panel_dot(rows + i * dim, rows + j * dim, dim) / (double)n;
    if (eigen_symmetric(gram, n, value, e))
        return -1;
    memset(v, 0, k * dim * sizeof *v);
    memset(value + n, 0, (dim - n) * sizeof *value);
    for (size_t j = 0; j < k && j < n; j++) {
        double *to = v + j * dim;
        if (!(value[j] > ROUNDING * value[0]))
            break;
        for (size_t i = 0; i < n; i++)
            for (size_t d = 0; d < dim; d++)
                to[d] += gram[j * n + i] * rows[i * dim + d];
        double length = sqrt(panel_dot(to, to, dim));
        for (size_t d = 0; d < dim; d++)
            to[d] /= length;
    }
    return 0;
}

/* The first k directions [k][dim] of fewer rows than columns, whose covariance would be large, and of low rank. */
static double *by_rows(const float *x, size_t n, size_t dim, size_t k, double *value, err *e)
{
    double *rows = malloc(n * dim * sizeof *rows), *gram = malloc(n * n * sizeof *gram), *v = malloc(k * dim * sizeof *v);
    int rc = -1;

    if (!rows || !gram || !v) {
        err_nomem(e);
    } else {
        for (size_t i = 0; i < n * dim; i++)
            rows[i] = x[i];
        rc = combine_rows(rows, n, dim, k, value, gram, v, e);
    }
    free(rows);
    free(gram);
    if (rc)
        free(v);
    return rc ? NULL : v;
}

int pca_project(float *x, size_t n, size_t dim, size_t k, bool whiten, int threads, err *e)
{
    double *value = malloc(dim * sizeof *value), *v = NULL;
    float *b = NULL;
    int rc = -1;

    if (!value)
        return err_nomem(e);
    memset(x + n * dim, 0, PCA_PADDING * sizeof *x);
    if (pca_centre(x, n, dim, e) == 0)
        v = n < dim ? by_rows(x, n, dim, k, value, e) : by_columns(x, n, dim, threads, value, e);
    if (v) {
        b = pack(v, value, dim, k, whiten);
        rc = b ? project(x, n, dim, k, b, e) : err_nomem(e);
    }
    free(b);
    free(v);
    free(value);
    return rc;
}

void pca_normalise(float *x, size_t n, size_t dim)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t d = 0; d < dim; d++)
            sum += (double)x[i * dim + d] * x[i * dim + d];
        double scale = sum > 0 ? 1 / sqrt(sum) : 0;
        for (size_t d = 0; d < dim; d++)
            x[i * dim + d] = (float)(x[i * dim + d] * scale);
    }
}
