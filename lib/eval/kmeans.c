#include "eval/kmeans.h"

#include "base/pool.h"
#include "base/rng.h"
#include "base/panel.h"
#include "eval/yinyang.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NUDGE (1.0f / 64) /* how far the halves of a split cluster move apart, as part of the distance to its farthest row */

/* The start of k-means++. */
typedef struct seeding {
    float *x; /* [m][dim]: the candidates */
    float *d; /* [m]: squared distance to the nearest chosen one */
    size_t m;
    const float *last; /* the one chosen last */
} seeding;

typedef struct kmeans {
    const float *x;
    size_t n, dim, K;
    const kmeans_options *o;
    float *centroids;  /* [K][dim]: the caller's */
    int32_t *assignment;
    float *before;     /* [K][dim]: the centroids that the bounds are of */
    yinyang y;
    seeding start;
    float *value;      /* [n]: x c - |c|^2 / 2 of the nearest */
    float *square;     /* [n]: |x|^2 */
    size_t *begin;     /* [K + 1]: the rows of each cluster in `order` */
    size_t *size;      /* [K]: how many it has, or will have after a split */
    uint32_t *order;   /* [n] */
    int32_t *previous; /* [n] */
    double **sums;     /* a worker's [dim] */
    pool *p;
    void (*fn)(struct kmeans *k, size_t job, int worker);
    size_t *job;       /* numbers to point at */
} kmeans;

static void work(void *item, int worker, void *arg)
{
    kmeans *k = arg;

    k->fn(k, *(const size_t *)item, worker);
}

static void each(kmeans *k, size_t jobs, void (*fn)(kmeans *k, size_t job, int worker))
{
    k->fn = fn;
    for (size_t i = 0; i < jobs; i++)
        pool_put(k->p, &k->job[i]);
    while (pool_take(k->p, true))
        ;
}

static size_t row_jobs(const kmeans *k)
{
    return (k->n + YINYANG_ROWS - 1) / YINYANG_ROWS;
}

/* ---- The start --------------------------------------------------------------------- */

