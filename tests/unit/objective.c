/* Classify's loss against its formula, and its gradient against finite differences, through a graph. */
#include "nn/objective.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N = 5, P = 6, D = 7, K = 4 };

typedef struct setup {
    objective o;
    graph *g;
    node x;
    batch_shape shape;
    batch b;
    int32_t target[N * P];
    float weight[N * P], input[N * P * D];
} setup;

static value *declare(int64_t classes)
{
    value *v = value_map();

    value_set(v, "name", value_str("classify"));
    value_set(v, "task", value_str("test"));
    value_set(v, "classes", value_int(classes));
    return v;
}

static void start_heads(setup *s, int heads, const char *const *settings, int n, int concat)
{
    err e = {0};
    value *v = declare(K);
    rng r = rng_at(11);
    int per = P / concat * heads;

    *s = (setup){0};
    cr_assert_eq(objective_init(&s->o, v, settings, n, &e), 0, "%s", e.msg);
    value_free(v);
    s->shape = (batch_shape){.type = DT_F4, .P = P, .C = D, .field = s->o.type->fields, .dims = {{per}, {per}},
                             .bytes = {(size_t)per * 4, (size_t)per * 4}};
    s->g = graph_new(1, &e);
    s->x = graph_input(s->g, D, 0, 0);
    objective_nodes at = {s->x, s->x, s->x};
    graph_want_input_grad(s->g, s->x);
    cr_assert_eq(s->o.type->build(&s->o, s->g, &at, &s->shape, &e), 0, "%s", e.msg);
    cr_assert_eq(graph_compile(s->g, GRAPH_TRAIN, N * P, &e), 0, "%s", e.msg);
    graph_init_params(s->g, 1);
    for (int i = 0; i < N * P * D; i++)
        s->input[i] = (float)rng_normal(&r);
    for (int i = 0; i < N * per; i++) {
        s->target[i] = (int32_t)rng_below(&r, K + 1) - 1;
        s->weight[i] = (float)rng_uniform(&r);
    }
    s->b = (batch){.n = N, .field = {s->target, s->weight}};
}

static void start(setup *s, const char *const *settings, int n, int concat)
{
    start_heads(s, 1, settings, n, concat);
}

static objective_result forward(setup *s)
{
    objective_step step = {.b = &s->b, .shape = &s->shape, .steps = 1};
    objective_result r;
    err e = {0};

    memcpy(graph_input_data(s->g, s->x), s->input, sizeof s->input);
    cr_assert_eq(graph_forward(s->g, N * P, GRAPH_MODE_TRAIN, &e), 0, "%s", e.msg);
    cr_assert_eq(s->o.type->loss(&s->o, s->g, &step, &r, &e), 0, "%s", e.msg);
    return r;
}

static void stop(setup *s)
{
    graph_free(s->g);
    objective_clear(&s->o);
}

/* The loss in plain double precision, from the logits. */
static double formula(const setup *s, const float *logits, int rows, double smooth)
{
    double sum = 0, total = 0;

    for (int i = 0; i < rows; i++) {
        double z = 0, row = 0, w = s->b.field[1] ? s->weight[i] : 1;
        if (s->target[i] < 0)
            continue;
        for (int k = 0; k < K; k++)
            z += exp(logits[i * K + k]);
        for (int k = 0; k < K; k++)
            row -= ((k == s->target[i] ? 1 - smooth : 0) + smooth / K) * (logits[i * K + k] - log(z));
        sum += w * row;
        total += w;
    }
    return sum / total;
}

static void check_gradient(setup *s, double smooth, int rows)
{
    static float got[N * P * D];
    err e = {0};
    objective_result r = forward(s);

    cr_assert_float_eq(r.loss, formula(s, graph_value(s->g, graph_find(s->g, "head")), rows, smooth), 1e-6);
    cr_assert_eq(r.bad, -1);
    cr_assert_eq(graph_backward(s->g, &e), 0);
    memcpy(got, graph_input_grad(s->g, s->x), sizeof got);
    for (int i = 0; i < N * P * D; i += 3) {
        float kept = s->input[i], h = 1e-2f;
        s->input[i] = kept + h;
        double up = forward(s).loss;
        s->input[i] = kept - h;
        double down = forward(s).loss;
        s->input[i] = kept;
        cr_assert_float_eq(got[i], (up - down) / (2 * h), 2e-5, "input %d: %g is not %g", i, got[i], (up - down) / (2 * h));
    }
}

Test(objective, cross_entropy_and_its_gradient)
{
    setup s;

    start(&s, NULL, 0, 1);
    check_gradient(&s, 0, N * P);
    s.b.field[1] = NULL; /* without weights */
    check_gradient(&s, 0, N * P);
    stop(&s);
}

Test(objective, label_smoothing)
{
    const char *settings[] = {"label_smoothing=0.3"};
    setup s;

    start(&s, settings, 1, 1);
    check_gradient(&s, 0.3, N * P);
    stop(&s);
}

Test(objective, inputs_side_by_side)
{
    const char *settings[] = {"concat=3"};
    setup s;

    start(&s, settings, 1, 3);
    check_gradient(&s, 0, N * P / 3);
    stop(&s);
}

