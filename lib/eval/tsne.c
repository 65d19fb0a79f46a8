#include "eval/tsne.h"

#include "base/fmath.h"
#include "base/pool.h"
#include "base/rng.h"
#include "eval/repulsion.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 512, EXAGGERATED = 250, SEARCH_STEPS = 60 };

#define EXAGGERATION 12.0
#define LEAST_RATE 200.0
#define LEAST_GAIN 0.01
#define LONGEST_STEP 5.0
#define FIRST_SPREAD 1e-4 /* of the first map: its deviation along the first axis */

typedef struct job {
    size_t from, to;
    double sum;
} job;

typedef enum phase { AFFINITIES, MOVE, LOSS } phase;

typedef struct map {
    const knn_neighbour *found;
    size_t n;
    int k;
    const tsne_options *o;
    phase doing;
    job *jobs;
    size_t n_jobs;
    pool *p;

    float *conditional; /* [n][k]: p of j given i */
    size_t *row;        /* [n + 1]: where a point's entries begin in the two below */
    uint32_t *column;
    float *affinity;    /* symmetric, sums to 1 */

    const double *y;
    double *next, *force, *velocity, *gain; /* [n][2] */
    double exaggeration, momentum, rate, total;
} map;

int tsne_neighbours(double perplexity, size_t n)
{
    double k = floor(3 * perplexity);

    return k < 1 ? 1 : k > (double)(n - 1) ? (int)(n - 1) : (int)k;
}

/* ---- Affinities -------------------------------------------------------------------------- */

/* By bisection, the precision at which the neighbours of a point have the entropy log(perplexity). */
static void affinities_of(map *t, size_t i)
{
    const knn_neighbour *v = t->found + i * (size_t)t->k;
    float *p = t->conditional + i * (size_t)t->k;
    double wanted = fmath_log(fmin(t->o->perplexity, t->k)), low = 0, high = INFINITY, beta = 1, sum = 0;

    for (int step = 0; step < SEARCH_STEPS; step++) {
        double mean = 0;
        sum = 0;
        for (int j = 0; j < t->k; j++) {
            double d = 2 * ((double)v[0].similarity - (double)v[j].similarity), w = fmath_exp(-beta * d); /* relative to the nearest */
            p[j] = (float)w;
            sum += w;
            mean += w * d;
        }
        double entropy = fmath_log(sum) + beta * mean / sum;
        if (fabs(entropy - wanted) < 1e-5)
            break;
        if (entropy > wanted)
            low = beta;
        else
            high = beta;
        beta = isinf(high) ? 2 * beta : (low + high) / 2;
    }
    for (int j = 0; j < t->k; j++)
        p[j] = (float)((double)p[j] / sum);
}

/* (p_ij + p_ji) / 2n as a sparse matrix: each point's own neighbours first, then those of which it is a neighbour. */
static int symmetrise(map *t, err *e)
{
    size_t n = t->n, k = (size_t)t->k;
    size_t *fill = calloc(n, sizeof *fill);

    t->row = calloc(n + 1, sizeof *t->row);
    if (!fill || !t->row) {
        free(fill);
        return err_nomem(e);
    }
    for (size_t i = 0; i < n * k; i++)
        t->row[t->found[i].row + 1]++;
    for (size_t i = 0; i < n; i++) {
        t->row[i + 1] += t->row[i] + k;
        fill[i] = t->row[i];
    }
    t->column = malloc(t->row[n] * sizeof *t->column);
    t->affinity = malloc(t->row[n] * sizeof *t->affinity);
    if (!t->column || !t->affinity) {
        free(fill);
        return err_nomem(e);
    }
    /* A pair that is mutual has two entries, which add up. */
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++) {
            size_t other = t->found[i * k + j].row;
            float p = (float)((double)t->conditional[i * k + j] / (2 * (double)n));
            t->column[fill[i]] = (uint32_t)other;
            t->affinity[fill[i]++] = p;
            t->column[fill[other]] = (uint32_t)i;
            t->affinity[fill[other]++] = p;
        }
    free(fill);
    return 0;
}

/* ---- Descent ----------------------------------------------------------------------------- */

static void move(map *t, size_t i)
{
    double pull[2] = {0, 0}, x = t->y[2 * i], y = t->y[2 * i + 1], step[2];

    for (size_t at = t->row[i]; at < t->row[i + 1]; at++) {
        const double *o = t->y + 2 * (size_t)t->column[at];
        double dx = x - o[0], dy = y - o[1], w = (double)t->affinity[at] / (1 + dx * dx + dy * dy);
        pull[0] += w * dx;
        pull[1] += w * dy;
    }
    for (int a = 0; a < 2; a++) {
        size_t at = 2 * i + (size_t)a;
        double gradient = t->exaggeration * pull[a] - t->force[at] / t->total;
        bool turns = (gradient > 0) == (t->velocity[at] > 0);
        t->gain[at] = fmax(turns ? 0.8 * t->gain[at] : t->gain[at] + 0.2, LEAST_GAIN);
        step[a] = t->momentum * t->velocity[at] - t->rate * t->gain[at] * gradient;
    }
    double length = sqrt(step[0] * step[0] + step[1] * step[1]), scale = length > LONGEST_STEP ? LONGEST_STEP / length : 1;
    for (int a = 0; a < 2; a++) {
        t->velocity[2 * i + (size_t)a] = step[a] * scale;
        t->next[2 * i + (size_t)a] = t->y[2 * i + (size_t)a] + step[a] * scale;
    }
}

