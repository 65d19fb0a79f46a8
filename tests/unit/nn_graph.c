/*
 * The engine against its own naive reference in double precision: every layer
 * and the chains that the planner fuses, forward and backward, over odd shapes
 * and partial batches, with every set of kernels that this processor has; the
 * reference itself against finite differences.
 */
#include "nn/encoder.h"
#include "nn/reference.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A test whose body runs once for each set of kernels. */
#define Test_each_cpu(suite, name)                                                                  \
    static void suite##_##name##_on_cpu(void);                                                      \
    Test(suite, name)                                                                               \
    {                                                                                               \
        static const char *const sets[] = {"generic", "avx2", "avx512"};                            \
        for (size_t cpu_ = 0; cpu_ < sizeof sets / sizeof *sets; cpu_++) {                          \
            err e_;                                                                                 \
            setenv("SSL_CPU", sets[cpu_], 1);                                                       \
            if (kernels_choose(&e_))                                                                \
                suite##_##name##_on_cpu();                                                          \
        }                                                                                           \
    }                                                                                               \
    static void suite##_##name##_on_cpu(void)

static void fill(rng *r, float *f, double *d, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float v = (float)rng_normal(r);
        if (f)
            f[i] = v;
        if (d)
            d[i] = v;
    }
}

/* The largest difference relative to the largest magnitude (or to 1, where all are small: gradients that cancel). */
static double distance(const float *f, const double *d, size_t count)
{
    double worst = 0, size = 1;

    for (size_t i = 0; i < count; i++) {
        double diff = fabs(f[i] - d[i]);
        if (!(diff <= worst))
            worst = diff;
        if (fabs(d[i]) > size)
            size = fabs(d[i]);
    }
    return worst / size;
}

static size_t count_of(const graph *g, node x, int n)
{
    return (size_t)graph_rows(g, x, n) * g->vertices[x].C * g->vertices[x].pixels;
}

static size_t param_size(const graph *g, int i)
{
    size_t count = 1;

    for (int d = 0; d < graph_param(g, i)->ndim; d++)
        count *= (size_t)graph_param(g, i)->shape[d];
    return count;
}

static void random_params(graph *g, rng *r)
{
    for (int i = 0; i < graph_param_count(g); i++) {
        const param_info *p = graph_param(g, i);
        size_t count = param_size(g, i);
        float *f = malloc(count * sizeof *f);
        for (size_t j = 0; j < count; j++)
            f[j] = p->role == PARAM_WEIGHT ? (float)(rng_normal(r) * sqrt(2.0 / (double)p->fan_in))
                                           : (float)(0.5 + rng_uniform(r));
        graph_set_tensor(g, i, f);
        free(f);
    }
}

/*
 * Forward and, for a training graph, backward of everything, engine and
 * reference, with random input, parameters and output gradients.
 */
