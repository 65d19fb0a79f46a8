/* nce-bank against its formulas in plain loops, gradients against finite differences, the memory's movements. */
#include "nn/network.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 40, n = 7, D = 6 };

typedef struct setup {
    objective o;
    graph *g;
    node x;
    batch_shape shape;
    batch b;
    int64_t index[n];
    float *input, *bank; /* borrowed */
} setup;

static void start(setup *s, int negatives, double temperature)
{
    err e = {0};
    value *v = value_map();
    char t[64], k[64];
    const char *settings[] = {t, k, "patches=0", "weight=0.3", "momentum=0.5"};
    objective_tensor state;
    rng r = rng_at(5);

    snprintf(t, sizeof t, "temperature=%.17g", temperature);
    snprintf(k, sizeof k, "negatives=%d", negatives);
    value_set(v, "name", value_str("nce-bank"));
    *s = (setup){.b.n = n};
    cr_assert_eq(objective_init(&s->o, v, settings, 5, &e), 0, "%s", e.msg);
    value_free(v);
    s->shape = (batch_shape){.type = DT_F4, .P = 2, .C = D, .field = s->o.type->fields};
    s->g = graph_new(2, &e);
    s->x = graph_input(s->g, D, 0, 0);
    node y = graph_flatten(s->g, s->x);
    graph_want_input_grad(s->g, s->x);
    cr_assert_eq(s->o.type->build(&s->o, s->g, &(objective_nodes){.features = y, .z = y}, &s->shape, &e), 0, "%s", e.msg);
    cr_assert_eq(graph_compile(s->g, GRAPH_TRAIN, 2 * n, &e), 0, "%s", e.msg);
    cr_assert_eq(s->o.type->start(&s->o, s->g, &(objective_setting){.batch = n, .distinct = N, .seed = 3}, &e), 0, "%s", e.msg);
    cr_assert(s->o.type->state(&s->o, 0, &state));
    cr_assert(!s->o.type->state(&s->o, 1, &state));
    s->o.type->state(&s->o, 0, &state);
    cr_assert_eq(state.shape[0], N);
    cr_assert_eq(state.shape[1], D);
    s->bank = state.data;
    s->input = graph_input_data(s->g, s->x);
    for (int i = 0; i < 2 * n * D; i++)
        s->input[i] = (float)rng_normal(&r);
    for (int i = 0; i < n; i++)
        s->index[i] = i * 5 % N;
    s->b.index = s->index;
}

static void stop(setup *s)
{
    graph_free(s->g);
    objective_clear(&s->o);
}

static objective_result forward(setup *s)
{
    objective_step step = {.b = &s->b, .shape = &s->shape, .step = 4, .steps = 9};
    objective_result r;
    err e = {0};

    cr_assert_eq(graph_forward(s->g, 2 * n, GRAPH_MODE_TRAIN, &e), 0, "%s", e.msg);
    cr_assert_eq(s->o.type->loss(&s->o, s->g, &step, &r, &e), 0, "%s", e.msg);
    return r;
}

/* With all N images as negatives nothing is drawn: the definition, from the bank as it stands. */
static double definition(const setup *s, double temperature)
{
    double total = 0;

    for (int i = 0; i < 2 * n; i++) {
        const float *x = s->input + i * D;
        double a[N], norm = 0, sum = 0, loss = 0;
        int64_t own = s->index[i / 2];
        for (int k = 0; k < D; k++)
            norm += (double)x[k] * x[k];
        for (int j = 0; j < N; j++) {
            double dot = 0;
            for (int k = 0; k < D; k++)
                dot += (double)x[k] * s->bank[j * D + k];
            a[j] = exp(dot / sqrt(norm) / temperature - 1 / temperature);
            sum += a[j];
        }
        for (int j = 0; j < N; j++)
            loss -= log(j == own ? a[j] / sum : 1 - a[j] / sum);
        total += (i % 2 ? 0.3 : 0.7) * loss / n;
    }
    return total;
}

Test(nce_bank, value_with_every_other_image)
{
    static const double temperature[] = {0.07, 0.5, 10};

    for (int t = 0; t < 3; t++) {
        setup s;
        start(&s, N, temperature[t]);
        objective_result r = forward(&s);
        double want = definition(&s, temperature[t]);
        cr_assert_float_eq(r.loss, want, 1e-6 * want, "%.9g is not %.9g", r.loss, want);
        cr_assert_eq(r.counted, 2 * n);
        stop(&s);
    }
}

