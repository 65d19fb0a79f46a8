#include "eval/sinkhorn.h"

#include "base/pool.h"
#include "base/fmath.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 256 }; /* a job's */

typedef struct job {
    size_t from, n;
    double *column; /* [K]: this job's part of the columns' sums */
    double cost;
} job;

typedef struct sinkhorn {
    const float *logits;
    size_t row, n, K;
    double lambda;
    double *g;        /* [K]: log of b */
    double **scratch; /* a worker's [K] */
    bool last;
    int32_t *assignment;
    size_t step;
} sinkhorn;

/* The row's plan, summing to 1, into q; returns the place of its largest entry. */
static size_t plan_row(const sinkhorn *s, const float *x, double *q)
{
    double sum = 0;
    size_t top = 0;

    for (size_t k = 0; k < s->K; k++) {
        q[k] = s->lambda * (double)x[k] + s->g[k];
        if (q[k] > q[top])
            top = k;
    }
    for (size_t k = 0, most = top; k < s->K; k++)
        if (k != most)
            sum += q[k] = fmath_exp(q[k] - q[most]);
    q[top] = 1;
    for (size_t k = 0; k < s->K; k++)
        q[k] /= sum + 1;
    return top;
}

/* -log softmax(x)[k] */
static double cost(const float *x, size_t K, size_t k)
{
    double top = x[0], sum = 0;

    for (size_t j = 1; j < K; j++)
        top = x[j] > top ? x[j] : top;
    for (size_t j = 0; j < K; j++)
        sum += fmath_exp(x[j] - top);
    return top - x[k] + fmath_log(sum);
}

static void work(void *item, int worker, void *arg)
{
    sinkhorn *s = arg;
    job *j = item;
    double *q = s->scratch[worker];

    memset(j->column, 0, s->K * sizeof *j->column);
    j->cost = 0;
    for (size_t i = j->from; i < j->from + j->n; i++) {
        const float *x = s->logits + i * s->row;
        size_t top = plan_row(s, x, q);
        for (size_t k = 0; k < s->K; k++)
            j->column[k] += q[k];
        if (s->last) {
            s->assignment[i * s->step] = (int32_t)top;
            j->cost += cost(x, s->K, top);
        }
    }
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
    sinkhorn s = {.logits = logits, .row = row, .n = n, .K = (size_t)o->clusters, .lambda = o->lambda, .assignment = assignment,
                  .step = step};
    size_t n_jobs = (n + ROWS - 1) / ROWS;
    job *jobs = calloc(n_jobs, sizeof *jobs);
    double *columns = malloc(n_jobs * s.K * sizeof *columns);
    pool *p = NULL;
    int rc = -1;

    *r = (sinkhorn_result){0};
    s.g = calloc(s.K, sizeof *s.g);
    s.scratch = calloc((size_t)o->threads, sizeof *s.scratch);
    if (!jobs || !columns || !s.g || !s.scratch) {
        err_nomem(e);
        goto out;
    }
    for (int i = 0; i < o->threads; i++)
        if (!(s.scratch[i] = malloc(s.K * sizeof **s.scratch))) {
            err_nomem(e);
            goto out;
        }
    for (size_t i = 0; i < n_jobs; i++)
        jobs[i] = (job){i * ROWS, n - i * ROWS < ROWS ? n - i * ROWS : ROWS, columns + i * s.K, 0};
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
    for (int i = 0; s.scratch && i < o->threads; i++)
        free(s.scratch[i]);
    free(s.scratch);
    free(s.g);
    free(columns);
    free(jobs);
    return rc;
}
