/*
 * (N P, D) -> (N, P D): consecutive rows side by side. When D fills whole
 * blocks it is no work: the planner lets the two share memory.
 */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

#include <string.h>

static int concat_plan(graph *g, op *o, err *e)
{
    (void)e;
    op_report(g, o, 0, "concat_rows", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "concat_rows", 0);
    return 0;
}

static void concat_forward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v], *x = &g->vertices[o->x];
    size_t row = row_size(g, v), part = row_size(g, x);
    const float *src = value_of(g, o->x);
    float *y = value_of(g, o->y);

    for (int i = 0; i < graph_rows(g, o->v, n); i++, y += row) {
        for (int p = 0; p < v->parts; p++, src += part)
            memcpy(y + p * x->C, src, (size_t)x->C * sizeof(float));
        memset(y + v->C, 0, (row - (size_t)v->C) * sizeof(float));
    }
}

static void concat_backward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v], *x = &g->vertices[o->x];
    size_t row = row_size(g, v), part = row_size(g, x);
    const float *dy = grad_of(g, o->y);
    float *dx = grad_of(g, o->x);

    if (!o->x_grad)
        return;
    if (!o->x_accumulate)
        memset(dx, 0, (size_t)graph_rows(g, o->x, n) * part * sizeof(float));
    for (int i = 0; i < graph_rows(g, o->v, n); i++, dy += row)
        for (int p = 0; p < v->parts; p++, dx += part)
            for (int c = 0; c < x->C; c++)
                dx[c] += dy[p * x->C + c];
}

static void reference_forward_(const ref_op *o)
{
    memcpy(o->y, o->x[0], (size_t)o->n * o->v->C * sizeof(double));
}

static void reference_backward_(const ref_op *o)
{
    for (size_t i = 0; i < (size_t)o->n * o->v->C; i++)
        o->dx[0][i] += o->dy[i];
}

const layer layer_concat_rows = {"concat_rows", concat_plan, concat_forward, concat_backward, reference_forward_,
                                 reference_backward_};
