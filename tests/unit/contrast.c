/* Contrast against its definition in plain loops, and its gradient against finite differences. */
#include "nn/objective.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The objective on given rows: an identity encoder without a projector. */
typedef struct setup {
    objective o;
    graph *g;
    node x;
    batch_shape shape;
    batch b;
    int rows, D;
    float *input;
} setup;

static void start(setup *s, int n, int P, int D, double temperature, int threads)
{
    err e = {0};
    value *v = value_map();
    char text[64];
    const char *settings[] = {text};

    snprintf(text, sizeof text, "temperature=%.17g", temperature);
    value_set(v, "name", value_str("contrast"));
    *s = (setup){.rows = n * P, .D = D, .b.n = n};
    cr_assert_eq(objective_init(&s->o, v, settings, 1, &e), 0, "%s", e.msg);
    value_free(v);
    s->shape = (batch_shape){.type = DT_F4, .P = P, .C = D, .field = s->o.type->fields};
    s->g = graph_new(threads, &e);
    s->x = graph_input(s->g, D, 0, 0);
    node y = graph_flatten(s->g, s->x);
    objective_nodes at = {y, y, y};
    graph_want_input_grad(s->g, s->x);
    cr_assert_eq(s->o.type->build(&s->o, s->g, &at, &s->shape, &e), 0, "%s", e.msg);
    cr_assert_eq(graph_compile(s->g, GRAPH_TRAIN, n * P, &e), 0, "%s", e.msg);
    objective_setting setting = {.batch = n, .distinct = -1};
    cr_assert_eq(s->o.type->start(&s->o, s->g, &setting, &e), 0, "%s", e.msg);
    s->input = graph_input_data(s->g, s->x);
    rng r = rng_at((uint64_t)(n * 100 + P * 10 + D));
    for (int i = 0; i < n * P * D; i++)
        s->input[i] = (float)rng_normal(&r);
}

static void stop(setup *s)
{
    graph_free(s->g);
    objective_clear(&s->o);
}

static objective_result forward(setup *s)
{
    objective_step step = {.b = &s->b, .shape = &s->shape, .steps = 1};
    objective_result r;
    err e = {0};

    cr_assert_eq(graph_forward(s->g, s->b.n * s->shape.P, GRAPH_MODE_TRAIN, &e), 0, "%s", e.msg);
    cr_assert_eq(s->o.type->loss(&s->o, s->g, &step, &r, &e), 0, "%s", e.msg);
    return r;
}

static const float *backward(setup *s)
{
    err e = {0};

    cr_assert_eq(graph_backward(s->g, &e), 0);
    return graph_input_grad(s->g, s->x);
}

/* The definition, pair by pair; x stays as it is. */
static double similarity(const double *x, int D, int i, int j)
{
    double ij = 0, ii = 0, jj = 0;

    for (int k = 0; k < D; k++) {
        ij += x[i * D + k] * x[j * D + k];
        ii += x[i * D + k] * x[i * D + k];
        jj += x[j * D + k] * x[j * D + k];
    }
    return ii > 0 && jj > 0 ? ij / sqrt(ii) / sqrt(jj) : 0;
}

static double definition(const double *x, int rows, int P, int D, double temperature)
{
    double total = 0;

    for (int i = 0; i < rows; i++) {
        double top = -INFINITY, sum = 0, positive = 0;
        for (int j = 0; j < rows; j++)
            if (j != i)
                top = fmax(top, similarity(x, D, i, j) / temperature);
        for (int j = 0; j < rows; j++) {
            if (j == i)
                continue;
            sum += exp(similarity(x, D, i, j) / temperature - top);
            if (j / P == i / P)
                positive += similarity(x, D, i, j) / temperature / (P - 1);
        }
        total += (top + log(sum) - positive) / rows;
    }
    return total;
}

/* Value and gradient, to 1e-5 of the largest magnitude; the floor is for gradients that are zero. */
static void check(setup *s, double temperature)
{
    int rows = s->b.n * s->shape.P, n = rows * s->D, P = s->shape.P;
    double *x = malloc((size_t)n * sizeof *x), *want = malloc((size_t)n * sizeof *x), largest = 0;

    for (int i = 0; i < n; i++)
        x[i] = s->input[i];
    double loss = forward(s).loss, expected = definition(x, rows, P, s->D, temperature);
    cr_assert_float_eq(loss, expected, 1e-9 * fmax(1, fabs(expected)), "%g is not %g", loss, expected);
    const float *got = backward(s);
    for (int i = 0; i < n; i++) {
        double kept = x[i], h = 1e-4 * fmin(1, temperature);
        x[i] = kept + h;
        double up = definition(x, rows, P, s->D, temperature);
        x[i] = kept - h;
        double down = definition(x, rows, P, s->D, temperature);
        x[i] = kept;
        want[i] = (up - down) / (2 * h);
        largest = fmax(largest, fabs(want[i]));
    }
    for (int i = 0; i < n; i++)
        cr_assert_float_eq(got[i], want[i], 1e-5 * largest + 1e-8, "input %d: %g is not %g", i, got[i], want[i]);
    free(x);
    free(want);
}

