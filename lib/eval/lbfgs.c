#include "eval/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 10, MAX_TRIALS = 20 };

#define ARMIJO 1e-4
#define CURVATURE 0.9
#define ROUNDING 1e-8 /* of |f|: a change this small may be float32 noise in the sums */

typedef struct state {
    lbfgs_function *function;
    void *arg;
    size_t n;
    double *x, *g, *next_x, *next_g, *direction;
    double *s[PAIRS], *y[PAIRS], rho[PAIRS]; /* rings of the last steps and changes of gradient */
    int pairs, newest;                       /* pairs held; slot of the newest */
    lbfgs_result *r;
} state;

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(double *a, double scale, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] += scale * b[i];
}

/* direction = -H g, the two-loop recursion. */
static void find_direction(state *t)
{
    double alpha[PAIRS], *d = t->direction;

    for (size_t i = 0; i < t->n; i++)
        d[i] = -t->g[i];
    for (int j = 0; j < t->pairs; j++) {
        int i = (t->newest - j + PAIRS) % PAIRS;
        alpha[i] = t->rho[i] * dot(t->s[i], d, t->n);
        add_scaled(d, -alpha[i], t->y[i], t->n);
    }
    if (t->pairs > 0) {
        double scale = 1 / (t->rho[t->newest] * dot(t->y[t->newest], t->y[t->newest], t->n));
        for (size_t i = 0; i < t->n; i++)
            d[i] *= scale;
    }
    for (int j = t->pairs - 1; j >= 0; j--) {
        int i = (t->newest - j + PAIRS) % PAIRS;
        double beta = t->rho[i] * dot(t->y[i], d, t->n);
        add_scaled(d, alpha[i] - beta, t->s[i], t->n);
    }
}

/* Find a step along direction; next_x, next_g and *f are what it leads to. 1, 0 when no step improves, -1. */
static int line_search(state *t, double slope, double *f, err *e)
{
    double low = 0, high = INFINITY, step = 1, f0 = t->r->f;

    if (t->pairs == 0) {
        double length = sqrt(dot(t->direction, t->direction, t->n));
        step = length > 1 ? 1 / length : 1;
    }
    for (int trial = 0; trial < MAX_TRIALS; trial++) {
        memcpy(t->next_x, t->x, t->n * sizeof *t->x);
        add_scaled(t->next_x, step, t->direction, t->n);
        t->r->evaluations++;
        if (t->function(t->next_x, f, t->next_g, t->arg, e))
            return -1;
        if (!(*f <= f0 + ARMIJO * step * slope + ROUNDING * fabs(f0))) /* too far, or not a number */
            high = step;
        else if (dot(t->next_g, t->direction, t->n) < CURVATURE * slope)
            low = step;
        else
            return 1;
        step = isinf(high) ? 2 * low : (low + high) / 2;
    }
    return 0;
}

static void remember(state *t)
{
    int i = (t->newest + 1) % PAIRS;

    for (size_t j = 0; j < t->n; j++) {
        t->s[i][j] = t->next_x[j] - t->x[j];
        t->y[i][j] = t->next_g[j] - t->g[j];
    }
    double sy = dot(t->s[i], t->y[i], t->n);
    if (!(sy > 0)) { /* rounding: the pair says nothing about the curvature (and has overwritten the oldest) */
        t->pairs -= t->pairs == PAIRS;
        return;
    }
    t->rho[i] = 1 / sy;
    t->newest = i;
    t->pairs += t->pairs < PAIRS;
}

static int iterate(state *t, double tolerance, int max_iterations, err *e)
{
    lbfgs_result *r = t->r;

    r->evaluations = 1;
    if (t->function(t->x, &r->f, t->g, t->arg, e))
        return -1;
    for (;;) {
        find_direction(t);
        double slope = dot(t->g, t->direction, t->n), f;
        if (!(slope < 0) && t->pairs > 0) { /* rounding has spoilt the corrections: start afresh */
            t->pairs = 0;
            continue;
        }
        r->gain = -slope / 2; /* half of Newton's decrement */
        r->converged = r->gain <= fmax(tolerance, ROUNDING * fabs(r->f));
        if (r->converged || r->iterations == max_iterations)
            return 0;
        int found = line_search(t, slope, &f, e);
        if (found < 0)
            return -1;
        if (found == 0) {
            if (t->pairs > 0) {
                t->pairs = 0;
                continue;
            }
            r->converged = true;
            return 0;
        }
        remember(t);
        double *p = t->x;
        t->x = t->next_x, t->next_x = p;
        p = t->g, t->g = t->next_g, t->next_g = p;
        r->f = f;
        r->iterations++;
    }
}

int lbfgs_minimise(lbfgs_function *function, void *arg, size_t n, double *x, double tolerance, int max_iterations,
                   lbfgs_result *result, err *e)
{
    state t = {.function = function, .arg = arg, .n = n, .newest = PAIRS - 1, .r = result};
    double *memory = calloc(n, (5 + 2 * PAIRS) * sizeof *memory), *p = memory;

    *result = (lbfgs_result){0};
    if (!memory)
        return err_nomem(e);
    t.x = p, t.g = p += n, t.next_x = p += n, t.next_g = p += n, t.direction = p += n;
    for (int i = 0; i < PAIRS; i++)
        t.s[i] = p += n, t.y[i] = p += n;
    memcpy(t.x, x, n * sizeof *x);
    int rc = iterate(&t, tolerance, max_iterations, e);
    memcpy(x, t.x, n * sizeof *x);
    free(memory);
    return rc;
}
