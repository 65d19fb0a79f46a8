/* Reconstruct: its losses against their formulas, its gradients against finite differences, its decoder's shapes. */
#include "nn/network.h"
#include "nn/vertices.h"

#include "base/lab.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, SIDE = 8, PIXELS = SIDE * SIDE, C = 3, CLASSES = 7, NEAR = 2 };

typedef struct setup {
    objective o;
    graph *g;
    node x;
    batch_shape shape;
    batch b;
    uint8_t target[N * PIXELS * C], weight[N * PIXELS];
    int32_t bin[N * PIXELS * NEAR];
    float share[N * PIXELS * NEAR], input[N * PIXELS * C];
} setup;

static double spread = 1; /* of the targets; each test is a process of its own */

static value *declare(int channels, int classes, int up, int down)
{
    value *v = value_map(), *scale = value_array();

    value_set(v, "name", value_str("reconstruct"));
    if (channels)
        value_set(v, "channels", value_int(channels));
    if (classes)
        value_set(v, "classes", value_int(classes));
    value_push(scale, value_int(up));
    value_push(scale, value_int(down));
    value_set(v, "scale", scale);
    value_set(v, "show", value_str("rgb"));
    return v;
}

/* A small encoder: two named maps, of 8 x 8 and of 4 x 4, then their averages. */
static void start(setup *s, int classes, const char *const *settings, int n)
{
    err e = {0};
    value *v = declare(classes ? 0 : C, classes, 1, 1);
    rng r = rng_at(5);

    *s = (setup){0};
    if (spread != 1)
        value_set(v, "spread", value_float(spread));
    cr_assert_eq(objective_init(&s->o, v, settings, n, &e), 0, "%s", e.msg);
    value_free(v);
    s->shape = (batch_shape){.type = DT_U1, .P = 1, .H = SIDE, .W = SIDE, .C = C, .field = s->o.type->fields};
    const int64_t dims[4][4] = {{1, SIDE, SIDE, C}, {1, SIDE, SIDE, 0}, {1, SIDE, SIDE, NEAR}, {1, SIDE, SIDE, NEAR}};
    const size_t bytes[4] = {PIXELS * C, PIXELS, PIXELS * NEAR * 4, PIXELS * NEAR * 4};
    void *data[4] = {s->target, s->weight, s->bin, s->share};
    s->b = (batch){.n = N};
    for (int f = classes ? 2 : 0; f < (classes ? 4 : 2); f++) {
        memcpy(s->shape.dims[f], dims[f], sizeof dims[f]);
        s->shape.bytes[f] = bytes[f];
        s->b.field[f] = data[f];
    }
    s->g = graph_new(1, &e);
    s->x = graph_input(s->g, C, SIDE, SIDE);
    graph_want_input_grad(s->g, s->x);
    node a = graph_conv2d(s->g, "encoder.a", s->x, 4, 3, 1, 1, true);
    graph_name(s->g, a, "layer1");
    node b = graph_conv2d(s->g, "encoder.b", a, 6, 3, 2, 1, true);
    graph_name(s->g, b, "layer2");
    node f = graph_global_avgpool(s->g, b);
    objective_nodes at = {f, f, s->x};
    cr_assert_eq(s->o.type->build(&s->o, s->g, &at, &s->shape, &e), 0, "%s", e.msg);
    cr_assert_eq(graph_compile(s->g, GRAPH_TRAIN, N, &e), 0, "%s", e.msg);
    graph_init_params(s->g, 3);
    cr_assert_eq(s->o.type->start(&s->o, s->g, &(objective_setting){.batch = N}, &e), 0);
    for (size_t i = 0; i < sizeof s->target; i++)
        s->target[i] = (uint8_t)rng_below(&r, 256);
    for (size_t i = 0; i < sizeof s->weight; i++)
        s->weight[i] = (uint8_t)rng_below(&r, 3) * 5;
    for (int i = 0; i < N * PIXELS; i++)
        for (int k = 0; k < NEAR; k++) {
            s->bin[i * NEAR + k] = (i + 3 * k) % CLASSES;
            s->share[i * NEAR + k] = i < PIXELS / 2 ? 0 : (float)rng_uniform(&r);
        }
    for (int i = 0; i < N * PIXELS * C; i++)
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

    memcpy(graph_input_data(s->g, s->x), s->input, sizeof s->input);
    cr_assert_eq(graph_forward(s->g, N, GRAPH_MODE_TRAIN, &e), 0, "%s", e.msg);
    cr_assert_eq(s->o.type->loss(&s->o, s->g, &step, &r, &e), 0, "%s", e.msg);
    return r;
}

