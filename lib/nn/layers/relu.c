/* y = max(x, 0). After batch normalisation it is fused there (batchnorm.c). */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

static int relu_plan(graph *g, op *o, err *e)
{
    (void)e;
    o->keep_y = true;
    op_report(g, o, 0, "relu", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "relu", 0);
    return 0;
}

static void forward_job(void *arg, int slice, int thread)
{
    const rowwise *r = arg;
    size_t count, at = rowwise_slice(r, slice, &count);

    (void)thread;
    r->g->k->relu(r->dst + at, r->a + at, count);
}

static void backward_job(void *arg, int slice, int thread)
{
    const rowwise *r = arg;
    size_t count, at = rowwise_slice(r, slice, &count);

    (void)thread;
    r->g->k->relu_backward(r->dst + at, r->a + at, r->b + at, count, r->accumulate);
}

/* (N, ...) -> (N, ...) */
static void relu_forward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];

    rowwise_run(&(rowwise){g, o, graph_rows(g, o->v, n), row_size(g, v), value_of(g, o->y), value_of(g, o->x), NULL, false},
                forward_job);
}

static void relu_backward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];

    if (o->x_grad)
        rowwise_run(&(rowwise){g, o, graph_rows(g, o->v, n), row_size(g, v), grad_of(g, o->x), grad_of(g, o->y),
                               value_of(g, o->y), o->x_accumulate},
                    backward_job);
}

static void reference_forward_(const ref_op *o)
{
    size_t count = (size_t)o->n * o->v->C * o->v->pixels;

    for (size_t i = 0; i < count; i++)
        o->y[i] = o->x[0][i] > 0 ? o->x[0][i] : 0;
}

static void reference_backward_(const ref_op *o)
{
    size_t count = (size_t)o->n * o->v->C * o->v->pixels;

    for (size_t i = 0; i < count; i++)
        o->dx[0][i] += o->x[0][i] > 0 ? o->dy[i] : 0;
}

const layer layer_relu = {"relu", relu_plan, relu_forward, relu_backward, reference_forward_, reference_backward_};
