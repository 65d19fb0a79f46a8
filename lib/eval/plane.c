#include "eval/plane.h"

#include "base/eigen.h"
#include "base/panel.h"
#include "base/pool.h"
#include "base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Sixteen directions are iterated, so that the first two converge by the ratio of the third to the last. */
enum { K = PANEL_COLUMNS, ROWS = 480, ROUNDS = 40, WINDOW = 16 };

#define ENOUGH 1e-7 /* relative change of the two variances */

typedef struct job {
    size_t from, n;
    float *x;        /* [ROWS][dim]: centred rows, with padding behind */
    float *along;    /* [ROWS][K]: their coordinates */
    float *products; /* [dim rounded up][K]: their share of X'X V */
} job;

typedef struct iteration {
    const float *x;
    size_t n, dim;
    double *mean;   /* [dim] */
    float *v;       /* [dim][K] */
    double *w;      /* [dim][K] */
    job jobs[WINDOW];
    bool only_along; /* the last pass */
    double *y;
    double turn[K][2]; /* from the directions to the two that are wanted */
} iteration;

static void work(void *item, int worker, void *arg)
{
    iteration *t = arg;
    job *j = item;
    size_t dim = t->dim, m = panel_round_up(j->n, PANEL_ROWS);
    (void)worker;

    memset(j->x, 0, m * dim * sizeof *j->x);
    for (size_t i = 0; i < j->n; i++)
        for (size_t d = 0; d < dim; d++)
            j->x[i * dim + d] = (float)((double)t->x[(j->from + i) * dim + d] - t->mean[d]);
    memset(j->along, 0, m * K * sizeof *j->along);
    panel_multiply_add(j->along, j->x, dim, 1, m, t->v, dim);
    if (t->only_along) {
        for (size_t i = 0; i < j->n; i++)
            for (int a = 0; a < 2; a++) {
                double sum = 0;
                for (int k = 0; k < K; k++)
                    sum += (double)j->along[i * K + (size_t)k] * t->turn[k][a];
                t->y[2 * (j->from + i) + (size_t)a] = sum;
            }
        return;
    }
    memset(j->products, 0, panel_round_up(dim, PANEL_ROWS) * K * sizeof *j->products);
    panel_multiply_add(j->products, j->x, 1, dim, panel_round_up(dim, PANEL_ROWS), j->along, j->n);
}

static void take(iteration *t, pool *p)
{
    job *j = pool_take(p, true);

    for (size_t i = 0; !t->only_along && i < t->dim * K; i++)
        t->w[i] += (double)j->products[i];
}

/* w = X'X v, summed in the order of the rows; or, at the end, y. */
static void pass(iteration *t, pool *p)
{
    size_t at = 0, put = 0;

    memset(t->w, 0, t->dim * K * sizeof *t->w);
    for (; at < t->n; put++) {
        if (pool_full(p))
            take(t, p);
        job *j = &t->jobs[put % WINDOW];
        j->from = at;
        j->n = t->n - at < ROWS ? t->n - at : ROWS;
        at += j->n;
        pool_put(p, j);
    }
    for (size_t left = put < WINDOW ? put : WINDOW; left; left--)
        take(t, p);
}

/* Gram and Schmidt, twice; a direction that vanishes becomes zero. */
static void orthonormalise(iteration *t)
{
    size_t dim = t->dim;

    for (size_t k = 0; k < K; k++) {
        double before = 0, square = 0;
        for (size_t d = 0; d < dim; d++)
            before += t->w[d * K + k] * t->w[d * K + k];
        for (int twice = 0; twice < 2; twice++)
            for (size_t j = 0; j < k; j++) {
                double dot = 0;
                for (size_t d = 0; d < dim; d++)
                    dot += t->w[d * K + j] * t->w[d * K + k];
                for (size_t d = 0; d < dim; d++)
                    t->w[d * K + k] -= dot * t->w[d * K + j];
            }
        for (size_t d = 0; d < dim; d++)
            square += t->w[d * K + k] * t->w[d * K + k];
        double scale = square > 1e-20 * before && square > 0 ? 1 / sqrt(square) : 0;
        for (size_t d = 0; d < dim; d++)
            t->w[d * K + k] *= scale;
    }
    for (size_t i = 0; i < dim * K; i++)
        t->v[i] = (float)t->w[i];
}