static double compare(graph *g, int n, graph_mode mode, const char *what)
{
    err e = {.kind = ERR_NONE};
    rng r = rng_at(rng_mix_str(n, what));
    double worst = 0;

    random_params(g, &r);
    graph_reset_stats(g);
    reference *ref = reference_new(g, n);
    cr_assert(ref);
    for (node x = 0; x < g->count; x++)
        if (g->vertices[x].layer == &layer_input)
            fill(&r, graph_input_data(g, x), reference_value(ref, x), count_of(g, x, n));
    cr_assert(graph_forward(g, n, mode, &e) == 0, "%s: %s", what, e.msg);
    reference_forward(ref, mode);
    reference_zero_grad(ref);
    for (node x = 0; x < g->count; x++) {
        if (!g->vertices[x].output)
            continue;
        double d = distance(graph_value(g, x), reference_value(ref, x), count_of(g, x, n));
        cr_expect(d < 2e-5, "%s: value of node %d differs by %.2g", what, x, d);
        worst = d > worst ? d : worst;
        if (g->use == GRAPH_TRAIN)
            fill(&r, graph_grad(g, x), reference_grad(ref, x), count_of(g, x, n));
    }
    for (int i = 0; g->use == GRAPH_TRAIN && i < graph_param_count(g); i++)
        if (graph_param(g, i)->role == PARAM_STATE) {
            float *f = malloc(param_size(g, i) * sizeof *f);
            graph_get_tensor(g, i, f);
            double d = distance(f, reference_param(ref, i), param_size(g, i));
            cr_expect(d < 1e-5, "%s: %s differs by %.2g", what, graph_param(g, i)->name, d);
            free(f);
        }
    if (g->use != GRAPH_TRAIN)
        goto out;

    cr_assert(graph_backward(g, &e) == 0, "%s: %s", what, e.msg);
    reference_backward(ref);
    for (int i = 0; i < graph_param_count(g); i++) {
        if (graph_param(g, i)->role == PARAM_STATE)
            continue;
        float *f = malloc(param_size(g, i) * sizeof *f);
        graph_get_grad(g, i, f);
        double d = distance(f, reference_param_grad(ref, i), param_size(g, i));
        cr_expect(d < 3e-4, "%s: gradient of %s differs by %.2g", what, graph_param(g, i)->name, d);
        worst = d > worst ? d : worst;
        free(f);
    }
    for (node x = 0; x < g->count; x++)
        if (g->vertices[x].layer == &layer_input && g->vertices[x].want_grad) {
            double d = distance(graph_input_grad(g, x), reference_grad(ref, x), count_of(g, x, n));
            cr_expect(d < 1e-4, "%s: input gradient differs by %.2g", what, d);
            worst = d > worst ? d : worst;
        }
    /* Padding of the arena must stay zero, or optimisers would let it grow. */
    double inside = 0, all = 0;
    for (int i = 0; i < graph_param_count(g); i++)
        if (graph_param(g, i)->role != PARAM_STATE) {
            float *f = malloc(param_size(g, i) * sizeof *f);
            graph_get_grad(g, i, f);
            for (size_t j = 0; j < param_size(g, i); j++)
                inside += f[j] != 0;
            free(f);
        }
    for (size_t i = 0; i < graph_weights_count(g); i++)
        all += graph_grads(g)[i] != 0;
    cr_expect(inside == all, "%s: %g gradients in the padding", what, all - inside);
out:
    reference_free(ref);
    return worst;
}

static graph *begin(int threads)
{
    err e;
    graph *g = graph_new(threads, &e);

    cr_assert(g, "%s", e.msg);
    return g;
}

static void compile(graph *g, graph_use use, int batch)
{
    err e;

    cr_assert(graph_compile(g, use, batch, &e) == 0, "%s", e.msg);
}

typedef struct conv_case {
    int C, H, W, K, kernel, stride, pad, bias;
} conv_case;

/* One and three channels, tails, small and odd maps, strides, one pixel. */
static const conv_case conv_cases[] = {
    {1, 7, 5, 3, 3, 1, 1, 1},    {3, 9, 9, 16, 3, 1, 1, 0},   {3, 15, 11, 8, 7, 2, 3, 0},  {16, 8, 8, 16, 3, 1, 1, 0},
    {16, 8, 8, 32, 3, 2, 1, 0},  {16, 7, 9, 32, 3, 2, 1, 0},  {16, 8, 8, 32, 1, 2, 0, 0},  {20, 5, 5, 37, 3, 1, 1, 1},
    {17, 2, 2, 33, 3, 1, 1, 0},  {16, 1, 1, 16, 3, 1, 1, 0},  {32, 4, 4, 64, 1, 1, 0, 0},  {32, 3, 1, 5, 3, 1, 1, 0},
    {8, 6, 6, 8, 5, 3, 2, 1},    {24, 13, 13, 24, 3, 1, 0, 0}, {48, 10, 10, 40, 3, 1, 1, 0}, {64, 6, 6, 64, 3, 1, 1, 0},
    {16, 16, 16, 16, 2, 2, 0, 0}, {2, 4, 4, 2, 1, 1, 0, 1},    {40, 5, 3, 24, 3, 1, 2, 0},
    {33, 17, 15, 40, 1, 1, 0, 1},  {16, 9, 9, 20, 1, 1, 0, 0},  {24, 4, 4, 20, 3, 2, 1, 1},  {20, 3, 4, 16, 3, 2, 1, 0},
    {16, 2, 2, 20, 5, 1, 2, 0},    {16, 1, 4, 16, 3, 1, 1, 0},   {32, 8, 8, 20, 3, 2, 1, 1},  {40, 13, 16, 33, 3, 2, 1, 0},
    {32, 14, 15, 16, 3, 2, 1, 0},
};

