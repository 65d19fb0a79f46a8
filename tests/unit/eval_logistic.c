/* L-BFGS and logistic regression: gradients by finite differences, known optima, the same bits for any number of threads. */
#include "base/rng.h"
#include "base/fmath.h"
#include "eval/logistic.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2500, DIM = 37, CLASSES = 19 }; /* three jobs, two panels, depth not a multiple of the tile */

typedef struct fixture {
    features f;
    rows all;
    float *x;
    int32_t *label;
    uint32_t *v;
} fixture;

/* Gaussian classes around random centres, on features of very different scales. */
static fixture make(size_t n, int dim, int classes, double spread)
{
    fixture t = {.x = malloc(n * (size_t)dim * sizeof(float)), .label = malloc(n * sizeof(int32_t)),
                 .v = malloc(n * sizeof(uint32_t))};
    rng r = rng_at(7);
    double *centre = malloc((size_t)classes * (size_t)dim * sizeof(double));

    for (int i = 0; i < classes * dim; i++)
        centre[i] = rng_normal(&r);
    for (size_t i = 0; i < n; i++) {
        t.v[i] = (uint32_t)i;
        t.label[i] = (int32_t)(i % (size_t)classes);
        for (int d = 0; d < dim; d++) {
            double unit = d % 3 == 0 ? 1000 : d % 3 == 1 ? 1 : 1e-3, z = centre[t.label[i] * dim + d] + spread * rng_normal(&r);
            t.x[i * (size_t)dim + (size_t)d] = (float)(unit * (z + 5));
        }
    }
    free(centre);
    t.f = (features){.x = t.x, .label = t.label, .n = n, .dim = dim, .classes = classes};
    t.all = (rows){t.v, n};
    return t;
}

static void drop(fixture *t)
{
    free(t->x);
    free(t->label);
    free(t->v);
}

Test(fmath, agrees_with_libm)
{
    double worst_exp = 0, worst_log = 0;

    for (double x = -700; x < 700; x += 0.37)
        worst_exp = fmax(worst_exp, fabs(fmath_exp(x) / exp(x) - 1));
    for (double x = 1e-300; x < 1e300; x *= 1.7)
        worst_log = fmax(worst_log, fabs(fmath_log(x) - log(x)) / fmax(1e-300, fabs(log(x))));
    for (double x = 0.9; x < 1.1; x += 1e-4)
        worst_log = fmax(worst_log, fabs(fmath_log(x) - log(x)) / fmax(1e-4, fabs(log(x))));
    cr_assert_lt(worst_exp, 5e-16, "exp is off by %g", worst_exp);
    cr_assert_lt(worst_log, 5e-16, "log is off by %g", worst_log);
    cr_assert_eq(fmath_exp(0), 1);
    cr_assert_eq(fmath_exp(1e-300), 1);
    cr_assert_eq(fmath_log(1), 0);
    cr_assert_eq(fmath_exp(-1e9), 0);
    cr_assert_eq(fmath_exp(-INFINITY), 0);
}

