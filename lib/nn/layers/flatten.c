/*
 * (N, C, H, W) -> (N, C H W), in logical order. Flattening a vector is no work:
 * the planner lets the two share memory.
 */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

#include <string.h>

static int flatten_plan(graph *g, op *o, err *e)
{
    (void)e;
    op_report(g, o, 0, "flatten", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "flatten", 0);
    return 0;
}

static void forward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    size_t row = row_size(r->g, v);
    float *y = r->dst + (size_t)n * row;

    (void)thread;
    if (reads_plain(r->g, v))
        memcpy(y, x->plain_value + (size_t)n * v->C, (size_t)v->C * sizeof(float));
    else
        r->g->k->to_plain(r->a + (size_t)n * row_size(r->g, x), x->C, x->pixels, y);
    memset(y + v->C, 0, (row - (size_t)v->C) * sizeof(float));
}

static void backward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    const float *dy = r->a + (size_t)n * row_size(r->g, v);
    float *dx = r->dst + (size_t)n * row_size(r->g, x);
    size_t L = (size_t)r->g->k->lanes;

    (void)thread;
    if (!r->accumulate) {
        r->g->k->from_plain(dy, x->C, x->pixels, dx);
        return;
    }
    for (int c = 0; c < x->C; c++)
        for (int p = 0; p < x->pixels; p++)
            dx[(c / L * x->pixels + p) * L + c % L] += *dy++;
}

static void flatten_forward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    team_run(g->team, rows, forward_job, &(rowwise){g, o, rows, 0, value_of(g, o->y), value_of(g, o->x), NULL, false});
}

static void flatten_backward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    if (o->x_grad)
        team_run(g->team, rows, backward_job,
                 &(rowwise){g, o, rows, 0, grad_of(g, o->x), grad_of(g, o->y), NULL, o->x_accumulate});
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

const layer layer_flatten = {"flatten", flatten_plan, flatten_forward, flatten_backward, reference_forward_,
                             reference_backward_};