/* The eigenvalues of v' X'X v, from w = X'X v, and the combinations of v that belong to the first two. */
static int ritz(iteration *t, double value[K], err *e)
{
    double a[K * K] = {0};

    for (size_t i = 0; i < K; i++)
        for (size_t j = 0; j < K; j++)
            for (size_t d = 0; d < t->dim; d++)
                a[i * K + j] += (double)t->v[d * K + i] * t->w[d * K + j];
    for (size_t i = 0; i < K; i++)
        for (size_t j = 0; j < i; j++)
            a[i * K + j] = a[j * K + i] = (a[i * K + j] + a[j * K + i]) / 2;
    if (eigen_symmetric(a, K, value, e))
        return -1;
    for (int c = 0; c < 2; c++) {
        double largest = 0;
        for (size_t d = 0; d < t->dim; d++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += (double)t->v[d * K + k] * a[(size_t)c * K + k];
            largest = fabs(sum) > fabs(largest) ? sum : largest;
        }
        for (size_t k = 0; k < K; k++)
            t->turn[k][c] = largest < 0 ? -a[(size_t)c * K + k] : a[(size_t)c * K + k];
    }
    return 0;
}

static double total_variance(iteration *t)
{
    double sum = 0;

    for (size_t i = 0; i < t->n; i++)
        for (size_t d = 0; d < t->dim; d++)
            t->mean[d] += (double)t->x[i * t->dim + d] / (double)t->n;
    for (size_t i = 0; i < t->n; i++)
        for (size_t d = 0; d < t->dim; d++) {
            double v = (double)t->x[i * t->dim + d] - t->mean[d];
            sum += v * v;
        }
    return sum;
}

static int allocate(iteration *t, err *e)
{
    size_t dim = t->dim, up = panel_round_up(dim, PANEL_ROWS);

    t->mean = calloc(dim, sizeof *t->mean);
    t->v = malloc(dim * K * sizeof *t->v);
    t->w = malloc(dim * K * sizeof *t->w);
    if (!t->mean || !t->v || !t->w)
        return err_nomem(e);
    for (int i = 0; i < WINDOW; i++) {
        job *j = &t->jobs[i];
        /* The last tile may read past a row, into sums that nobody uses. */
        j->x = calloc(ROWS * dim + PANEL_ROWS, sizeof *j->x);
        j->along = malloc(ROWS * K * sizeof *j->along);
        j->products = malloc(up * K * sizeof *j->products);
        if (!j->x || !j->along || !j->products)
            return err_nomem(e);
    }
    return 0;
}

static void release(iteration *t)
{
    free(t->mean);
    free(t->v);
    free(t->w);
    for (int i = 0; i < WINDOW; i++) {
        free(t->jobs[i].x);
        free(t->jobs[i].along);
        free(t->jobs[i].products);
    }
}

int plane_project(const float *x, size_t n, size_t dim, int threads, double *y, double *share, err *e)
{
    iteration t = {.x = x, .n = n, .dim = dim, .y = y};
    double value[K] = {0}, before[2] = {0};
    rng r = rng_at(rng_mix_str(0, "plane"));
    pool *p = NULL;
    int rc = -1;

    if (allocate(&t, e) || !(p = pool_new(threads, WINDOW, work, &t, e)))
        goto out;
    double total = total_variance(&t);
    for (size_t i = 0; i < dim * K; i++)
        t.w[i] = rng_uniform(&r) - 0.5;
    for (int round = 0; round < ROUNDS; round++) {
        orthonormalise(&t);
        pass(&t, p);
        if (ritz(&t, value, e))
            goto out;
        if (fabs(value[0] - before[0]) <= ENOUGH * value[0] && fabs(value[1] - before[1]) <= ENOUGH * value[0] && round > 2)
            break;
        before[0] = value[0];
        before[1] = value[1];
    }
    t.only_along = true;
    pass(&t, p);
    for (int c = 0; share && c < 2; c++)
        share[c] = total > 0 ? value[c] / total : 0;
    rc = 0;
out:
    pool_free(p);
    release(&t);
    return rc;
}