/* `m` different rows in random order. */
static uint32_t *draw_rows(const kmeans *k, size_t m, rng *r, err *e)
{
    uint32_t *v = malloc(k->n * sizeof *v);

    if (!v) {
        err_nomem(e);
        return NULL;
    }
    for (size_t i = 0; i < k->n; i++)
        v[i] = (uint32_t)i;
    for (size_t i = 0; i < m; i++) {
        size_t j = i + (size_t)rng_below(r, k->n - i);
        uint32_t t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
    return v;
}

static void approach(kmeans *k, size_t job, int worker)
{
    seeding *s = &k->start;
    size_t end = (job + 1) * YINYANG_ROWS < s->m ? (job + 1) * YINYANG_ROWS : s->m;

    (void)worker;
    for (size_t i = job * YINYANG_ROWS; i < end; i++) {
        float d = s->d[i] > 0 ? panel_distance(s->x + i * k->dim, s->last, k->dim) : 0;
        s->d[i] = d < s->d[i] ? d : s->d[i];
    }
}

/* The next one, with a probability in proportion to d; any that is left when all distances are 0. */
static size_t choose(const seeding *s, rng *r)
{
    double total = 0, at;
    size_t last = 0;

    for (size_t i = 0; i < s->m; i++)
        total += s->d[i];
    if (!(total > 0))
        return (size_t)rng_below(r, s->m);
    at = rng_uniform(r) * total;
    for (size_t i = 0; i < s->m; i++) {
        if (s->d[i] > 0) {
            last = i;
            at -= s->d[i];
            if (at < 0)
                break;
        }
    }
    return last;
}

static int start_plusplus(kmeans *k, rng *r, err *e)
{
    seeding *s = &k->start;
    s->m = k->n / KMEANS_CANDIDATES < k->K ? k->n : KMEANS_CANDIDATES * k->K;
    uint32_t *v = draw_rows(k, s->m, r, e);
    int rc = -1;

    if (!v)
        return -1;
    s->x = malloc(s->m * k->dim * sizeof *s->x);
    s->d = malloc(s->m * sizeof *s->d);
    if (!s->x || !s->d) {
        err_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < s->m; i++) {
        memcpy(s->x + i * k->dim, k->x + v[i] * k->dim, k->dim * sizeof *s->x);
        s->d[i] = INFINITY;
    }
    for (size_t c = 0; c < k->K; c++) {
        size_t at = c == 0 ? 0 : choose(s, r);
        float *to = k->centroids + c * k->dim;
        s->last = memcpy(to, s->x + at * k->dim, k->dim * sizeof *to);
        each(k, (s->m + YINYANG_ROWS - 1) / YINYANG_ROWS, approach);
    }
    rc = 0;
out:
    free(s->x);
    free(s->d);
    free(v);
    return rc;
}

static int start_random(kmeans *k, rng *r, err *e)
{
    uint32_t *v = draw_rows(k, k->K, r, e);

    if (!v)
        return -1;
    for (size_t c = 0; c < k->K; c++)
        memcpy(k->centroids + c * k->dim, k->x + v[c] * k->dim, k->dim * sizeof *k->centroids);
    free(v);
    return 0;
}

/* ---- Assignment -------------------------------------------------------------------- */

static void pack_panel(kmeans *k, size_t q, int worker)
{
    (void)worker;
    yinyang_pack(&k->y, q, k->centroids);
}

static void square_rows(kmeans *k, size_t job, int worker)
{
    size_t end = (job + 1) * YINYANG_ROWS < k->n ? (job + 1) * YINYANG_ROWS : k->n;

    (void)worker;
    for (size_t i = job * YINYANG_ROWS; i < end; i++) {
        double sum = 0;
        for (size_t d = 0; d < k->dim; d++)
            sum += (double)k->x[i * k->dim + d] * k->x[i * k->dim + d];
        k->square[i] = (float)sum;
    }
}

static void assign_rows(kmeans *k, size_t job, int worker)
{
    size_t from = job * YINYANG_ROWS, n = k->n - from < YINYANG_ROWS ? k->n - from : YINYANG_ROWS;

    yinyang_assign(&k->y, k->x, from, n, k->assignment, k->value, worker);
}

/* The rows by cluster, in order within each. */
static void sort_rows(kmeans *k)
{
    memset(k->begin, 0, (k->K + 1) * sizeof *k->begin);
    for (size_t i = 0; i < k->n; i++)
        k->begin[k->assignment[i] + 1]++;
    for (size_t c = 0; c < k->K; c++)
        k->begin[c + 1] += k->begin[c];
    for (size_t i = 0; i < k->n; i++)
        k->order[k->begin[k->assignment[i]]++] = (uint32_t)i;
    for (size_t c = k->K; c > 0; c--)
        k->begin[c] = k->begin[c - 1];
    k->begin[0] = 0;
}

static double assign(kmeans *k)
{
    double sum = 0;

    each(k, k->y.panels, pack_panel);
    each(k, row_jobs(k), assign_rows);
    sort_rows(k);
    for (size_t i = 0; i < k->n; i++) {
        double d = (double)k->square[i] - 2 * (double)k->value[i];
        sum += d > 0 ? d : 0;
    }
    return sum / (double)k->n;
}

/* ---- Means -------------------------------------------------------------------------- */

static void mean_of_cluster(kmeans *k, size_t c, int worker)
{
    size_t count = k->begin[c + 1] - k->begin[c];
    double *sum = k->sums[worker];

    if (count == 0)
        return;
    memset(sum, 0, k->dim * sizeof *sum);
    for (size_t i = k->begin[c]; i < k->begin[c + 1]; i++) {
        const float *x = k->x + k->order[i] * k->dim;
        for (size_t d = 0; d < k->dim; d++)
            sum[d] += x[d];
    }
    for (size_t d = 0; d < k->dim; d++)
        k->centroids[c * k->dim + d] = (float)(sum[d] / (double)count);
}

/* Halve cluster `large` for the benefit of `empty`. False when all its rows are the same. */
static bool split(kmeans *k, size_t large, size_t empty)
{
    float *a = k->centroids + large * k->dim, *b = k->centroids + empty * k->dim, most = 0;
    const float *far = NULL;

    for (size_t i = k->begin[large]; i < k->begin[large + 1]; i++) {
        const float *x = k->x + k->order[i] * k->dim;
        float d = panel_distance(x, a, k->dim);
        if (d > most) {
            most = d;
            far = x;
        }
    }
    if (!far)
        return false;
    for (size_t d = 0; d < k->dim; d++) {
        float step = NUDGE * (far[d] - a[d]);
        b[d] = a[d] + step;
        a[d] -= step;
    }
    return true;
}

/* Each empty cluster takes half of the largest. */
static int fill_empty(kmeans *k)
{
    int splits = 0;

    for (size_t c = 0; c < k->K; c++)
        k->size[c] = k->begin[c + 1] - k->begin[c];
    for (size_t c = 0; c < k->K; c++) {
        size_t large = 0;
        if (k->size[c] > 0)
            continue;
        for (size_t j = 1; j < k->K; j++)
            if (k->size[j] > k->size[large])
                large = j;
        if (k->begin[large + 1] - k->begin[large] < 2 || !split(k, large, c))
            continue;
        k->size[c] = k->size[large] / 2;
        k->size[large] -= k->size[c];
        splits++;
    }
    return splits;
}

/* ---- The whole ------------------------------------------------------------------------ */

static int allocate(kmeans *k, err *e)
{
    size_t jobs = row_jobs(k) > k->K ? row_jobs(k) : k->K;

    k->before = malloc(k->K * k->dim * sizeof *k->before);
    k->value = malloc(k->n * sizeof *k->value);
    k->square = malloc(k->n * sizeof *k->square);
    k->begin = malloc((k->K + 1) * sizeof *k->begin);
    k->size = malloc(k->K * sizeof *k->size);
    k->order = malloc(k->n * sizeof *k->order);
    k->previous = malloc(k->n * sizeof *k->previous);
    k->job = malloc(jobs * sizeof *k->job);
    k->sums = calloc((size_t)k->o->threads, sizeof *k->sums);
    if (!k->before || !k->value || !k->square || !k->begin || !k->size || !k->order || !k->previous || !k->job || !k->sums)
        return err_nomem(e);
    if (yinyang_new(&k->y, k->n, k->dim, k->K, k->square, k->o->threads, e))
        return -1;
    for (size_t i = 0; i < jobs; i++)
        k->job[i] = i;
    for (int i = 0; i < k->o->threads; i++) {
        k->sums[i] = malloc(k->dim * sizeof **k->sums);
        if (!k->sums[i])
            return err_nomem(e);
    }
    k->p = pool_new(k->o->threads, (int)jobs, work, k, e);
    return k->p ? 0 : -1;
}

static void release(kmeans *k)
{
    pool_free(k->p);
    for (int i = 0; k->sums && i < k->o->threads; i++)
        free(k->sums[i]);
    free(k->sums);
    yinyang_free(&k->y);
    free(k->before);
    free(k->value);
    free(k->square);
    free(k->begin);
    free(k->size);
    free(k->order);
    free(k->previous);
    free(k->job);
}

static int iterate(kmeans *k, kmeans_result *r, err *e)
{
    memset(k->assignment, 0, k->n * sizeof *k->assignment);
    yinyang_move(&k->y, NULL, k->centroids);
    r->objective = assign(k);
    for (int t = 0; t < k->o->iterations; t++) {
        memcpy(k->previous, k->assignment, k->n * sizeof *k->previous);
        memcpy(k->before, k->centroids, k->K * k->dim * sizeof *k->before);
        each(k, k->K, mean_of_cluster);
        int splits = fill_empty(k);
        /* After the first means the centroids lie where they will lie, roughly. */
        if (t == 0 && yinyang_regroup(&k->y, k->centroids, e))
            return -1;
        yinyang_move(&k->y, k->before, k->centroids);
        r->objective = assign(k);
        r->iterations++;
        r->splits += splits;
        if (k->o->each)
            k->o->each(k->o->arg, r->iterations, r->objective);
        if (splits == 0 && memcmp(k->previous, k->assignment, k->n * sizeof *k->previous) == 0)
            break;
    }
    return 0;
}

int kmeans_run(const float *x, size_t n, size_t dim, const kmeans_options *o, float *centroids, int32_t *assignment,
               kmeans_result *r, err *e)
{
    kmeans k = {.x = x, .n = n, .dim = dim, .K = (size_t)o->clusters, .o = o, .centroids = centroids, .assignment = assignment};
    rng random = rng_at(rng_mix_str(rng_mix(0, o->seed), "kmeans"));
    int rc = allocate(&k, e);

    *r = (kmeans_result){0};
    if (rc == 0)
        rc = o->start == KMEANS_RANDOM ? start_random(&k, &random, e) : start_plusplus(&k, &random, e);
    if (rc == 0) {
        each(&k, row_jobs(&k), square_rows);
        rc = iterate(&k, r, e);
    }
    release(&k);
    return rc;
}