Test_each_cpu(conv, agrees_with_the_reference)
{
    for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++)
        for (int n = 5; n >= 1; n -= 2)
            for (int first = 0; first < 2; first++) {
                const conv_case *c = &conv_cases[i];
                char what[128];
                snprintf(what, sizeof what, "conv %d,%dx%d -> %d, kernel %d stride %d pad %d%s, %d rows", c->C, c->H, c->W,
                         c->K, c->kernel, c->stride, c->pad, first ? "" : ", after a relu", n);
                graph *g = begin(2);
                node x = graph_input(g, c->C, c->H, c->W);
                graph_want_input_grad(g, x);
                node y = first ? x : graph_relu(g, x);
                y = graph_conv2d(g, "conv", y, c->K, c->kernel, c->stride, c->pad, c->bias);
                graph_output(g, y);
                compile(g, GRAPH_TRAIN, 5);
                compare(g, n, GRAPH_MODE_TRAIN, what);
                graph_free(g);
            }
}

Test_each_cpu(linear, agrees_with_the_reference)
{
    static const int shapes[][2] = {{1, 1}, {5, 10}, {16, 16}, {64, 10}, {100, 37}, {512, 130}};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int n = 1; n <= 33; n += 16) {
            graph *g = begin(2);
            node x = graph_input(g, shapes[i][0], 0, 0);
            graph_want_input_grad(g, x);
            graph_output(g, graph_linear(g, "fc", x, shapes[i][1], i % 2));
            compile(g, GRAPH_TRAIN, 40);
            compare(g, n, GRAPH_MODE_TRAIN, "linear");
            graph_free(g);
        }
}

