#include "eval/sinkhorn.h"

#include "base/pool.h"
#include "base/fmath.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 256 }; /* a job's */

typedef double v8 __attribute__((vector_size(64), may_alias));
typedef int64_t w8 __attribute__((vector_size(64)));
typedef float f8 __attribute__((vector_size(32), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

typedef struct job {
    size_t from, n;
    double *column; /* [wide]: this job's part of the columns' sums */
    double cost;
} job;

typedef struct sinkhorn {
    const float *logits;
    size_t row, n, K;
    size_t wide; /* K, rounded up to whole vectors */
    double lambda;
    double *g;       /* [wide]: log of b */
    double *zero;    /* [wide] */
    double *scratch; /* a worker's [wide] */
    bool last;
    int32_t *assignment;
    size_t step;
} sinkhorn;

/* q [K] becomes exp(q - max q), its further places up to `wide` 0; returns the sum, and the place of the largest. */
INLINE double softmax(const sinkhorn *s, double *q, size_t *top)
{
    for (size_t k = s->K; k < s->wide; k++)
        q[k] = -DBL_MAX;

    v8 *v = (v8 *)q, most = v[0], sum = {0};
    double largest;
    size_t at = 0;
    for (size_t j = 1; j < s->wide / 8; j++) {
        w8 more = (w8)(v[j] > most);
        most = (v8)(((w8)v[j] & more) | ((w8)most & ~more));
    }
    largest = most[0];
    for (int i = 1; i < 8; i++)
        largest = most[i] > largest ? most[i] : largest;
    while (at + 1 < s->K && q[at] != largest)
        at++;
    *top = at;
    for (size_t j = 0; j < s->wide / 8; j++)
        v[j] -= largest;
    fmath_exps(q, s->wide);
    for (size_t j = 0; j < s->wide / 8; j++)
        sum += v[j];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* q = scale x + g */
INLINE void raise(const sinkhorn *s, double *q, const float *x, double scale, const double *g)
{
    size_t k = 0;

    for (; k + 8 <= s->K; k += 8)
        *(v8 *)(q + k) = scale * __builtin_convertvector(*(const f8 *)(x + k), v8) + *(const v8 *)(g + k);
    for (; k < s->K; k++)
        q[k] = scale * (double)x[k] + g[k];
}

/* A job's; q is scratch. */
INLINE void rows(const sinkhorn *s, job *j, double *q)
{
    v8 *column = (v8 *)j->column;

    memset(j->column, 0, s->wide * sizeof *j->column);
    j->cost = 0;
    for (size_t i = j->from; i < j->from + j->n; i++) {
        const float *x = s->logits + i * s->row;
        size_t top, favourite;
        raise(s, q, x, s->lambda, s->g);
        double sum = softmax(s, q, &top);
        for (size_t k = 0; k < s->wide / 8; k++)
            column[k] += ((v8 *)q)[k] / sum;
        if (s->last) {
            s->assignment[i * s->step] = (int32_t)top;
            /* -log softmax(x)[top] */
            raise(s, q, x, 1, s->zero);
            sum = softmax(s, q, &favourite);
            j->cost += (double)x[favourite] - (double)x[top] + fmath_log(sum);
        }
    }
}

#ifdef __x86_64__
__attribute__((target("avx512f"))) static void rows_avx512(const sinkhorn *s, job *j, double *q)
{
    rows(s, j, q);
}

__attribute__((target("avx2"))) static void rows_avx2(const sinkhorn *s, job *j, double *q)
{
    rows(s, j, q);
}
#endif

static void work(void *item, int worker, void *arg)
{
    const sinkhorn *s = arg;
    double *q = s->scratch + (size_t)worker * s->wide;

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return rows_avx512(s, item, q);
    if (__builtin_cpu_supports("avx2"))
        return rows_avx2(s, item, q);
#endif
    rows(s, item, q);
}

static void each(pool *p, job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pool_put(p, &jobs[i]);
    while (pool_take(p, true))
        ;
}

/* Columns to 1 / K by the potentials; returns how far they were. */
static double balance(sinkhorn *s, const job *jobs, size_t n_jobs)
{
    double deviation = 0, most = -DBL_MAX;

    for (size_t k = 0; k < s->K; k++) {
        double sum = 0;
        for (size_t i = 0; i < n_jobs; i++)
            sum += jobs[i].column[k];
        sum *= (double)s->K / (double)s->n;
        deviation += fabs(sum - 1);
        /* A column that vanishes in this row scaling is raised step by step. */
        s->g[k] -= fmath_log(sum > DBL_MIN ? sum : DBL_MIN);
        most = s->g[k] > most ? s->g[k] : most;
    }
    for (size_t k = 0; k < s->K; k++) /* a constant is free; this one keeps them small */
        s->g[k] -= most;
    return deviation;
}

int sinkhorn_run(const float *logits, size_t row, size_t n, const sinkhorn_options *o, int32_t *assignment, size_t step,
                 sinkhorn_result *r, err *e)
{
    sinkhorn s = {.logits = logits, .row = row, .n = n, .K = (size_t)o->clusters, .wide = ((size_t)o->clusters + 7) / 8 * 8,
                  .lambda = o->lambda, .assignment = assignment, .step = step};
    size_t n_jobs = (n + ROWS - 1) / ROWS;
    job *jobs = calloc(n_jobs, sizeof *jobs);
    double *columns = aligned_alloc(64, n_jobs * s.wide * sizeof *columns);
    pool *p = NULL;
    int rc = -1;

    *r = (sinkhorn_result){0};
    s.g = aligned_alloc(64, (2 + (size_t)o->threads) * s.wide * sizeof *s.g);
    if (!jobs || !columns || !s.g) {
        err_nomem(e);
        goto out;
    }
    memset(s.g, 0, 2 * s.wide * sizeof *s.g);
    s.zero = s.g + s.wide;
    s.scratch = s.zero + s.wide;
    for (size_t i = 0; i < n_jobs; i++)
        jobs[i] = (job){i * ROWS, n - i * ROWS < ROWS ? n - i * ROWS : ROWS, columns + i * s.wide, 0};
    if (!(p = pool_new(o->threads, (int)n_jobs, work, &s, e)))
        goto out;
    for (;;) {
        each(p, jobs, n_jobs);
        if (s.last)
            break;
        r->deviation = balance(&s, jobs, n_jobs);
        s.last = ++r->iterations == o->iterations || r->deviation <= o->tolerance;
    }
    for (size_t i = 0; i < n_jobs; i++)
        r->objective += jobs[i].cost / (double)n;
    rc = 0;
out:
    pool_free(p);
    free(s.g);
    free(columns);
    free(jobs);
    return rc;
}