static void check_gradient(setup *s)
{
    float got[2 * n * D], largest = 0;
    err e = {0};

    forward(s);
    cr_assert_eq(graph_backward(s->g, &e), 0);
    memcpy(got, graph_input_grad(s->g, s->x), sizeof got);
    for (int i = 0; i < 2 * n * D; i++)
        largest = fmaxf(largest, fabsf(got[i]));
    for (int i = 0; i < 2 * n * D; i++) {
        float kept = s->input[i], h = 2e-3f;
        s->input[i] = kept + h;
        double up = forward(s).loss;
        s->input[i] = kept - h;
        double down = forward(s).loss, width = (double)(kept + h) - (kept - h);
        s->input[i] = kept;
        cr_assert_float_eq(got[i], (up - down) / width, 1e-3 * largest, "input %d: %g is not %g", i, got[i], (up - down) / width);
    }
}

Test(nce_bank, gradient)
{
    static const struct { int negatives; double temperature; } cases[] = {{N, 0.5}, {11, 0.2}, {1, 0.5}, {1000, 2}};

    for (int i = 0; i < 4; i++) {
        setup s;
        start(&s, cases[i].negatives, cases[i].temperature);
        check_gradient(&s);
        stop(&s);
    }
}

/* An embedding that lies on another image's memory has p_j = 1 to the last digit. */
Test(nce_bank, a_sure_mistake_stays_finite)
{
    setup s;
    err e = {0};

    start(&s, N, 1e-3);
    for (int i = 0; i < 2 * n; i++)
        memcpy(s.input + i * D, s.bank + (s.index[i / 2] + 1) % N * D, D * sizeof(float));
    objective_result r = forward(&s);
    cr_assert(isfinite(r.loss));
    cr_assert_eq(r.correct, 0);
    cr_assert_eq(graph_backward(s.g, &e), 0);
    for (int i = 0; i < 2 * n * D; i++)
        cr_assert(isfinite(graph_input_grad(s.g, s.x)[i]));
    for (int i = 0; i < 2 * n; i++)
        memcpy(s.input + i * D, s.bank + s.index[i / 2] * D, D * sizeof(float));
    r = forward(&s);
    cr_assert_eq(r.correct, 2 * n);
    cr_assert_float_eq(r.loss, 0, 1e-6);
    stop(&s);
}

Test(nce_bank, memories_move_by_the_first_embedding)
{
    setup s;
    float before[N * D];
    err e = {0};

    start(&s, N, 0.1);
    memcpy(before, s.bank, sizeof before);
    forward(&s);
    objective_step step = {.b = &s.b, .shape = &s.shape};
    cr_assert_eq(s.o.type->update(&s.o, s.g, &step, &e), 0);
    for (int j = 0; j < N; j++) {
        double want[D], norm = 0, sum = 0;
        int of = -1;
        for (int i = 0; i < n; i++)
            if (s.index[i] == j)
                of = i;
        for (int k = 0; k < D && of >= 0; k++)
            norm += (double)s.input[2 * of * D + k] * s.input[2 * of * D + k];
        for (int k = 0; k < D; k++) {
            want[k] = of < 0 ? before[j * D + k] : 0.5 * before[j * D + k] + 0.5 * s.input[2 * of * D + k] / sqrt(norm);
            sum += want[k] * want[k];
        }
        for (int k = 0; k < D; k++)
            cr_assert_float_eq(s.bank[j * D + k], want[k] / (of < 0 ? 1 : sqrt(sum)), 1e-6);
    }
    stop(&s);
}

Test(nce_bank, indices_beyond_the_data_are_refused)
{
    setup s;
    err e = {0};

    start(&s, N, 0.1);
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 2, &e), 0);
    s.index[2] = N;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 2, &e), -1);
    s.index[2] = -1;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 2, &e), -1);
    stop(&s);
}

/* ---- Patches: the encoder's gradient comes from two graphs ----------------------------------- */

enum { SIDE = 16, PATCH = 8, BATCH = 6 };

typedef struct whole {
    objective o;
    network net;
    network_arch arch;
    batch_shape shape;
    batch b;
    int64_t index[BATCH];
    uint8_t image[BATCH * SIDE * SIDE * 3], patches[BATCH * 9 * PATCH * PATCH * 3];
} whole;