Test(fmath, many_at_once_are_the_same)
{
    enum { COUNT = 3000 };
    double x[COUNT], y[COUNT];
    rng r = rng_at(3);

    for (int i = 0; i < COUNT; i++)
        x[i] = rng_range(&r, -1, 1) * (i % 3 ? 1 : 750);
    memcpy(x, (double[]){0, -0.0, -708, -708.0001, -INFINITY, -DBL_MAX, 709, 1e-300, 0.5, -0.5}, 10 * sizeof *x);
    for (int i = 0; i < COUNT; i++)
        x[i] = fmin(x[i], 709);
    for (size_t n = 0; n < 70; n++) { /* every remainder, and not a number more */
        memcpy(y, x, sizeof y);
        fmath_exps(y, n);
        for (size_t i = 0; i < COUNT; i++)
            cr_assert_eq(y[i], i < n ? fmath_exp(x[i]) : x[i], "%zu of %zu: exp(%.17g)", i, n, x[i]);
    }
    memcpy(y, x, sizeof y);
    fmath_exps(y, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(y[i], fmath_exp(x[i]), "exp(%.17g)", x[i]);
}

/* Rosenbrock's valley, minimum 0 at (1, ..., 1). */
static int rosenbrock(const double *x, double *f, double *g, void *arg, err *e)
{
    int n = *(int *)arg;

    (void)e;
    *f = 0;
    memset(g, 0, (size_t)n * sizeof *g);
    for (int i = 0; i + 1 < n; i++) {
        double a = 1 - x[i], b = x[i + 1] - x[i] * x[i];
        *f += a * a + 100 * b * b;
        g[i] += -2 * a - 400 * x[i] * b;
        g[i + 1] += 200 * b;
    }
    return 0;
}

Test(lbfgs, finds_the_bottom_of_rosenbrocks_valley)
{
    enum { n = 12 };
    double x[n];
    int dims = n;
    lbfgs_result r;
    err e = {0};

    for (int i = 0; i < n; i++)
        x[i] = i % 2 ? 1 : -1.2;
    cr_assert_eq(lbfgs_minimise(rosenbrock, &dims, n, x, 1e-16, 1000, &r, &e), 0);
    cr_assert(r.converged);
    cr_assert_lt(r.iterations, 300);
    for (int i = 0; i < n; i++)
        cr_assert_float_eq(x[i], 1, 1e-7, "x[%d] = %.12g", i, x[i]);
}

Test(lbfgs, stops_at_its_limit)
{
    double x[2] = {-1.2, 1};
    int dims = 2;
    lbfgs_result r;
    err e = {0};

    cr_assert_eq(lbfgs_minimise(rosenbrock, &dims, 2, x, 1e-9, 3, &r, &e), 0);
    cr_assert(!r.converged);
    cr_assert_eq(r.iterations, 3);
}

Test(logistic, gradient_agrees_with_finite_differences)
{
    fixture t = make(N, DIM, CLASSES, 1);
    logistic m;
    err e = {0};
    double l2 = 0.3, loss;
    rng r = rng_at(3);

    cr_assert_eq(logistic_init(&m, &t.f, t.all, &e), 0);
    double *g = malloc(m.n_weights * sizeof *g), *unused = malloc(m.n_weights * sizeof *g);
    for (int d = 0; d <= DIM; d++)
        for (int c = 0; c < CLASSES; c++)
            *logistic_weight(&m, m.w, d, c) = 0.1 * rng_normal(&r);
    cr_assert_eq(logistic_loss(&m, &t.f, t.all, l2, 1, m.w, &loss, g, &e), 0);
    for (int i = 0; i < 60; i++) {
        int d = i == 0 ? DIM : (int)rng_below(&r, DIM + 1), c = (int)rng_below(&r, CLASSES);
        double *w = logistic_weight(&m, m.w, d, c), at = *w, h = 0.01, above, below;
        *w = at + h;
        logistic_loss(&m, &t.f, t.all, l2, 1, m.w, &above, unused, &e);
        *w = at - h;
        logistic_loss(&m, &t.f, t.all, l2, 1, m.w, &below, unused, &e);
        *w = at;
        double analytic = *logistic_weight(&m, g, d, c), numeric = (above - below) / (2 * h);
        cr_assert_float_eq(analytic, numeric, 3e-5, "weight %d,%d: %g against %g", d, c, analytic, numeric);
    }
    free(g);
    free(unused);
    logistic_clear(&m);
    drop(&t);
}

/* Weights of zero: every class has probability 1/C. */
Test(logistic, loss_at_zero_is_log_classes)
{
    fixture t = make(N, DIM, CLASSES, 1);
    logistic m;
    err e = {0};
    double loss;

    cr_assert_eq(logistic_init(&m, &t.f, t.all, &e), 0);
    double *g = malloc(m.n_weights * sizeof *g);
    cr_assert_eq(logistic_loss(&m, &t.f, t.all, 1, 2, m.w, &loss, g, &e), 0);
    cr_assert_float_eq(loss, log(CLASSES), 1e-9);
    free(g);
    logistic_clear(&m);
    drop(&t);
}

/*
 * One feature, +1 or -1, two classes, a share q of each kind agreeing: the
 * optimum has w_1 - w_0 = 2 w with a closed condition, and without penalty
 * p(class | z) is exactly q.
 */
Test(logistic, reaches_a_known_optimum)
{
    enum { n = 4000 };
    float x[n];
    int32_t label[n];
    uint32_t v[n];
    logistic m;
    lbfgs_result r;
    err e = {0};

    for (int i = 0; i < n; i++) {
        label[i] = i % 2;
        int agrees = i / 2 % 10 < 8; /* q = 0.8 */
        x[i] = (label[i] == 1) == agrees ? 1 : -1;
        v[i] = (uint32_t)i;
    }
    features f = {.x = x, .label = label, .n = n, .dim = 1, .classes = 2};
    rows all = {v, n};
    cr_assert_eq(logistic_init(&m, &f, all, &e), 0);
    cr_assert_eq(logistic_fit(&m, &f, all, 0, 1e-12, 200, 1, &r, &e), 0);
    cr_assert(r.converged);
    double w = *logistic_weight(&m, m.w, 0, 1) - *logistic_weight(&m, m.w, 0, 0);
    cr_assert_float_eq(w, log(0.8 / 0.2), 1e-5, "w = %.9g", w);
    cr_assert_float_eq(r.f, -0.8 * log(0.8) - 0.2 * log(0.2), 1e-7);

    /* With a penalty: w_1 = -w_0 = a solves l2 a = q - sigmoid(2 a). */
    cr_assert_eq(logistic_fit(&m, &f, all, 0.1, 1e-12, 200, 1, &r, &e), 0);
    double a = *logistic_weight(&m, m.w, 0, 1);
    cr_assert_float_eq(*logistic_weight(&m, m.w, 0, 0), -a, 1e-6);
    cr_assert_float_eq(0.1 * a, 0.8 - 1 / (1 + exp(-2 * a)), 1e-6, "a = %.9g", a);
    logistic_clear(&m);
}

/* Correlated features: with and without preconditioning (rows decide) the same minimum is found. */
Test(precondition, does_not_move_the_minimum)
{
    fixture t = make(N, DIM, CLASSES, 2);
    logistic m;
    lbfgs_result r;
    err e = {0};
    double loss;

    for (int i = 0; i < N; i++)
        for (int d = 3; d < DIM; d += 3)
            t.x[i * DIM + d] = t.x[i * DIM + d - 3] + 0.05f * t.x[i * DIM + d];
    cr_assert_eq(logistic_init(&m, &t.f, t.all, &e), 0);
    cr_assert(precondition_pays(N, DIM));
    cr_assert_eq(logistic_fit(&m, &t.f, t.all, 1e-3, 1e-9, 1000, 2, &r, &e), 0);
    cr_assert(r.converged);
    double *g = malloc(m.n_weights * sizeof *g), worst = 0;
    cr_assert_eq(logistic_loss(&m, &t.f, t.all, 1e-3, 1, m.w, &loss, g, &e), 0);
    for (size_t i = 0; i < m.n_weights; i++)
        worst = fmax(worst, fabs(g[i]));
    cr_assert_float_eq(loss, r.f, 1e-6);
    cr_assert_lt(worst, 2e-4, "gradient %g", worst);
    free(g);
    logistic_clear(&m);
    drop(&t);
}

Test(precondition, changes_of_variables_are_inverse)
{
    fixture t = make(N, DIM, CLASSES, 1);
    preconditioner p;
    err e = {0};
    float mean[DIM] = {0}, scale[DIM];
    double x[DIM * 16], y[DIM * 16], g[DIM * 16];
    rng r = rng_at(1);

    for (int d = 0; d < DIM; d++)
        scale[d] = d % 3 == 0 ? 1e-3f : d % 3 == 1 ? 1 : 1e3f;
    cr_assert_eq(precondition_init(&p, &t.f, t.all, mean, scale, 2, &e), 0);
    precondition_factor(&p, 0.01);
    for (int i = 0; i < DIM * 16; i++)
        x[i] = y[i] = rng_normal(&r);
    precondition_to_v(&p, y);
    precondition_to_w(&p, y);
    for (int i = 0; i < DIM * 16; i++)
        cr_assert_float_eq(x[i], y[i], 1e-9);
    /* f(w) = h'w has the gradient L^-1 h in v: h'x = (L^-1 h)'(L'x), column by column */
    for (int i = 0; i < DIM * 16; i++)
        g[i] = rng_normal(&r);
    for (int c = 0; c < 16; c++) {
        double before = 0, after = 0;
        double h[DIM * 16], v[DIM * 16];
        memcpy(h, g, sizeof h);
        memcpy(v, x, sizeof v);
        precondition_gradient(&p, h);
        precondition_to_v(&p, v);
        for (int d = 0; d < DIM; d++) {
            before += g[d * 16 + c] * x[d * 16 + c];
            after += h[d * 16 + c] * v[d * 16 + c];
        }
        cr_assert_float_eq(before, after, 1e-9);
    }
    precondition_clear(&p);
    drop(&t);
}

Test(logistic, learns_separable_classes_and_ignores_constant_features)
{
    fixture t = make(N, DIM, CLASSES, 0.2);
    logistic m;
    lbfgs_result r;
    err e = {0};
    int32_t *p = malloc(N * sizeof *p);
    double log_loss;
    int right = 0;

    for (int i = 0; i < N; i++)
        t.x[i * DIM + 5] = 1234.5f;
    cr_assert_eq(logistic_init(&m, &t.f, t.all, &e), 0);
    cr_assert_eq(m.scale[5], 0);
    cr_assert_eq(logistic_fit(&m, &t.f, t.all, 1e-3, 1e-7, 500, 2, &r, &e), 0);
    cr_assert(r.converged);
    cr_assert_eq(logistic_predict(&m, &t.f, t.all, 2, p, &log_loss, &e), 0);
    for (int i = 0; i < N; i++)
        right += p[i] == t.label[i];
    cr_assert_eq(right, N);
    cr_assert_lt(log_loss, 0.1);
    for (int c = 0; c < CLASSES; c++)
        cr_assert_eq(*logistic_weight(&m, m.w, 5, c), 0);
    free(p);
    logistic_clear(&m);
    drop(&t);
}

Test(logistic, threads_do_not_change_a_bit)
{
    fixture t = make(6000, DIM, CLASSES, 2);
    double *first = NULL;
    err e = {0};

    for (int threads = 1; threads <= 5; threads += 2) {
        logistic m;
        lbfgs_result r;
        cr_assert_eq(logistic_init(&m, &t.f, t.all, &e), 0);
        cr_assert_eq(logistic_fit(&m, &t.f, t.all, 1e-4, 1e-5, 100, threads, &r, &e), 0);
        if (!first) {
            first = malloc(m.n_weights * sizeof *first);
            memcpy(first, m.w, m.n_weights * sizeof *first);
        }
        cr_assert_eq(memcmp(first, m.w, m.n_weights * sizeof *first), 0, "%d threads", threads);
        logistic_clear(&m);
    }
    free(first);
    drop(&t);
}