/* A layer for each input, then two that see three inputs side by side. */
Test(objective, layers_before_the_head)
{
    const char *settings[] = {"concat=3", "each=5", "hidden=6", "layers=2"};
    setup s;
    int C, H, W;

    start(&s, settings, 4, 3);
    check_gradient(&s, 0, N * P / 3);
    graph_shape(s.g, graph_find(s.g, "head"), &C, &H, &W);
    cr_assert_eq(C, K);
    cr_assert_eq(graph_rows(s.g, graph_find(s.g, "head"), N * P), N * P / 3);
    int seen = 0;
    for (int i = 0; i < graph_param_count(s.g); i++) {
        const param_info *p = graph_param(s.g, i);
        seen += strcmp(p->name, "each.weight") == 0 && p->shape[0] == 5 && p->shape[1] == D;
        seen += strcmp(p->name, "hidden0.weight") == 0 && p->shape[0] == 6 && p->shape[1] == 15;
        seen += strcmp(p->name, "hidden1.weight") == 0 && p->shape[0] == 6 && p->shape[1] == 6;
        seen += strcmp(p->name, "head.weight") == 0 && p->shape[0] == K && p->shape[1] == 6;
    }
    cr_assert_eq(seen, 4);
    stop(&s);
}

Test(objective, several_heads_share_the_loss)
{
    const char *settings[] = {"heads=2", "concat=2"};
    static float got[N * P * D];
    setup s;
    err e = {0};
    double want = 0, total = 0;

    start_heads(&s, 2, settings, 2, 2);
    objective_result r = forward(&s);
    for (int i = 0; i < N * P; i++) {
        const float *a = graph_value(s.g, graph_find(s.g, i % 2 ? "head.1" : "head.0")) + i / 2 * K;
        double z = 0;
        if (s.target[i] < 0)
            continue;
        for (int k = 0; k < K; k++)
            z += exp(a[k]);
        want += s.weight[i] * (log(z) - a[s.target[i]]);
        total += s.weight[i];
    }
    cr_assert_float_eq(r.loss, want / total, 1e-6);
    cr_assert_eq(graph_backward(s.g, &e), 0);
    memcpy(got, graph_input_grad(s.g, s.x), sizeof got);
    for (int i = 0; i < N * P * D; i += 3) {
        float kept = s.input[i], h = 1e-2f;
        s.input[i] = kept + h;
        double up = forward(&s).loss;
        s.input[i] = kept - h;
        double down = forward(&s).loss;
        s.input[i] = kept;
        cr_assert_float_eq(got[i], (up - down) / (2 * h), 2e-5, "input %d: %g is not %g", i, got[i], (up - down) / (2 * h));
    }
    stop(&s);
}

Test(objective, accuracy_counts_the_rows_with_targets)
{
    setup s;
    int counted = 0;

    start(&s, NULL, 0, 1);
    for (int i = 0; i < N * P; i++)
        counted += s.target[i] >= 0;
    objective_result r = forward(&s);
    cr_assert_eq(r.counted, counted);
    cr_assert(r.correct >= 0 && r.correct <= counted);
    for (int i = 0; i < N * P; i++)
        s.target[i] = -1;
    r = forward(&s);
    cr_assert_eq(r.counted, 0);
    cr_assert_eq(r.loss, 0);
    stop(&s);
}

Test(objective, the_first_bad_sample_is_named)
{
    setup s;

    start(&s, NULL, 0, 1);
    for (int i = 0; i < N * P; i++)
        s.target[i] = 0;
    s.input[(3 * P + 2) * D] = NAN;
    objective_result r = forward(&s);
    cr_assert(isnan(r.loss));
    cr_assert_eq(r.bad, 3);
    stop(&s);
}

Test(objective, targets_out_of_range_are_refused)
{
    setup s;
    err e = {0};

    start(&s, NULL, 0, 1);
    for (int i = 0; i < N; i++)
        cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, i, &e), 0);
    s.target[2 * P + 1] = K;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 1, &e), 0);
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 2, &e), -1);
    s.target[2 * P + 1] = -2;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 2, &e), -1);
    s.target[2 * P + 1] = 0;
    s.weight[2 * P + 1] = -1;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 2, &e), -1);
    s.weight[2 * P + 1] = INFINITY;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 2, &e), -1);
    stop(&s);
}

Test(objective, the_command_line_comes_over_the_header_over_the_default)
{
    const char *settings[] = {"label_smoothing=0.2"};
    value *v = declare(K), *p = value_map();
    objective o;
    err e = {0};

    value_set(p, "label_smoothing", value_float(0.1));
    value_set(p, "concat", value_int(2));
    value_set(v, "parameters", p);
    cr_assert_eq(objective_init(&o, v, NULL, 0, &e), 0);
    cr_assert_float_eq(objective_param(&o, "label_smoothing"), 0.1, 0);
    objective_clear(&o);
    cr_assert_eq(objective_init(&o, v, settings, 1, &e), 0);
    cr_assert_float_eq(objective_param(&o, "label_smoothing"), 0.2, 0);
    cr_assert_eq(objective_param(&o, "concat"), 2);
    cr_assert_eq(value_get_int(o.declared, "classes", 0), K);
    objective_clear(&o);
    value_free(v);
}