/* The formulas of the header comment, in doubles, on plain arrays. */
static double formula(const setup *s, const float *y, int classes, int order)
{
    double sum = 0, total = 0;

    for (int n = 0; n < N; n++)
        for (int p = 0; p < PIXELS; p++) {
            int at = n * PIXELS + p;
            const float *v = y + (size_t)n * PIXELS * (size_t)(classes ? classes : C) + p;
            if (!classes) {
                double w = s->b.field[1] ? s->weight[at] : 1;
                for (int k = 0; k < C; k++)
                    sum += w * pow(fabs(v[k * PIXELS] - (s->target[at * C + k] / 127.5 - 1) / spread), order);
                total += w * C;
                continue;
            }
            double z = 0;
            for (int k = 0; k < classes; k++)
                z += exp(v[k * PIXELS]);
            for (int k = 0; k < NEAR; k++) {
                sum -= s->share[at * NEAR + k] * (v[s->bin[at * NEAR + k] * PIXELS] - log(z));
                total += s->share[at * NEAR + k];
            }
        }
    return sum / total;
}

/* The gradient at the answer against differences of the formula. */
static void check_gradient(setup *s, int classes, int order)
{
    node out = graph_find(s->g, "answer");
    objective_result r = forward(s);
    int channels = classes ? classes : C, count = N * PIXELS * channels;
    err e = {0};
    float *y = malloc((size_t)count * sizeof *y);
    const float *dy = graph_grad(s->g, out);

    memcpy(y, graph_value(s->g, out), (size_t)count * sizeof *y);
    cr_assert_float_eq(r.loss, formula(s, y, classes, order), 2e-5);
    cr_assert_eq(r.bad, -1);
    for (int i = 0; i < count; i += 7) {
        float kept = y[i], h = 1e-2f;
        y[i] = kept + h;
        double up = formula(s, y, classes, order), upper = y[i];
        y[i] = kept - h;
        double down = formula(s, y, classes, order), lower = y[i];
        y[i] = kept;
        double slope = (up - down) / (upper - lower);
        uint8_t t = classes ? 0 : s->target[i / (PIXELS * C) * PIXELS * C + i % PIXELS * C + i / PIXELS % C];
        bool kink = order == 1 && fabs(kept - (t / 127.5 - 1) / spread) < h;
        cr_assert(kink || fabs(dy[i] - slope) < 1e-6 + 1e-3 * fabs(slope), "answer %d: %g is not %g", i, dy[i], slope);
    }

    cr_assert_eq(graph_backward(s->g, &e), 0);
    double size = 0;
    for (int i = 0; i < N * PIXELS * C; i++)
        size = fmax(size, fabs((double)graph_input_grad(s->g, s->x)[i]));
    cr_assert(size > 1e-5); /* it reaches the input; whether rightly, nn_graph.c asks of each layer */
    free(y);
}

Test(reconstruct, squares_and_their_gradient)
{
    setup s;

    start(&s, 0, NULL, 0);
    check_gradient(&s, 0, 2);
    s.b.field[1] = NULL; /* without weights */
    check_gradient(&s, 0, 2);
    stop(&s);
}

Test(reconstruct, absolute_values_and_their_gradient)
{
    const char *settings[] = {"order=1"};
    setup s;

    start(&s, 0, settings, 1);
    check_gradient(&s, 0, 1);
    stop(&s);
}

Test(reconstruct, differences_in_units_of_the_spread)
{
    const char *settings[] = {"order=1"};
    setup s;

    spread = 0.25;
    start(&s, 0, NULL, 0);
    check_gradient(&s, 0, 2);
    stop(&s);
    start(&s, 0, settings, 1);
    check_gradient(&s, 0, 1);
    stop(&s);
}

Test(reconstruct, soft_cross_entropy_and_its_gradient)
{
    setup s;

    start(&s, CLASSES, NULL, 0);
    check_gradient(&s, CLASSES, 0);
    objective_result r = forward(&s);
    cr_assert_eq(r.counted, N * PIXELS - PIXELS / 2); /* those whose shares are not 0 */
    stop(&s);
}

Test(reconstruct, through_a_bottleneck_and_from_an_earlier_map)
{
    const char *narrow[] = {"bottleneck=9", "width=5"}, *early[] = {"skip=1"};
    setup s;

    start(&s, 0, narrow, 2);
    check_gradient(&s, 0, 2);
    stop(&s);
    start(&s, 0, early, 1); /* layer1 is as large as the answer: nothing to enlarge */
    check_gradient(&s, 0, 2);
    int convs = 0;
    for (int i = 0; i < graph_param_count(s.g); i++)
        convs += strncmp(graph_param(s.g, i)->name, "decoder.conv", 12) == 0;
    cr_assert_eq(convs, 1);
    stop(&s);
}

Test(reconstruct, where_nothing_is_asked_there_is_no_loss)
{
    setup s;

    start(&s, 0, NULL, 0);
    memset(s.weight, 0, sizeof s.weight);
    cr_assert_eq(forward(&s).loss, 0);
    stop(&s);
    start(&s, CLASSES, NULL, 0);
    memset(s.share, 0, sizeof s.share);
    objective_result r = forward(&s);
    cr_assert_eq(r.loss, 0);
    cr_assert_eq(r.counted, 0);
    stop(&s);
}

