#include "eval/knn.h"

#include "base/pool.h"
#include "base/fmath.h"
#include "base/panel.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * Training rows are taken a block at a time, normalised and packed into panels
 * of 16 columns that all workers share; a job compares a few test rows with
 * the whole block. A test row keeps its k nearest so far in a heap.
 */
enum { TRAIN_ROWS = 4096, TEST_ROWS = 96 };

typedef knn_neighbour neighbour;

typedef struct job {
    size_t from, n; /* test rows */
} job;

typedef struct search {
    const features *f;
    rows train, test;
    int most;         /* neighbours kept for each test row */
    float *panels;    /* [TRAIN_ROWS / 16][dim][16] */
    size_t at, have;  /* the block of training rows in panels */
    neighbour *heaps; /* [test.n][most], the caller's: the farthest is at the root */
    float **queries;  /* a worker's [TEST_ROWS][dim] */
    float **products; /* a worker's [TEST_ROWS][16] */
} search;

/* dst[i * stride] = x / |x| */
static void normalise(float *dst, size_t stride, const float *x, size_t dim)
{
    double square = 0;

    for (size_t d = 0; d < dim; d++)
        square += (double)x[d] * (double)x[d];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (size_t d = 0; d < dim; d++)
        dst[d * stride] = (float)((double)x[d] * scale);
}

static void pack(search *s, size_t at)
{
    size_t dim = (size_t)s->f->dim;

    s->at = at;
    s->have = s->train.n - at < TRAIN_ROWS ? s->train.n - at : TRAIN_ROWS;
    memset(s->panels, 0, TRAIN_ROWS * dim * sizeof *s->panels);
    for (size_t i = 0; i < s->have; i++)
        normalise(s->panels + i / PANEL_COLUMNS * dim * PANEL_COLUMNS + i % PANEL_COLUMNS, PANEL_COLUMNS,
                  s->f->x + s->train.v[at + i] * dim, dim);
}

static bool farther(neighbour a, neighbour b)
{
    return a.similarity < b.similarity || (a.similarity == b.similarity && a.row > b.row);
}

/* Put x in the place of the root, which goes. */
static void replace_farthest(neighbour *heap, size_t n, neighbour x)
{
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && farther(heap[child + 1], heap[child]))
            child++;
        if (!farther(heap[child], x))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
}

static void compare_block(void *item, int number, void *arg)
{
    const job *j = item;
    const search *s = arg;
    size_t dim = (size_t)s->f->dim, m = panel_round_up(j->n, PANEL_ROWS);
    float *q = s->queries[number], *products = s->products[number];

    memset(q, 0, m * dim * sizeof *q);
    for (size_t i = 0; i < j->n; i++)
        normalise(q + i * dim, 1, s->f->x + s->test.v[j->from + i] * dim, dim);
    for (size_t p = 0; p < s->have; p += PANEL_COLUMNS) {
        size_t columns = s->have - p < PANEL_COLUMNS ? s->have - p : PANEL_COLUMNS;
        memset(products, 0, m * PANEL_COLUMNS * sizeof *products);
        panel_multiply_add(products, q, dim, 1, m, s->panels + p * dim, dim);
        for (size_t i = 0; i < j->n; i++) {
            neighbour *heap = s->heaps + (j->from + i) * (size_t)s->most;
            const float *similarity = products + i * PANEL_COLUMNS;
            for (size_t c = 0; c < columns; c++)
                if (similarity[c] > heap->similarity) /* later rows lose to equals */
                    replace_farthest(heap, (size_t)s->most, (neighbour){similarity[c], (uint32_t)(s->at + p + c)});
        }
    }
}

static int nearest_first(const void *a, const void *b)
{
    neighbour x = *(const neighbour *)a, y = *(const neighbour *)b;

    return farther(x, y) ? 1 : farther(y, x) ? -1 : 0;
}

