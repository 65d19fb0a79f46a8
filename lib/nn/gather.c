/*
 * Passes over a batch in chunks whose outputs are one whole for the loss: the
 * gradient cache of Gao, Zhang, Han and Callan, "Scaling deep contrastive
 * learning batch size under memory limited setup" (RepL4NLP 2021).
 */
#include "nn/internal.h"

#include <stdlib.h>
#include <string.h>

static size_t row_floats(const vertex *v)
{
    return (size_t)v->C * (size_t)v->pixels;
}

void gather_free(graph *g)
{
    for (int i = 0; g->whole && i < g->count; i++) {
        free(g->whole[i].value);
        free(g->whole[i].grad);
    }
    free(g->whole);
    free(g->kept_states);
    free(g->chunk_sum);
}

static int allocate(graph *g, int rows, err *e)
{
    g->whole = calloc((size_t)g->count, sizeof *g->whole);
    g->kept_states = malloc((g->state_count ? g->state_count : 1) * sizeof *g->kept_states);
    g->chunk_sum = malloc((graph_weights_count(g) ? graph_weights_count(g) : 1) * sizeof *g->chunk_sum);
    if (!g->whole || !g->kept_states || !g->chunk_sum)
        return err_nomem(e);
    for (int i = 0; i < g->count; i++) {
        size_t floats = (size_t)graph_rows(g, i, rows) * row_floats(&g->vertices[i]);
        if (!g->vertices[i].output)
            continue;
        g->whole[i].value = malloc(floats * sizeof(float));
        g->whole[i].grad = malloc(floats * sizeof(float));
        if (!g->whole[i].value || !g->whole[i].grad)
            return err_nomem(e);
    }
    g->whole_rows = rows;
    return 0;
}

static int begin(graph *g, int rows, err *e)
{
    if (!g->whole && allocate(g, rows, e))
        return -1;
    if (rows > g->whole_rows)
        return err_set(e, ERR_RUN, "%d rows to gather where there is room for %d", rows, g->whole_rows);
    for (int i = 0; i < g->count; i++)
        if (g->vertices[i].output)
            memset(g->whole[i].grad, 0, (size_t)graph_rows(g, i, rows) * row_floats(&g->vertices[i]) * sizeof(float));
    return 0;
}

static void gather(graph *g, int first)
{
    for (int i = 0; i < g->count; i++) {
        size_t row = row_floats(&g->vertices[i]);
        if (g->vertices[i].output)
            memcpy(g->whole[i].value + (size_t)graph_rows(g, i, first) * row, graph_value(g, i),
                   (size_t)graph_rows(g, i, g->rows) * row * sizeof(float));
    }
}

/* The chunk's forward pass again, and its part of the gradients; the running statistics have seen it already. */
static int replay(graph *g, int first, int n, err *e)
{
    memcpy(g->kept_states, g->states, g->state_count * sizeof *g->states);
    if (graph_forward(g, n, GRAPH_MODE_TRAIN, e))
        return -1;
    memcpy(g->states, g->kept_states, g->state_count * sizeof *g->states);
    for (int i = 0; i < g->count; i++) {
        size_t row = row_floats(&g->vertices[i]), count = (size_t)graph_rows(g, i, n) * row;
        float *grad = g->vertices[i].output ? graph_grad(g, i) : NULL;
        /* Added, because outputs may share memory. */
        for (size_t k = 0; grad && k < count; k++)
            grad[k] += g->whole[i].grad[(size_t)graph_rows(g, i, first) * row + k];
    }
    return 0;
}

int graph_forward_chunks(graph *g, int rows, int chunk, graph_fill *fill, void *arg, err *e)
{
    if (!chunk) {
        fill(arg, 0, rows);
        return graph_forward(g, rows, GRAPH_MODE_TRAIN, e);
    }
    if (begin(g, rows, e))
        return -1;
    for (int first = 0; first < rows; first += chunk) {
        int n = rows - first < chunk ? rows - first : chunk;
        fill(arg, first, n);
        if (graph_forward(g, n, GRAPH_MODE_TRAIN, e))
            return -1;
        gather(g, first);
    }
    g->showing_whole = true;
    return 0;
}

int graph_backward_chunks(graph *g, int rows, int chunk, graph_fill *fill, void *arg, err *e)
{
    size_t count = graph_weights_count(g);

    if (!chunk)
        return graph_backward(g, e);
    memset(g->chunk_sum, 0, count * sizeof *g->chunk_sum);
    for (int first = 0; first < rows; first += chunk) {
        int n = rows - first < chunk ? rows - first : chunk;
        fill(arg, first, n);
        if (replay(g, first, n, e) || graph_backward(g, e))
            return -1;
        for (size_t i = 0; i < count; i++)
            g->chunk_sum[i] += graph_grads(g)[i];
    }
    memcpy(graph_grads(g), g->chunk_sum, count * sizeof *g->chunk_sum);
    g->showing_whole = true;
    return 0;
}
