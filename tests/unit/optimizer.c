/* Each optimiser against its formula in double precision, written out here once more. */
#include "nn/optimizer.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 24, SPLIT = 16, STEPS = 12 }; /* weights 0..15 decay; 16..23 are biases */

static const optimizer_span spans[] = {{0, SPLIT, true}, {SPLIT, N - SPLIT, false}};

typedef struct state {
    double w[N], a[N], b[N];
} state;

typedef void reference(state *s, const double *g, double lr, int t);

static void fill(double *x, uint64_t key)
{
    rng r = rng_at(key);

    for (int i = 0; i < N; i++)
        x[i] = rng_normal(&r);
}

static double decay(int i, double lambda)
{
    return i < SPLIT ? lambda : 0;
}

static void sgd_nesterov(state *s, const double *g, double lr, int t)
{
    (void)t;
    for (int i = 0; i < N; i++) {
        double d = g[i] + decay(i, 0.01) * s->w[i];
        s->a[i] = 0.9 * s->a[i] + d;
        s->w[i] -= lr * (d + 0.9 * s->a[i]);
    }
}

static void sgd_heavy_ball(state *s, const double *g, double lr, int t)
{
    (void)t;
    for (int i = 0; i < N; i++) {
        s->a[i] = 0.8 * s->a[i] + g[i] + decay(i, 0.01) * s->w[i];
        s->w[i] -= lr * s->a[i];
    }
}

static void adamw(state *s, const double *g, double lr, int t)
{
    for (int i = 0; i < N; i++) {
        s->w[i] -= lr * decay(i, 0.05) * s->w[i];
        s->a[i] = 0.9 * s->a[i] + 0.1 * g[i];
        s->b[i] = 0.99 * s->b[i] + 0.01 * g[i] * g[i];
        double m = s->a[i] / (1 - pow(0.9, t)), v = s->b[i] / (1 - pow(0.99, t));
        s->w[i] -= lr * m / (sqrt(v) + 1e-8);
    }
}

static void lars(state *s, const double *g, double lr, int t)
{
    double nw = 0, ng = 0;

    (void)t;
    for (int i = 0; i < SPLIT; i++) {
        nw += s->w[i] * s->w[i];
        ng += g[i] * g[i];
    }
    double ratio = 0.02 * sqrt(nw) / (sqrt(ng) + 0.01 * sqrt(nw));
    for (int i = 0; i < N; i++) {
        s->a[i] = 0.9 * s->a[i] + (i < SPLIT ? ratio : 1) * (g[i] + decay(i, 0.01) * s->w[i]);
        s->w[i] -= lr * s->a[i];
    }
}

static void follow(const char *text, reference *ref)
{
    optimizer o;
    state s = {0};
    float w[N], g[N];
    double dg[N];
    err e = {0};

    cr_assert_eq(optimizer_parse(&o, text, &e), 0, "%s", e.msg);
    cr_assert_eq(optimizer_start(&o, spans, 2, N, &e), 0);
    fill(s.w, 1);
    for (int i = 0; i < N; i++)
        w[i] = (float)s.w[i];
    for (int t = 1; t <= STEPS; t++) {
        fill(dg, 100 + (uint64_t)t);
        for (int i = 0; i < N; i++)
            g[i] = (float)dg[i];
        optimizer_step(&o, w, g, 0.5);
        ref(&s, dg, 0.5 * optimizer_lr(&o), t);
    }
    for (int i = 0; i < N; i++)
        cr_assert(fabs(w[i] - s.w[i]) < 1e-5 * (1 + fabs(s.w[i])), "%s: weight %d is %g, not %g", text, i, w[i], s.w[i]);
    optimizer_clear(&o);
}

Test(optimizer, follows_the_formulas)
{
    follow("sgd:lr=0.1,weight_decay=0.01", sgd_nesterov);
    follow("sgd:lr=0.1,weight_decay=0.01,nesterov=0,momentum=0.8", sgd_heavy_ball);
    follow("adamw:lr=0.01,weight_decay=0.05,beta2=0.99", adamw);
    follow("lars:lr=0.2,weight_decay=0.01,trust=0.02", lars);
}

Test(optimizer, lars_is_plain_where_a_norm_is_zero)
{
    optimizer o;
    float w[N] = {0}, g[N];
    err e = {0};

    cr_assert_eq(optimizer_parse(&o, "lars:lr=1,momentum=0,weight_decay=0", &e), 0);
    cr_assert_eq(optimizer_start(&o, spans, 2, N, &e), 0);
    for (int i = 0; i < N; i++)
        g[i] = 1;
    optimizer_step(&o, w, g, 1);
    for (int i = 0; i < N; i++)
        cr_assert_float_eq(w[i], -1, 1e-6);
    optimizer_clear(&o);
}

Test(optimizer, refuses_what_it_does_not_know)
{
    static const char *const bad[] = {"adam", "sgd:beta1=0.5", "sgd:lr", "sgd:lr=fast", "sgd:momentum=1", "adamw:beta2=1",
                                      "sgd:nesterov=0.5", "sgd:lr=-1"};
    optimizer o;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err e = {0};
        cr_assert_eq(optimizer_parse(&o, bad[i], &e), -1, "%s", bad[i]);
        cr_assert_eq(e.kind, ERR_USAGE, "%s", bad[i]);
    }
}

Test(optimizer, has_no_momentum_to_set_in_adamw)
{
    optimizer o;
    err e = {0};

    cr_assert_eq(optimizer_parse(&o, "adamw", &e), 0);
    cr_assert_eq(optimizer_set(&o, "momentum", 0.5, &e), -1);
    cr_assert_eq(e.kind, ERR_USAGE);
    optimizer_clear(&o);
}