/* sum of p log(p / q), q = 1 / (1 + d^2) / total; the two entries of a mutual pair are one p. */
static double loss_of(const map *t, size_t i)
{
    double sum = 0;

    for (size_t at = t->row[i]; at < t->row[i + 1]; at++) {
        const double *a = t->y + 2 * i, *b = t->y + 2 * (size_t)t->column[at];
        double p = (double)t->affinity[at], d = (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]);
        for (size_t other = t->row[i]; other < t->row[i + 1]; other++)
            if (other != at && t->column[other] == t->column[at])
                p += (double)t->affinity[other];
        if (t->affinity[at] > 0)
            sum += (double)t->affinity[at] * (fmath_log(p) + fmath_log((1 + d) * t->total));
    }
    return sum;
}

static void work(void *item, int worker, void *arg)
{
    map *t = arg;
    job *j = item;
    (void)worker;

    j->sum = 0;
    for (size_t i = j->from; i < j->to; i++)
        switch (t->doing) {
        case AFFINITIES: affinities_of(t, i); break;
        case MOVE: move(t, i); break;
        case LOSS: j->sum += loss_of(t, i); break;
        }
}

static double each(map *t, phase what)
{
    double sum = 0;

    t->doing = what;
    for (size_t i = 0; i < t->n_jobs; i++)
        pool_put(t->p, &t->jobs[i]);
    for (job *j; (j = pool_take(t->p, true));)
        sum += j->sum;
    return sum;
}

static void centre(double *y, size_t n)
{
    double mean[2] = {0, 0};

    for (size_t i = 0; i < 2 * n; i++)
        mean[i % 2] += y[i];
    for (size_t i = 0; i < 2 * n; i++)
        y[i] -= mean[i % 2] / (double)n;
}

/* The first map: small, and no two points in one place. */
static void shrink(map *t, double *y)
{
    double square = 0;
    rng r = rng_at(rng_mix_str(t->o->seed, "t-sne"));

    centre(y, t->n);
    for (size_t i = 0; i < t->n; i++)
        square += y[2 * i] * y[2 * i];
    double scale = square > 0 ? FIRST_SPREAD / sqrt(square / (double)t->n) : 0;
    for (size_t i = 0; i < 2 * t->n; i++)
        y[i] = y[i] * scale + 0.01 * FIRST_SPREAD * (rng_uniform(&r) - 0.5);
}

static int allocate(map *t, err *e)
{
    size_t n = t->n;

    t->n_jobs = (n + CHUNK - 1) / CHUNK;
    t->jobs = calloc(t->n_jobs, sizeof *t->jobs);
    t->conditional = malloc(n * (size_t)t->k * sizeof *t->conditional);
    t->next = malloc(2 * n * sizeof *t->next);
    t->force = malloc(2 * n * sizeof *t->force);
    t->velocity = calloc(2 * n, sizeof *t->velocity);
    t->gain = malloc(2 * n * sizeof *t->gain);
    if (!t->jobs || !t->conditional || !t->next || !t->force || !t->velocity || !t->gain)
        return err_nomem(e);
    for (size_t i = 0; i < t->n_jobs; i++)
        t->jobs[i] = (job){i * CHUNK, (i + 1) * CHUNK < n ? (i + 1) * CHUNK : n, 0};
    for (size_t i = 0; i < 2 * n; i++)
        t->gain[i] = 1;
    t->p = pool_new(t->o->threads, (int)t->n_jobs, work, t, e);
    return t->p ? 0 : -1;
}

static void release(map *t)
{
    pool_free(t->p);
    free(t->jobs);
    free(t->conditional);
    free(t->row);
    free(t->column);
    free(t->affinity);
    free(t->next);
    free(t->force);
    free(t->velocity);
    free(t->gain);
}

int tsne_run(const knn_neighbour *found, size_t n, int k, const tsne_options *o, double *y, double *loss, err *e)
{
    map t = {.found = found, .n = n, .k = k, .o = o};
    int first = o->iterations / 4 < EXAGGERATED ? o->iterations / 4 : EXAGGERATED, rc = -1;
    repulsion *r = repulsion_new(n, o->threads, e);

    if (!r || allocate(&t, e))
        goto out;
    each(&t, AFFINITIES);
    if (symmetrise(&t, e))
        goto out;
    shrink(&t, y);
    t.y = y;
    t.rate = fmax((double)n / EXAGGERATION, LEAST_RATE);
    for (int i = 0; i <= o->iterations; i++) {
        t.total = repulsion_run(r, y, t.force, e);
        if (t.total < 0)
            goto out;
        t.total = fmax(t.total, 1e-12);
        if (i == o->iterations)
            break;
        t.exaggeration = i < first ? EXAGGERATION : 1;
        t.momentum = i < first ? 0.5 : 0.8;
        each(&t, MOVE);
        memcpy(y, t.next, 2 * n * sizeof *y);
        centre(y, n);
        if (o->each)
            o->each(o->arg, i + 1);
    }
    if (loss)
        *loss = each(&t, LOSS);
    rc = 0;
out:
    repulsion_free(r);
    release(&t);
    return rc;
}
