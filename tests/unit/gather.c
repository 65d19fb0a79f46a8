/* Batches in chunks: equal to the whole batch without batch normalisation; with it, the gradient of the chunked loss. */
#include "nn/trainer.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 12, P = 2, D = 9 };

static float input[N * P * D];
static int64_t index_of[N], pos[N], epoch[N];
static char key[N][128];
static batch_shape shape = {.type = DT_F4, .P = P, .C = D};

/* `encoder` identity, so that the projector's layers are all there is. */
static void start(trainer *t, const char *projector, const char *opt, int size, int chunk)
{
    err e = {0};
    rng r = rng_at(1);
    value *v = value_map();

    value_set(v, "name", value_str("contrast"));
    *t = (trainer){.arch = {.enc = encoder_find("identity"), .C = D}, .seed = 5, .chunk = chunk};
    strcpy(t->arch.projector, projector);
    cr_assert_eq(objective_init(&t->obj, v, NULL, 0, &e), 0);
    value_free(v);
    shape.field = t->obj.type->fields;
    cr_assert_eq(optimizer_parse(&t->opt, opt, &e), 0, "%s", e.msg);
    cr_assert_eq(schedule_parse(&t->sched, "constant", &e), 0);
    cr_assert_eq(trainer_start(t, &shape, size, -1, 1, &e), 0, "%s", e.msg);
    for (int i = 0; i < N * P * D; i++)
        input[i] = (float)rng_normal(&r);
}

/* Images first..first + n - 1 of the input. Returns the loss. */
static double step(trainer *t, int first, int n)
{
    batch b = {.n = n, .input = (uint8_t *)(input + first * P * D), .index = index_of, .pos = pos, .epoch = epoch, .key = key};
    double before = t->meter.loss;
    err e = {0};

    cr_assert_eq(trainer_step(t, &b, &shape, &e), 0, "%s", e.msg);
    return t->meter.loss - before;
}

static void compare(const graph *a, const graph *b, double tolerance)
{
    for (int i = 0; i < graph_param_count(a); i++) {
        const param_info *p = graph_param(a, i);
        float x[1024], y[1024];
        int64_t count = 1;
        for (int d = 0; d < p->ndim; d++)
            count *= p->shape[d];
        graph_get_tensor(a, i, x);
        graph_get_tensor(b, i, y);
        for (int64_t k = 0; k < count; k++)
            cr_assert_float_eq(x[k], y[k], tolerance, "%s[%ld]: %g, %g", p->name, (long)k, x[k], y[k]);
    }
}

Test(gather, without_batch_normalisation_it_is_the_whole_batch)
{
    static const int chunks[] = {1, 5, 6, 11};

    for (int c = 0; c < 4; c++) {
        trainer whole, parts;
        start(&whole, "7", "sgd:lr=0.5", N, 0);
        start(&parts, "7", "sgd:lr=0.5", N, chunks[c]);
        for (int s = 0; s < 4; s++)
            cr_assert_float_eq(step(&whole, 0, N), step(&parts, 0, N), 1e-6);
        compare(whole.net.g, parts.net.g, 2e-6);
        cr_assert_float_eq(whole.grad_norm, parts.grad_norm, 1e-6);
        trainer_clear(&whole);
        trainer_clear(&parts);
    }
}

/* Averaging the chunks' own losses is something else: that is why there is this. */
Test(gather, accumulation_would_differ)
{
    trainer whole, half;

    start(&whole, "7", "sgd:lr=0", N, 0);
    start(&half, "7", "sgd:lr=0", N / 2, 0);
    double together = step(&whole, 0, N), apart = (step(&half, 0, N / 2) + step(&half, N / 2, N / 2)) / 2;
    cr_assert_gt(fabs(together - apart), 0.1);
    trainer_clear(&whole);
    trainer_clear(&half);
}

/* The loss as a function of the weights, each chunk normalised by itself; and the gradient that training uses. */
Test(gather, with_it_the_gradient_is_that_of_the_chunked_loss)
{
    trainer t;
    double largest = 0;
    int off = 0, tried = 0;

    start(&t, "10-6", "sgd:lr=0,weight_decay=0", N, 5);
    step(&t, 0, N);
    for (int i = 0; i < graph_param_count(t.net.g); i++) {
        const param_info *p = graph_param(t.net.g, i);
        float x[1024], grad[1024];
        int64_t count = 1;
        for (int d = 0; d < p->ndim; d++)
            count *= p->shape[d];
        if (p->role == PARAM_STATE)
            continue;
        graph_get_tensor(t.net.g, i, x);
        step(&t, 0, N);
        graph_get_grad(t.net.g, i, grad);
        for (int64_t k = 0; k < count; k += 3) {
            float kept = x[k], h = 5e-4f;
            x[k] = kept + h;
            graph_set_tensor(t.net.g, i, x);
            double up = step(&t, 0, N);
            x[k] = kept - h;
            graph_set_tensor(t.net.g, i, x);
            double down = step(&t, 0, N);
            x[k] = kept;
            graph_set_tensor(t.net.g, i, x);
            tried++;
            off += fabs(grad[k] - (up - down) / (2 * h)) > 1e-3;
            largest = fmax(largest, fabs(grad[k]));
        }
    }
    cr_assert_gt(largest, 0.01);
    /* Where some ReLU changes its side within the difference, that is no derivative. */
    cr_assert(off * 20 < tried, "%d of %d derivatives differ", off, tried);
    trainer_clear(&t);
}

/* The second pass leaves the running statistics alone: they are those of the chunks one after the other. */
Test(gather, running_statistics_see_each_chunk_once)
{
    trainer parts, single;

    start(&parts, "10-6", "sgd:lr=0,weight_decay=0", N, 4);
    start(&single, "10-6", "sgd:lr=0,weight_decay=0", 4, 0);
    step(&parts, 0, N);
    for (int first = 0; first < N; first += 4)
        step(&single, first, 4);
    compare(parts.net.g, single.net.g, 1e-6);
    trainer_clear(&parts);
    trainer_clear(&single);
}

Test(gather, features_of_the_whole_batch_can_be_read)
{
    trainer t;
    int d;

    start(&t, "7", "sgd", N, 5);
    step(&t, 0, N);
    const float *x = trainer_features(&t, &d);
    cr_assert_eq(d, D);
    for (int i = 0; i < N * P * D; i++)
        cr_assert_eq(x[i], input[i]);
    trainer_clear(&t);
}