Test_each_cpu(pool, agrees_with_the_reference)
{
    static const int cases[][5] = {{3, 7, 3, 2, 1}, {16, 8, 3, 2, 1}, {20, 6, 2, 2, 0}, {4, 5, 3, 1, 1}, {16, 1, 1, 1, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *c = cases[i];
        char what[64];
        graph *g = begin(2);
        node x = graph_input(g, c[0], c[1], c[1] + 1);
        graph_want_input_grad(g, x);
        node y = graph_maxpool(g, x, c[2], c[3], c[4]);
        graph_output(g, y);
        graph_output(g, graph_global_avgpool(g, y));
        compile(g, GRAPH_TRAIN, 4);
        snprintf(what, sizeof what, "pool %d,%d kernel %d stride %d pad %d", c[0], c[1], c[2], c[3], c[4]);
        compare(g, 3, GRAPH_MODE_TRAIN, what);
        graph_free(g);
    }
}

/* Every chain that the planner may fuse, and those that it must not. */
static node norm_chain(graph *g, node x, int kind)
{
    node z = graph_conv2d(g, "c1", x, 20, 3, 1, 1, false);
    node a = graph_batchnorm(g, "b1", z);

    switch (kind) {
    case 0:
        return a;
    case 1:
        return graph_relu(g, a);
    case 2: /* the residual is needed twice */
        return graph_relu(g, graph_add(g, a, graph_relu(g, graph_batchnorm(g, "b2", graph_conv2d(g, "c2", x, 20, 1, 1, 0, false)))));
    case 3:
        return graph_add(g, graph_batchnorm(g, "b2", graph_conv2d(g, "c2", x, 20, 1, 1, 0, false)), a);
    case 4: { /* an identity block */
        node r = graph_relu(g, a);
        node y = graph_batchnorm(g, "b2", graph_conv2d(g, "c2", r, 20, 3, 1, 1, false));
        return graph_relu(g, graph_add(g, y, r));
    }
    case 5: /* the normalised value is read elsewhere too */
        graph_output(g, a);
        return graph_relu(g, a);
    case 6: /* the sum of a node and itself */
        return graph_relu(g, graph_add(g, a, a));
    case 7: /* the residual is the normalisation's own input */
        return graph_relu(g, graph_add(g, z, a));
    case 8:
        return graph_relu(g, graph_add(g, graph_relu(g, a), z));
    default: {
        node d = graph_add(g, graph_batchnorm_plain(g, "b2", a), z);
        return graph_add(g, d, graph_relu(g, d));
    }
    }
}

Test_each_cpu(norm, agrees_with_the_reference)
{
    static const graph_mode modes[] = {GRAPH_MODE_TRAIN, GRAPH_MODE_EVAL, GRAPH_MODE_ESTIMATE};

    for (int kind = 0; kind < 10; kind++)
        for (int m = 0; m < 3; m++)
            for (int use = 0; use < 2; use++) {
                char what[64];
                snprintf(what, sizeof what, "norm chain %d, mode %d, use %d", kind, m, use);
                graph *g = begin(2);
                node x = graph_input(g, 18, 5, 6);
                graph_want_input_grad(g, x);
                node y = norm_chain(g, x, kind);
                node p = graph_global_avgpool(g, graph_conv2d(g, "head", y, 3, 3, 2, 1, false));
                graph_output(g, y);
                graph_output(g, graph_batchnorm(g, "last", graph_linear(g, "fc", p, 7, false)));
                compile(g, use ? GRAPH_TRAIN : GRAPH_INFER, 5);
                compare(g, 5, use ? modes[m] : GRAPH_MODE_EVAL, what);
                compare(g, 3, use ? modes[m] : GRAPH_MODE_EVAL, what);
                graph_free(g);
            }
}

/* How images come together, and whether the weights were transformed for one pass or for all, changes no bit. */
Test_each_cpu(inference, of_one_image_is_the_same_in_any_batch)
{
    enum { B = 24 };
    graph *g = begin(2);
    node x = graph_input(g, 3, 16, 16);
    node y = graph_relu(g, graph_batchnorm(g, "b1", graph_conv2d(g, "c1", x, 32, 3, 1, 1, false)));
    y = graph_relu(g, graph_batchnorm(g, "b2", graph_conv2d(g, "c2", y, 48, 3, 1, 1, false)));
    y = graph_relu(g, graph_batchnorm(g, "b3", graph_conv2d(g, "c3", y, 40, 3, 2, 1, false)));
    y = graph_global_avgpool(g, graph_conv2d(g, "c4", y, 33, 3, 1, 1, true));
    graph_output(g, y);
    compile(g, GRAPH_INFER, B);
    graph_init_params(g, 1);
    float *in = graph_input_data(g, x), first[33], all[B][33];
    rng r = rng_at(7);
    err e;
    fill(&r, in, NULL, (size_t)B * 3 * 16 * 16);
    for (int pass = 0; pass < 4; pass++) {
        int n = pass == 2 ? B : pass == 3 ? 5 : 1;
        cr_assert_eq(graph_forward(g, n, GRAPH_MODE_EVAL, &e), 0);
        if (pass == 0)
            memcpy(first, graph_value(g, y), sizeof first);
        if (pass == 2)
            memcpy(all, graph_value(g, y), sizeof all);
        cr_assert_eq(memcmp(first, graph_value(g, y), sizeof first), 0, "pass %d", pass);
        if (pass == 3)
            cr_assert_eq(memcmp(all, graph_value(g, y), 5 * sizeof first), 0);
    }
    graph_free(g);
}

/* Slices of the weights' gradient, and which outputs a job takes, do not show in the sums. */
Test_each_cpu(gradients, do_not_depend_on_the_threads)
{
    static const int shapes[][4] = {{40, 72, 12, 1}, {40, 72, 12, 2}, {300, 290, 4, 1}};

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        float *first = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            graph *g = begin(threads);
            node x = graph_input(g, shapes[s][0], shapes[s][2], shapes[s][2]);
            graph_want_input_grad(g, x);
            node y = graph_conv2d(g, "c", x, shapes[s][1], 3, shapes[s][3], 1, false);
            graph_output(g, y);
            compile(g, GRAPH_TRAIN, 9);
            graph_init_params(g, 1);
            rng r = rng_at(7);
            err e;
            for (int rows = 9; rows > 0; rows -= 7) { /* and fewer than planned */
                fill(&r, graph_input_data(g, x), NULL, count_of(g, x, rows));
                cr_assert_eq(graph_forward(g, rows, GRAPH_MODE_TRAIN, &e), 0);
                fill(&r, graph_grad(g, y), NULL, count_of(g, y, rows));
                cr_assert_eq(graph_backward(g, &e), 0);
            }
            size_t bytes = graph_weights_count(g) * sizeof *first;
            if (threads == 1)
                first = memcpy(malloc(bytes), graph_grads(g), bytes);
            cr_assert_eq(memcmp(first, graph_grads(g), bytes), 0, "shape %zu, %d threads", s, threads);
            graph_free(g);
        }
        free(first);
    }
}