Test(contrast, value_and_gradient)
{
    static const struct { int n, P, D; double temperature; } cases[] = {
        {5, 2, 7, 0.5}, {8, 2, 3, 0.1}, {3, 4, 6, 0.5}, {2, 3, 16, 2}, {1, 2, 4, 0.5}, {1, 3, 4, 0.5},
        {6, 2, 5, 100}, {6, 2, 5, 0.02}, {30, 2, 9, 0.2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s;
        start(&s, cases[i].n, cases[i].P, cases[i].D, cases[i].temperature, 1);
        check(&s, cases[i].temperature);
        stop(&s);
    }
}

Test(contrast, more_rows_than_a_block)
{
    setup s;

    start(&s, 151, 2, 2, 0.5, 2); /* 302 rows: two blocks of columns, seven of rows */
    check(&s, 0.5);
    stop(&s);
}

Test(contrast, one_dimension_has_two_directions)
{
    setup s;

    start(&s, 3, 2, 1, 0.5, 1);
    check(&s, 0.5);
    stop(&s);
}

Test(contrast, identical_directions_cost_ln_of_the_others)
{
    for (int n = 1; n <= 40; n += 13)
        for (int k = -3; k <= 3; k++) {
            setup s;
            start(&s, n, 2, 8, pow(10, k), 1);
            for (int i = 0; i < s.rows * 8; i++)
                s.input[i] = s.input[i % 8] * (float)(1 + i / 8 % 3); /* lengths do not matter */
            objective_result r = forward(&s);
            cr_assert_float_eq(r.loss, log(2 * n - 1), 1e-9, "%d images: %g", n, r.loss);
            const float *got = backward(&s);
            for (int i = 0; i < s.rows * 8; i++)
                cr_assert_float_eq(got[i], 0, 1e-6);
            stop(&s);
        }
}

Test(contrast, opposite_views)
{
    setup s;

    /* Each image's second view is the opposite of its first: the positive is the farthest of all. */
    start(&s, 4, 2, 6, 0.3, 1);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 6; k++)
            s.input[(2 * i + 1) * 6 + k] = -s.input[2 * i * 6 + k];
    objective_result r = forward(&s);
    cr_assert_eq(r.correct, 0);
    cr_assert_eq(r.counted, 8);
    check(&s, 0.3);
    stop(&s);
}

Test(contrast, extreme_temperatures_stay_finite)
{
    static const double temperature[] = {1e-6, 1e-3, 1e6};

    for (int t = 0; t < 3; t++) {
        setup s;
        start(&s, 9, 2, 5, temperature[t], 1);
        objective_result r = forward(&s);
        double x[90];
        for (int i = 0; i < 90; i++)
            x[i] = s.input[i];
        double want = definition(x, 18, 2, 5, temperature[t]);
        cr_assert_float_eq(r.loss, want, 1e-9 * fmax(1, want));
        const float *got = backward(&s);
        for (int i = 0; i < 90; i++)
            cr_assert(isfinite(got[i]));
        stop(&s);
    }
}

Test(contrast, a_vector_of_length_zero_has_no_direction)
{
    setup s;

    start(&s, 3, 2, 4, 0.5, 1);
    for (int k = 0; k < 4; k++)
        s.input[k] = 0;
    objective_result r = forward(&s);
    cr_assert(isfinite(r.loss));
    const float *got = backward(&s);
    for (int k = 0; k < 24; k++)
        cr_assert(k < 4 ? got[k] == 0 : isfinite(got[k]));
    stop(&s);
}

Test(contrast, views_that_agree_are_counted)
{
    setup s;

    start(&s, 10, 2, 12, 0.5, 1);
    for (int i = 0; i < 10; i++)
        for (int k = 0; k < 12; k++)
            s.input[(2 * i + 1) * 12 + k] = s.input[2 * i * 12 + k] * 1.5f;
    objective_result r = forward(&s);
    cr_assert_eq(r.correct, 20);
    stop(&s);
}

Test(contrast, the_image_that_is_not_finite_is_named)
{
    setup s;

    start(&s, 5, 2, 3, 0.5, 1);
    s.input[7 * 3 + 1] = INFINITY;
    objective_result r = forward(&s);
    cr_assert(isnan(r.loss));
    cr_assert_eq(r.bad, 3);
    stop(&s);
}

Test(contrast, threads_give_the_same_bits)
{
    setup one, two;

    start(&one, 100, 2, 17, 0.2, 1);
    start(&two, 100, 2, 17, 0.2, 2);
    cr_assert_eq(forward(&one).loss, forward(&two).loss);
    const float *a = backward(&one), *b = backward(&two);
    for (int i = 0; i < 200 * 17; i++)
        cr_assert_eq(a[i], b[i]);
    stop(&one);
    stop(&two);
}

Test(contrast, fewer_images_than_planned)
{
    setup s;

    start(&s, 20, 2, 6, 0.5, 1);
    s.b.n = 3;
    check(&s, 0.5);
    stop(&s);
}

Test(contrast, one_view_is_refused)
{
    err e = {0};
    objective o;
    value *v = value_map();
    batch_shape shape = {.type = DT_F4, .P = 1, .C = 4};

    value_set(v, "name", value_str("contrast"));
    cr_assert_eq(objective_init(&o, v, NULL, 0, &e), 0);
    graph *g = graph_new(1, &e);
    node x = graph_input(g, 4, 0, 0);
    cr_assert_eq(o.type->build(&o, g, &(objective_nodes){.features = x, .z = x}, &shape, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    graph_free(g);
    objective_clear(&o);
    value_free(v);
}