Test(reconstruct, bins_and_shares_are_checked)
{
    setup s;
    err e = {0};

    start(&s, CLASSES, NULL, 0);
    for (int i = 0; i < N; i++)
        cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, i, &e), 0);
    s.bin[PIXELS * NEAR] = CLASSES;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 0, &e), 0);
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 1, &e), -1);
    s.bin[PIXELS * NEAR] = 0;
    s.share[PIXELS * NEAR] = -1;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 1, &e), -1);
    s.share[PIXELS * NEAR] = NAN;
    cr_assert_eq(s.o.type->check(&s.o, &s.shape, &s.b, 1, &e), -1);
    stop(&s);
}

/* Answers of every size that the tasks ask for, from real encoders. */
Test(reconstruct, sizes)
{
    static const struct { const char *encoder; int side, up, down, answer; } sizes[] = {
        {"resnet10", 32, 1, 1, 32}, {"resnet10", 32, 1, 4, 8}, {"resnet10", 8, 4, 1, 32}, {"resnet10", 28, 1, 1, 28},
        {"convnet", 32, 1, 1, 32}, {"resnet18", 176, 1, 4, 44}, {"resnet18", 96, 1, 1, 96}, {"resnet10", 30, 2, 1, 60},
        {"resnet10", 33, 1, 1, 33}, {"resnet10", 50, 1, 1, 50}, {"resnet10", 36, 1, 4, 9}, {"resnet10", 22, 2, 1, 44},
        {"convnet", 9, 1, 1, 9}, {"resnet10", 1, 4, 1, 4},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        value *v = declare(C, 0, sizes[i].up, sizes[i].down);
        objective o;
        network n;
        err e = {0};
        int c, h, w;
        network_arch a = {.enc = encoder_find(sizes[i].encoder), .options = {.width = 4}, .H = sizes[i].side, .W = sizes[i].side,
                          .C = 3, .projector = "none"};
        a.options = encoder_resolve(a.enc, a.options, a.H, a.W);
        cr_assert_eq(transform_resolve(&a.input, NULL, 3, &e), 0);
        cr_assert_eq(objective_init(&o, v, NULL, 0, &e), 0);
        cr_assert_eq(network_build(&n, &a, &o, NULL, 1, &e), 0, "%zu: %s", i, e.msg);
        graph_shape(n.g, graph_find(n.g, "answer"), &c, &h, &w);
        cr_assert(c == C && h == sizes[i].answer && w == sizes[i].answer, "%zu: %d x %d x %d", i, c, h, w);
        /* Whatever the size, it is made of the last map, so that no layer stays untrained. */
        node last = graph_find(n.g, strcmp(sizes[i].encoder, "convnet") ? "layer4" : "layer3"), first = n.at.features + 1;
        cr_assert_eq(graph_vertex(n.g, first).in[0], last, "%zu", i);
        network_clear(&n);
        objective_clear(&o);
        value_free(v);
    }
}

Test(reconstruct, headers_that_cannot_be)
{
    value *bad[] = {declare(0, 0, 1, 1), declare(3, 5, 1, 1), declare(3, 0, 0, 1), declare(3, 0, 1, 1000), declare(3, 0, 1, 1)};

    value_set(bad[4], "spread", value_float(0));

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        objective o;
        err e = {0};
        cr_assert_eq(objective_init(&o, bad[i], NULL, 0, &e), -1, "%zu", i);
        cr_assert_eq(e.kind, ERR_INPUT);
        objective_clear(&o);
        value_free(bad[i]);
    }
}

/* A picture of an answer is that answer; outside the mask it is the truth. */
static void check_pictures(void)
{
    setup s;
    objective_picture p = {0};
    objective_step step;
    err e = {0};

    start(&s, 0, NULL, 0);
    forward(&s);
    step = (objective_step){.b = &s.b, .shape = &s.shape};
    cr_assert_eq(s.o.type->picture(&s.o, s.g, &step, 1, &p, &e), 0, "%s", e.msg);
    cr_assert(p.H == SIDE && p.W == SIDE);
    const float *y = graph_value(s.g, graph_find(s.g, "answer")) + C * PIXELS;
    for (int i = 0; i < PIXELS; i++)
        for (int k = 0; k < 3; k++) {
            double v = (spread * y[k * PIXELS + i] + 1) * 127.5;
            uint8_t truth = s.target[(PIXELS + i) * C + k];
            cr_assert_eq(p.truth[3 * i + k], truth);
            if (s.weight[PIXELS + i] == 0)
                cr_assert_eq(p.answer[3 * i + k], truth);
            else
                cr_assert_float_eq(p.answer[3 * i + k], v < 0 ? 0 : v > 255 ? 255 : v, 0.51);
        }
    free(p.answer);
    free(p.truth);
    stop(&s);
}

Test(reconstruct, pictures)
{
    check_pictures();
    spread = 0.25;
    check_pictures();
}