/* A projector: normalisations of vectors between linear layers. */
Test_each_cpu(projector, agrees_with_the_reference)
{
    for (int use = 0; use < 2; use++) {
        graph *g = begin(2);
        node x = graph_input(g, 21, 0, 0);
        graph_want_input_grad(g, x);
        node y = graph_relu(g, graph_batchnorm(g, "b1", graph_linear(g, "l1", x, 40, false)));
        y = graph_relu(g, graph_batchnorm(g, "b2", graph_linear(g, "l2", y, 48, true)));
        y = graph_batchnorm_plain(g, "b3", graph_linear(g, "l3", y, 33, false));
        graph_output(g, y);
        compile(g, use ? GRAPH_TRAIN : GRAPH_INFER, 300);
        compare(g, 300, use ? GRAPH_MODE_TRAIN : GRAPH_MODE_EVAL, "projector");
        compare(g, 37, use ? GRAPH_MODE_TRAIN : GRAPH_MODE_EVAL, "projector");
        if (use)
            compare(g, 37, GRAPH_MODE_EVAL, "projector, evaluation");
        graph_free(g);
    }
}

Test_each_cpu(reshape, agrees_with_the_reference)
{
    for (int D = 5; D <= 32; D += 11)
        for (int use = 0; use < 2; use++) {
            graph *g = begin(1);
            node x = graph_input(g, D, 3, 2);
            graph_want_input_grad(g, x);
            node f = graph_flatten(g, x);
            node h = graph_flatten(g, graph_relu(g, x));
            node v = graph_linear(g, "a", graph_flatten(g, graph_add(g, f, h)), D, true);
            node c = graph_concat_rows(g, v, 3);
            node d = graph_concat_rows(g, graph_linear(g, "b", c, D, true), 1);
            graph_output(g, d);
            graph_output(g, c);
            graph_output(g, v);
            compile(g, use ? GRAPH_TRAIN : GRAPH_INFER, 9);
            compare(g, 9, GRAPH_MODE_TRAIN, "reshape");
            compare(g, 6, GRAPH_MODE_TRAIN, "reshape");
            graph_free(g);
        }
}

