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
}

static int allocate(graph *g, int rows, err *e)
{
    g->whole = calloc((size_t)g->count, sizeof *g->whole);
    g->kept_states = malloc((g->state_count ? g->state_count : 1) * sizeof *g->kept_states);
    if (!g->whole || !g->kept_states)
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

int graph_gather_begin(graph *g, int rows, err *e)
{
    g->showing_whole = false;
    if (!g->whole && allocate(g, rows, e))
        return -1;
    if (rows > g->whole_rows)
        return err_set(e, ERR_RUN, "%d rows to gather where there is room for %d", rows, g->whole_rows);
    for (int i = 0; i < g->count; i++)
        if (g->vertices[i].output)
            memset(g->whole[i].grad, 0, (size_t)graph_rows(g, i, rows) * row_floats(&g->vertices[i]) * sizeof(float));
    return 0;
}

void graph_gather(graph *g, int first)
{
    for (int i = 0; i < g->count; i++) {
        size_t row = row_floats(&g->vertices[i]);
        if (g->vertices[i].output)
            memcpy(g->whole[i].value + (size_t)graph_rows(g, i, first) * row, graph_value(g, i),
                   (size_t)graph_rows(g, i, g->rows) * row * sizeof(float));
    }
}

void graph_show_gathered(graph *g)
{
    g->showing_whole = true;
}

int graph_replay(graph *g, int first, int n, err *e)
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
