#include "eval/precondition.h"

#include "base/pool.h"
#include "base/panel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DIM = 4096,    /* 128 MiB a matrix */
    MAX_ROWS = 16384,
    BLOCK = 96,        /* rows at a time */
    GROUP = 4          /* panels of columns a job */
};

/* a: roughly the mean of p (1 - p) near an optimum. The number of steps hardly depends on it. */
#define CURVATURE 0.05
#define FLOOR 1e-6 /* of the mean diagonal: keeps the factor of singular moments finite */

bool precondition_pays(size_t n, size_t dim)
{
    return dim <= MAX_DIM && n >= 2 * dim;
}

/* ---- Second moments ------------------------------------------------------------ */

/* One job: some panels of columns of S, over all rows. */
typedef struct job {
    size_t panel, n; /* which, how many */
} job;

typedef struct moments {
    const features *f;
    rows r;
    size_t step, n;    /* every step-th row of r */
    size_t depth;      /* dim, rounded up */
    const float *mean, *scale;
    float *sums;     /* [panels][depth][16] */
    float **scratch; /* a worker's [BLOCK][depth], then [GROUP][BLOCK][16] */
} moments;

static void work(void *item, int number, void *arg)
{
    const job *j = item;
    const moments *m = arg;
    size_t dim = (size_t)m->f->dim, panel_size = m->depth * PANEL_COLUMNS;
    float *z = m->scratch[number], *columns = z + BLOCK * m->depth, *sums = m->sums + j->panel * panel_size;

    memset(z, 0, BLOCK * m->depth * sizeof *z);
    for (size_t from = 0; from < m->n; from += BLOCK) {
        size_t n = m->n - from < BLOCK ? m->n - from : BLOCK;
        for (size_t i = 0; i < n; i++) {
            panel_standardise(z + i * m->depth, m->f->x + m->r.v[(from + i) * m->step] * dim, m->mean, m->scale, dim);
            for (size_t q = 0; q < j->n; q++)
                memcpy(columns + (q * BLOCK + i) * PANEL_COLUMNS, z + i * m->depth + (j->panel + q) * PANEL_COLUMNS,
                       PANEL_COLUMNS * sizeof *z);
        }
        for (size_t q = 0; q < j->n; q++)
            panel_multiply_add(sums + q * panel_size, z, 1, m->depth, m->depth, columns + q * BLOCK * PANEL_COLUMNS, n);
    }
}

static int sum_moments(moments *m, int threads, err *e)
{
    size_t panels = m->depth / PANEL_COLUMNS, n = (panels + GROUP - 1) / GROUP;
    job *jobs = calloc(n, sizeof *jobs);
    pool *p = NULL;
    int rc = -1;

    m->scratch = calloc((size_t)threads, sizeof *m->scratch);
    if (!jobs || !m->scratch) {
        err_nomem(e);
        goto out;
    }
    for (int i = 0; i < threads; i++)
        if (!(m->scratch[i] = malloc((BLOCK * m->depth + GROUP * BLOCK * PANEL_COLUMNS) * sizeof(float)))) {
            err_nomem(e);
            goto out;
        }
    if (!(p = pool_new(threads, (int)n, work, m, e)))
        goto out;
    for (size_t i = 0; i < n; i++) {
        jobs[i] = (job){i * GROUP, panels - i * GROUP < GROUP ? panels - i * GROUP : GROUP};
        pool_put(p, &jobs[i]);
    }
    while (pool_take(p, true))
        ;
    rc = 0;
out:
    pool_free(p);
    for (int i = 0; m->scratch && i < threads; i++)
        free(m->scratch[i]);
    free(m->scratch);
    free(jobs);
    return rc;
}

int precondition_init(preconditioner *p, const features *f, rows r, const float *mean, const float *scale, int threads, err *e)
{
    size_t dim = (size_t)f->dim;
    moments m = {.f = f, .r = r, .mean = mean, .scale = scale};
    int rc = -1;

    *p = (preconditioner){.dim = dim};
    m.depth = panel_round_up(dim, 48); /* whole panels of columns, whole tiles of rows */
    m.step = (r.n + MAX_ROWS - 1) / MAX_ROWS;
    m.n = (r.n + m.step - 1) / m.step;
    m.sums = calloc(m.depth * m.depth, sizeof *m.sums);
    p->moments = malloc(dim * dim * sizeof *p->moments);
    p->factor = malloc(dim * dim * sizeof *p->factor);
    if (!m.sums || !p->moments || !p->factor) {
        err_nomem(e);
        goto out;
    }
    if (sum_moments(&m, threads, e))
        goto out;
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j < dim; j++)
            p->moments[i * dim + j] = (double)m.sums[(j / PANEL_COLUMNS * m.depth + i) * PANEL_COLUMNS + j % PANEL_COLUMNS] / (double)m.n;
    rc = 0;
out:
    free(m.sums);
    return rc;
}

void precondition_clear(preconditioner *p)
{
    free(p->moments);
    free(p->factor);
    *p = (preconditioner){0};
}

/* ---- The factor -------------------------------------------------------------------- */

void precondition_factor(preconditioner *p, double l2)
{
    size_t n = p->dim;
    double trace = 0;

    for (size_t i = 0; i < n; i++)
        trace += p->moments[i * n + i];
    double least = FLOOR * CURVATURE * (trace > 0 ? trace / (double)n : 1), ridge = l2 > least ? l2 : least;
    for (size_t i = 0; i < n; i++) {
        double *row = p->factor + i * n;
        for (size_t j = 0; j <= i; j++) {
            const double *other = p->factor + j * n;
            double s = CURVATURE * p->moments[i * n + j] - panel_dot(row, other, j);
            if (j < i)
                row[j] = s / other[j];
            else
                row[i] = sqrt(s + ridge > ridge / 2 ? s + ridge : ridge / 2); /* float32 moments may be slightly indefinite */
        }
    }
}

void precondition_to_v(const preconditioner *p, double *x)
{
    size_t n = p->dim;

    for (size_t i = 0; i < n; i++) { /* row i of L' is column i of L: only later entries are read */
        double *xi = x + i * PANEL_COLUMNS;
        for (int c = 0; c < PANEL_COLUMNS; c++)
            xi[c] *= p->factor[i * n + i];
        for (size_t j = i + 1; j < n; j++)
            panel_add_row(xi, p->factor[j * n + i], x + j * PANEL_COLUMNS);
    }
}

void precondition_to_w(const preconditioner *p, double *x)
{
    size_t n = p->dim;

    for (size_t i = n; i-- > 0;) {
        double *xi = x + i * PANEL_COLUMNS;
        const double *row = p->factor + i * n;
        for (int c = 0; c < PANEL_COLUMNS; c++)
            xi[c] /= row[i];
        for (size_t j = 0; j < i; j++)
            panel_add_row(x + j * PANEL_COLUMNS, -row[j], xi);
    }
}

void precondition_gradient(const preconditioner *p, double *x)
{
    size_t n = p->dim;

    for (size_t i = 0; i < n; i++) {
        double *xi = x + i * PANEL_COLUMNS;
        const double *row = p->factor + i * n;
        for (size_t j = 0; j < i; j++)
            panel_add_row(xi, -row[j], x + j * PANEL_COLUMNS);
        for (int c = 0; c < PANEL_COLUMNS; c++)
            xi[c] /= row[i];
    }
}