/* From maps and from vectors, to whole blocks of channels and to parts of one. */
Test_each_cpu(pixel_shuffle, agrees_with_the_reference)
{
    static const struct { int C, H, W, up; } shapes[] = {{3, 3, 2, 2}, {17, 2, 4, 2}, {2, 1, 3, 3}, {16, 2, 2, 1}, {33, 3, 3, 2}};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int use = 0; use < 2; use++) {
            int C = shapes[i].C, up = shapes[i].up;
            graph *g = begin(1);
            node x = graph_input(g, C * up * up, shapes[i].H, shapes[i].W);
            graph_want_input_grad(g, x);
            node r = graph_relu(g, x);
            node y = graph_pixel_shuffle(g, r, up); /* r has two readers: gradients are added */
            node z = graph_pixel_shuffle(g, graph_relu(g, graph_linear(g, "a", graph_flatten(g, r), C * 9, true)), 3);
            graph_output(g, graph_conv2d(g, "c", y, 5, 3, 1, 1, true));
            graph_output(g, z);
            compile(g, use ? GRAPH_TRAIN : GRAPH_INFER, 6);
            compare(g, 6, GRAPH_MODE_TRAIN, "pixel shuffle");
            compare(g, 5, GRAPH_MODE_TRAIN, "pixel shuffle");
            graph_free(g);
        }
}

/* As a decoder has it: normalisation and ReLU before the shuffle, a convolution after it. */
Test_each_cpu(pixel_shuffle, in_a_decoder)
{
    for (int C = 3; C <= 18; C += 5) {
        graph *g = begin(1);
        node x = graph_input(g, 3, 4, 4);
        graph_want_input_grad(g, x);
        node a = graph_relu(g, graph_batchnorm(g, "na", graph_conv2d(g, "a", x, C, 3, 1, 1, false)));
        node b = graph_relu(g, graph_batchnorm(g, "nb", graph_conv2d(g, "b", a, 4 * C, 3, 1, 1, false)));
        node u = graph_relu(g, graph_batchnorm(g, "nu", graph_conv2d(g, "u", graph_pixel_shuffle(g, b, 2), 4 * C, 3, 1, 1, false)));
        graph_output(g, graph_conv2d(g, "c", graph_pixel_shuffle(g, u, 2), 3, 3, 1, 1, true));
        graph_output(g, graph_global_avgpool(g, a));
        compile(g, GRAPH_TRAIN, 6);
        compare(g, 6, GRAPH_MODE_TRAIN, "decoder");
        compare(g, 5, GRAPH_MODE_TRAIN, "decoder");
        graph_free(g);
    }
}

/* Each r x r square of the result holds the values of r r channels at one place, row by row. */
Test(pixel_shuffle, channels_become_pixels)
{
    graph *g = begin(1);
    node x = graph_input(g, 8, 1, 2), y = graph_pixel_shuffle(g, x, 2);
    err e = {0};

    graph_output(g, y);
    compile(g, GRAPH_INFER, 1);
    for (int i = 0; i < 16; i++) /* channel c, pixel w: 2 c + w */
        graph_input_data(g, x)[i] = (float)i;
    cr_assert_eq(graph_forward(g, 1, GRAPH_MODE_EVAL, &e), 0, "%s", e.msg);
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 4; j++) /* input channel 4 c + 2 i + j % 2, pixel j / 2 */
                cr_assert_eq(graph_value(g, y)[(c * 2 + i) * 4 + j], (float)(2 * (4 * c + 2 * i + j % 2) + j / 2));
    graph_free(g);
}