static double evaluate(whole *w)
{
    objective_step step = {.b = &w->b, .shape = &w->shape, .steps = 9};
    objective_result r;
    err e = {0};

    network_fill(&w->net, &w->arch, w->image, 0, BATCH);
    cr_assert_eq(graph_forward(w->net.g, BATCH, GRAPH_MODE_TRAIN, &e), 0, "%s", e.msg);
    cr_assert_eq(w->o.type->loss(&w->o, w->net.g, &step, &r, &e), 0, "%s", e.msg);
    return r.loss;
}

/* `chunk` images' patches at a time: each chunk has batch statistics of its own. */
static void check_patches(int chunk)
{
    static whole w;
    value *v = value_map();
    const char *settings[] = {"temperature=0.5", "negatives=20"};
    err e = {0};
    rng r = rng_at(2);
    int tried = 0;

    w = (whole){0};
    value_set(v, "name", value_str("nce-bank"));
    cr_assert_eq(objective_init(&w.o, v, settings, 2, &e), 0, "%s", e.msg);
    value_free(v);
    w.shape = (batch_shape){.type = DT_U1, .P = 1, .H = SIDE, .W = SIDE, .C = 3, .field = w.o.type->fields,
                            .dims = {{9, PATCH, PATCH, 3}}, .bytes = {9 * PATCH * PATCH * 3}};
    w.arch = (network_arch){.enc = encoder_find("convnet"), .options.width = 4, .H = SIDE, .W = SIDE, .C = 3, .projector = "8"};
    cr_assert_eq(transform_resolve(&w.arch.input, NULL, 3, &e), 0);
    cr_assert_eq(network_build(&w.net, &w.arch, &w.o, &w.shape, 1, &e), 0, "%s", e.msg);
    graph_output(w.net.g, w.net.at.features);
    cr_assert_eq(graph_compile(w.net.g, GRAPH_TRAIN, BATCH, &e), 0, "%s", e.msg);
    graph_init_params(w.net.g, 1);
    cr_assert_eq(w.o.type->start(&w.o, w.net.g, &(objective_setting){.arch = &w.arch, .batch = BATCH, .chunk = chunk, .distinct = 30, .threads = 1,
                                                                             .seed = 3}, &e), 0, "%s", e.msg);
    for (size_t i = 0; i < sizeof w.image; i++)
        w.image[i] = (uint8_t)rng_below(&r, 256);
    for (size_t i = 0; i < sizeof w.patches; i++)
        w.patches[i] = (uint8_t)rng_below(&r, 256);
    for (int i = 0; i < BATCH; i++)
        w.index[i] = 3 * i;
    w.b = (batch){.n = BATCH, .input = w.image, .field = {w.patches}, .index = w.index};

    evaluate(&w);
    cr_assert_eq(graph_backward(w.net.g, &e), 0);
    cr_assert_eq(w.o.type->backward(&w.o, w.net.g, &e), 0);
    for (int i = 0; i < graph_param_count(w.net.g); i++) {
        const param_info *p = graph_param(w.net.g, i);
        static float x[1 << 16], grad[1 << 16];
        int64_t count = 1;
        double largest = 0;
        for (int d = 0; d < p->ndim; d++)
            count *= p->shape[d];
        if (p->role == PARAM_STATE)
            continue;
        /* The gradients of this point: evaluating elsewhere leaves them alone. */
        evaluate(&w);
        cr_assert_eq(graph_backward(w.net.g, &e), 0);
        cr_assert_eq(w.o.type->backward(&w.o, w.net.g, &e), 0);
        graph_get_grad(w.net.g, i, grad);
        graph_get_tensor(w.net.g, i, x);
        for (int64_t k = 0; k < count; k++)
            largest = fmax(largest, fabs(grad[k]));
        for (int64_t k = 0; k < count; k += 1 + count / 4) {
            float kept = x[k], h = 4e-3f;
            x[k] = kept + h;
            graph_set_tensor(w.net.g, i, x);
            double up = evaluate(&w);
            x[k] = kept - h;
            graph_set_tensor(w.net.g, i, x);
            double down = evaluate(&w);
            x[k] = kept;
            graph_set_tensor(w.net.g, i, x);
            cr_assert_float_eq(grad[k], (up - down) / (2 * h), 0.05 * largest + 2e-3, "%s[%ld]: %g is not %g", p->name, (long)k, grad[k],
                               (up - down) / (2 * h));
            tried += fabs(grad[k]) > 0.01;
        }
    }
    cr_assert_gt(tried, 20);
    network_clear(&w.net);
    objective_clear(&w.o);
}

Test(nce_bank, patches_share_the_encoder)
{
    check_patches(0);
}

Test(nce_bank, patches_in_chunks)
{
    check_patches(4);
}
