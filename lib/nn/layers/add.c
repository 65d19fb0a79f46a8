/* y = a + b. After batch normalisation it is fused there (batchnorm.c). */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

#include <string.h>

static int add_plan(graph *g, op *o, err *e)
{
    (void)e;
    op_report(g, o, 0, "add", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "add", 0);
    return 0;
}

static void add_job(void *arg, int slice, int thread)
{
    const rowwise *r = arg;
    size_t count, at = rowwise_slice(r, slice, &count);

    (void)thread;
    r->g->k->add(r->dst + at, r->a + at, r->b + at, count);
}

static void copy_job(void *arg, int slice, int thread)
{
    const rowwise *r = arg;
    size_t count, at = rowwise_slice(r, slice, &count);

    (void)thread;
    memcpy(r->dst + at, r->a + at, count * sizeof(float));
}

/* (N, ...), (N, ...) -> (N, ...) */
static void add_forward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];

    rowwise_run(&(rowwise){g, o, graph_rows(g, o->v, n), row_size(g, v), value_of(g, o->y), value_of(g, o->x),
                           value_of(g, o->other), false},
                add_job);
}

/* One input's gradient: dy added to it, copied to it, or dy's own memory taken over. */
static void backward_to(graph *g, const op *o, int n, float *dx, bool accumulate)
{
    const vertex *v = &g->vertices[o->v];
    float *dy = grad_of(g, o->y);
    rowwise r = {g, o, graph_rows(g, o->v, n), row_size(g, v), dx, dy, dx, false};

    if (accumulate)
        rowwise_run(&r, add_job);
    else if (dx != dy)
        rowwise_run(&r, copy_job);
}

static void add_backward(graph *g, op *o, int n)
{
    if (o->other_grad)
        backward_to(g, o, n, grad_of(g, o->other), o->other_accumulate);
    if (o->x_grad)
        backward_to(g, o, n, grad_of(g, o->x), o->x_accumulate);
}

static void reference_forward_(const ref_op *o)
{
    size_t count = (size_t)o->n * o->v->C * o->v->pixels;

    for (size_t i = 0; i < count; i++)
        o->y[i] = o->x[0][i] + o->x[1][i];
}

static void reference_backward_(const ref_op *o)
{
    size_t count = (size_t)o->n * o->v->C * o->v->pixels;

    for (size_t i = 0; i < count; i++) {
        o->dx[0][i] += o->dy[i];
        o->dx[1][i] += o->dy[i];
    }
}

const layer layer_add = {"add", add_plan, add_forward, add_backward, reference_forward_, reference_backward_};