/* Of one block of channels and of several, with a part of one; next to another reader of the same map. */
Test_each_cpu(crop, agrees_with_the_reference)
{
    static const struct { int C, H, W, h, w; } shapes[] = {{3, 3, 2, 2, 2}, {17, 4, 5, 4, 3}, {33, 5, 5, 1, 5}, {16, 6, 6, 5, 1}};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int use = 0; use < 2; use++) {
            graph *g = begin(1);
            node x = graph_input(g, shapes[i].C, shapes[i].H, shapes[i].W);
            graph_want_input_grad(g, x);
            node r = graph_relu(g, graph_conv2d(g, "a", x, shapes[i].C, 3, 1, 1, true));
            graph_output(g, graph_crop(g, r, shapes[i].h, shapes[i].w));
            node y = graph_crop(g, graph_conv2d(g, "b", r, 5, 3, 1, 1, true), shapes[i].h, shapes[i].w);
            graph_output(g, use ? graph_batchnorm(g, "n", y) : y);
            compile(g, use ? GRAPH_TRAIN : GRAPH_INFER, 6);
            compare(g, 6, GRAPH_MODE_TRAIN, "crop");
            compare(g, 5, GRAPH_MODE_TRAIN, "crop");
            graph_free(g);
        }
    graph *g = begin(1);
    node x = graph_input(g, 3, 4, 4);
    cr_assert_eq(graph_crop(g, x, 4, 4), x); /* nothing is to be done */
    cr_assert_eq(graph_crop(g, x, 5, 4), -1);
    cr_assert_eq(graph_crop(g, x, 4, 0), -1);
    graph_free(g);
}

/* The reference's own backward pass against central differences of its forward pass. */
Test(reference, agrees_with_finite_differences)
{
    graph *g = begin(1);
    node x = graph_input(g, 3, 6, 5);
    graph_want_input_grad(g, x);
    node y = graph_relu(g, graph_batchnorm(g, "b1", graph_conv2d(g, "c1", x, 4, 3, 2, 1, true)));
    y = graph_maxpool(g, graph_add(g, y, graph_batchnorm_plain(g, "b2", graph_conv2d(g, "c2", y, 4, 1, 1, 0, false))), 2, 1, 0);
    y = graph_add(g, graph_flatten(g, y), graph_flatten(g, y));
    y = graph_flatten(g, graph_crop(g, graph_pixel_shuffle(g, graph_pixel_shuffle(g, graph_linear(g, "up", y, 16, true), 2), 2), 3, 2));
    y = graph_concat_rows(g, graph_linear(g, "fc", y, 5, true), 2);
    graph_output(g, y);
    compile(g, GRAPH_TRAIN, 4);
    rng r = rng_at(1);
    random_params(g, &r);
    reference *ref = reference_new(g, 4);
    size_t outputs = count_of(g, y, 4), inputs = count_of(g, x, 4);
    double *w = malloc(outputs * sizeof *w), worst = 0;
    fill(&r, NULL, reference_value(ref, x), inputs);
    fill(&r, NULL, w, outputs);
    reference_forward(ref, GRAPH_MODE_TRAIN);
    reference_zero_grad(ref);
    for (size_t i = 0; i < outputs; i++)
        reference_grad(ref, y)[i] = w[i];
    reference_backward(ref);

    for (int i = -1; i < graph_param_count(g); i++) {
        if (i >= 0 && graph_param(g, i)->role == PARAM_STATE)
            continue;
        double *v = i < 0 ? reference_value(ref, x) : reference_param(ref, i);
        double *d = i < 0 ? reference_grad(ref, x) : reference_param_grad(ref, i);
        size_t count = i < 0 ? inputs : param_size(g, i);
        for (size_t j = 0; j < count; j++) {
            double keep = v[j], h = 1e-6, sides[2];
            for (int s = 0; s < 2; s++) {
                v[j] = keep + (s ? h : -h);
                reference_forward(ref, GRAPH_MODE_TRAIN);
                sides[s] = 0;
                for (size_t k = 0; k < outputs; k++)
                    sides[s] += w[k] * reference_value(ref, y)[k];
            }
            v[j] = keep;
            double diff = fabs((sides[1] - sides[0]) / (2 * h) - d[j]) / (1 + fabs(d[j]));
            worst = diff > worst ? diff : worst;
        }
    }
    cr_expect(worst < 1e-6, "the worst of all derivatives is off by %.2g", worst);
    free(w);
    reference_free(ref);
    graph_free(g);
}

