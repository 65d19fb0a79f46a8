/*
 * Evaluates an objective on given vectors, for tests/torch/losses.py:
 *
 *     objective [NAME=VALUE ...] < EXAMPLES > OUT
 *
 * EXAMPLES is a stream whose inputs are <f4 [P,D]; all of it is one batch. The encoder is
 * `identity`, without a projector. OUT: the loss as <f8, its gradient at the inputs as <f4, then the
 * objective's own state, tensor by tensor.
 */
#include "nn/objective.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const err *e)
{
    fprintf(stderr, "objective: %s\n", e->msg);
    return 1;
}

int main(int argc, char **argv)
{
    err e = {0};
    objective o;
    objective_result r;
    const batch *b;
    reader *in = reader_new(0, 0, &e);
    if (!in || objective_init(&o, reader_header(in)->objective, (const char *const *)argv + 1, argc - 1, &e))
        return fail(&e);
    batch_reader *batches = batch_reader_new(in, 0, o.type->fields, (int)reader_header(in)->count, 0, &e);
    if (!batches || batch_reader_start(batches, NULL, NULL, &e) || batch_reader_next(batches, &b, &e) != 1)
        return fail(&e);
    const batch_shape *s = batch_reader_shape(batches);
    size_t rows = (size_t)b->n * (size_t)s->P, bytes = rows * (size_t)s->C * sizeof(float);

    graph *g = graph_new(2, &e);
    node x = graph_input(g, s->C, 0, 0), y = graph_flatten(g, x);
    graph_want_input_grad(g, x);
    objective_setting setting = {.batch = b->n, .distinct = reader_header(in)->distinct, .seed = 1};
    if (o.type->build(&o, g, &(objective_nodes){.features = y, .z = y}, s, &e) || graph_compile(g, GRAPH_TRAIN, (int)rows, &e) ||
        (o.type->start && o.type->start(&o, g, &setting, &e)))
        return fail(&e);
    memcpy(graph_input_data(g, x), b->input, bytes);
    if (graph_forward(g, (int)rows, GRAPH_MODE_TRAIN, &e) ||
        o.type->loss(&o, g, &(objective_step){.b = b, .shape = s, .steps = 1}, &r, &e) || graph_backward(g, &e))
        return fail(&e);
    if (fwrite(&r.loss, sizeof r.loss, 1, stdout) != 1 || fwrite(graph_input_grad(g, x), 1, bytes, stdout) != bytes)
        return 1;
    objective_tensor t;
    for (int i = 0; o.type->state && o.type->state(&o, i, &t); i++) {
        size_t n = (size_t)tensor_bytes(t.type, t.ndim, t.shape, STREAM_MAX_FRAME);
        if (fwrite(t.data, 1, n, stdout) != n)
            return 1;
    }
    batch_reader_free(batches);
    reader_free(in);
    graph_free(g);
    objective_clear(&o);
    return fflush(stdout) != 0;
}
