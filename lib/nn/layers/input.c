/* The caller's plain rows, in blocks for the layers that read blocks. */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

static int input_plan(graph *g, op *o, err *e)
{
    (void)g;
    (void)o;
    (void)e;
    return 0;
}

static void forward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v];

    (void)thread;
    r->g->k->from_plain(r->a + (size_t)n * v->C * v->pixels, v->C, v->pixels, r->dst + (size_t)n * row_size(r->g, v));
}

static void backward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v];

    (void)thread;
    r->g->k->to_plain(r->a + (size_t)n * row_size(r->g, v), v->C, v->pixels, r->dst + (size_t)n * v->C * v->pixels);
}

static void input_forward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];

    if (v->value && v->value != v->plain_value)
        team_run(g->team, n, forward_job, &(rowwise){g, o, n, 0, v->value, v->plain_value, NULL, false});
}

static void input_backward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];

    if (v->grad && v->grad != v->plain_grad)
        team_run(g->team, n, backward_job, &(rowwise){g, o, n, 0, v->plain_grad, v->grad, NULL, false});
}

static void reference_nothing(const ref_op *o)
{
    (void)o;
}

const layer layer_input = {"input", input_plan, input_forward, input_backward, reference_nothing, reference_nothing};