/* Two runs, and one or several threads, give the same bits. */
Test_each_cpu(graph, is_deterministic)
{
    float *first = NULL;
    size_t count = 0;

    for (int threads = 1; threads <= 3; threads++)
        for (int again = 0; again < 2; again++) {
            err e;
            graph *g = begin(threads);
            node x = graph_input(g, 3, 16, 16);
            node y = encoder_build(encoder_find("resnet10"), g, x, (encoder_options){.width = 16}, &e);
            graph_output(g, y);
            compile(g, GRAPH_TRAIN, 7);
            graph_init_params(g, 5);
            rng r = rng_at(2);
            fill(&r, graph_input_data(g, x), NULL, count_of(g, x, 7));
            for (int step = 0; step < 2; step++) {
                cr_assert(graph_forward(g, 7, GRAPH_MODE_TRAIN, &e) == 0);
                for (size_t i = 0; i < count_of(g, y, 7); i++)
                    graph_grad(g, y)[i] = graph_value(g, y)[i] - 0.3f;
                cr_assert(graph_backward(g, &e) == 0);
                for (size_t i = 0; i < graph_weights_count(g); i++)
                    graph_weights(g)[i] -= 0.01f * graph_grads(g)[i];
                graph_weights_changed(g);
            }
            count = graph_weights_count(g);
            if (!first) {
                first = malloc(count * sizeof *first);
                memcpy(first, graph_weights(g), count * sizeof *first);
            } else {
                cr_expect(memcmp(first, graph_weights(g), count * sizeof *first) == 0, "%d threads differ from one", threads);
            }
            graph_free(g);
        }
    free(first);
}

Test(graph, reports_bad_builds)
{
    err e;
    graph *g = begin(1);
    node x = graph_input(g, 3, 4, 4);
    node y = graph_linear(g, "fc", x, 10, true);

    cr_expect(y == -1);
    cr_expect(graph_relu(g, y) == -1);
    cr_expect(graph_compile(g, GRAPH_TRAIN, 4, &e) == -1);
    cr_expect_str_eq(e.msg, "fc: a linear layer of a map");
    graph_free(g);
}

Test_each_cpu(encoder, agrees_with_the_reference)
{
    static const struct {
        const char *name;
        int C, H, width;
        encoder_stem stem;
    } cases[] = {{"resnet10", 3, 12, 8, STEM_AUTO}, {"resnet18", 1, 16, 16, STEM_7X7}, {"resnet50", 3, 16, 4, STEM_3X3},
                 {"resnet20", 3, 16, 16, STEM_AUTO}, {"convnet", 3, 9, 5, STEM_AUTO},   {"identity", 3, 4, 0, STEM_AUTO}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int use = 0; use < 2; use++) {
            err e;
            graph *g = begin(2);
            node x = graph_input(g, cases[i].C, cases[i].H, cases[i].H);
            node y = encoder_build(encoder_find(cases[i].name), g, x,
                                   (encoder_options){cases[i].width, cases[i].stem}, &e);
            cr_assert(y >= 0, "%s", e.msg);
            graph_output(g, y);
            if (graph_find(g, "layer1") >= 0)
                graph_output(g, graph_find(g, "layer1"));
            compile(g, use ? GRAPH_TRAIN : GRAPH_INFER, 6);
            compare(g, 4, use ? GRAPH_MODE_TRAIN : GRAPH_MODE_EVAL, cases[i].name);
            graph_free(g);
        }
}
