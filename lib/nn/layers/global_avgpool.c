/* y[n,c] = mean over i, j of x[n,c,i,j] */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

static int avgpool_plan(graph *g, op *o, err *e)
{
    (void)e;
    op_report(g, o, 0, "avgpool", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "avgpool", 0);
    return 0;
}

static void forward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *x = &r->g->vertices[r->o->x];
    size_t L = (size_t)r->g->k->lanes;

    (void)thread;
    for (size_t i = (size_t)n * x->blocks; i < (size_t)(n + 1) * x->blocks; i++)
        r->g->k->avgpool(r->a + i * x->pixels * L, x->pixels, r->dst + i * L);
}

static void backward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *x = &r->g->vertices[r->o->x];
    size_t L = (size_t)r->g->k->lanes;

    (void)thread;
    for (size_t i = (size_t)n * x->blocks; i < (size_t)(n + 1) * x->blocks; i++)
        r->g->k->avgpool_backward(r->a + i * L, x->pixels, r->dst + i * x->pixels * L, r->accumulate);
}

/* (N, C, H, W) -> (N, C) */
static void avgpool_forward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    team_run(g->team, rows, forward_job, &(rowwise){g, o, rows, 0, value_of(g, o->y), value_of(g, o->x), NULL, false});
}

static void avgpool_backward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    if (o->x_grad)
        team_run(g->team, rows, backward_job,
                 &(rowwise){g, o, rows, 0, grad_of(g, o->x), grad_of(g, o->y), NULL, o->x_accumulate});
}

static void reference_forward_(const ref_op *o)
{
    int P = o->in[0]->pixels;

    for (int i = 0; i < o->n * o->v->C; i++) {
        o->y[i] = 0;
        for (int p = 0; p < P; p++)
            o->y[i] += o->x[0][(size_t)i * P + p] / P;
    }
}

static void reference_backward_(const ref_op *o)
{
    int P = o->in[0]->pixels;

    for (int i = 0; i < o->n * o->v->C; i++)
        for (int p = 0; p < P; p++)
            o->dx[0][(size_t)i * P + p] += o->dy[i] / P;
}

const layer layer_global_avgpool = {"global_avgpool", avgpool_plan, avgpool_forward, avgpool_backward, reference_forward_,
                                    reference_backward_};