static int search_new(search *s, int workers, err *e)
{
    size_t dim = (size_t)s->f->dim, n = s->test.n * (size_t)s->most;

    s->panels = malloc(TRAIN_ROWS * dim * sizeof *s->panels);
    s->queries = calloc((size_t)workers, sizeof *s->queries);
    s->products = calloc((size_t)workers, sizeof *s->products);
    if (!s->panels || !s->queries || !s->products)
        return err_nomem(e);
    for (int i = 0; i < workers; i++) {
        s->queries[i] = malloc(TEST_ROWS * dim * sizeof **s->queries);
        s->products[i] = malloc(TEST_ROWS * PANEL_COLUMNS * sizeof **s->products);
        if (!s->queries[i] || !s->products[i])
            return err_nomem(e);
    }
    for (size_t i = 0; i < n; i++)
        s->heaps[i] = (neighbour){-INFINITY, UINT32_MAX};
    return 0;
}

static void search_free(search *s, int workers)
{
    for (int i = 0; i < workers; i++) {
        if (s->queries)
            free(s->queries[i]);
        if (s->products)
            free(s->products[i]);
    }
    free(s->queries);
    free(s->products);
    free(s->panels);
}

int knn_search(const features *f, rows train, rows test, int k, int threads, knn_neighbour *found, err *e)
{
    search s = {.f = f, .train = train, .test = test, .most = k, .heaps = found};
    size_t n_jobs = (test.n + TEST_ROWS - 1) / TEST_ROWS;
    int workers = (size_t)threads < n_jobs ? threads : n_jobs < 1 ? 1 : (int)n_jobs, rc = -1;
    job *jobs = calloc(n_jobs + 1, sizeof *jobs);
    pool *p = NULL;

    if (!jobs) {
        err_nomem(e);
        goto out;
    }
    if (search_new(&s, workers, e) || !(p = pool_new(workers, (int)n_jobs, compare_block, &s, e)))
        goto out;
    for (size_t at = 0; at < train.n; at += TRAIN_ROWS) {
        pack(&s, at);
        for (size_t i = 0; i < n_jobs; i++) {
            size_t from = i * TEST_ROWS;
            jobs[i] = (job){from, test.n - from < TEST_ROWS ? test.n - from : TEST_ROWS};
            pool_put(p, &jobs[i]);
        }
        while (pool_take(p, true))
            ;
    }
    for (size_t i = 0; i < test.n; i++) {
        neighbour *v = found + i * (size_t)k;
        qsort(v, (size_t)k, sizeof *v, nearest_first);
        for (int j = 0; j < k; j++)
            v[j].row = train.v[v[j].row];
    }
    rc = 0;
out:
    pool_free(p);
    search_free(&s, workers);
    free(jobs);
    return rc;
}

static int32_t vote(const features *f, const neighbour *v, int k, double temperature, double *votes)
{
    int32_t best = 0;

    memset(votes, 0, (size_t)f->classes * sizeof *votes);
    for (int i = 0; i < k; i++) /* relative to the nearest, so that no temperature overflows */
        votes[f->label[v[i].row]] +=
            fmath_exp(((double)v[i].similarity - (double)v[0].similarity) / temperature);
    for (int32_t c = 1; c < f->classes; c++)
        if (votes[c] > votes[best])
            best = c;
    return best;
}

int knn_predict(const features *f, rows train, rows test, const int *k, int n_k, double temperature, int threads,
                int32_t *predicted, err *e)
{
    int most = 0, rc = -1;

    for (int i = 0; i < n_k; i++)
        most = k[i] > most ? k[i] : most;
    neighbour *found = malloc((test.n * (size_t)most + 1) * sizeof *found);
    double *votes = calloc((size_t)f->classes, sizeof *votes);
    if (!found || !votes)
        err_nomem(e);
    else
        rc = knn_search(f, train, test, most, threads, found, e);
    for (size_t i = 0; rc == 0 && i < test.n; i++)
        for (int j = 0; j < n_k; j++)
            predicted[(size_t)j * test.n + i] = vote(f, found + i * (size_t)most, k[j], temperature, votes);
    free(found);
    free(votes);
    return rc;
}
