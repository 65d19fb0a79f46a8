/* y[n,c,i,j] = the largest x of a kernel x kernel window; padding never wins. */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

#include <math.h>
#include <string.h>

/* The tap that won, a byte for each output, is kept for the backward pass. */
static int maxpool_plan(graph *g, op *o, err *e)
{
    const vertex *v = &g->vertices[o->v];

    (void)e;
    op_report(g, o, 0, "maxpool", 0);
    if (g->use != GRAPH_TRAIN)
        return 0;
    o->aux = line_up(row_size(g, v) * (size_t)(g->batch / v->div));
    op_report(g, o, 1, "maxpool", 0);
    return 0;
}

static pool_args window(const vertex *v, const vertex *x)
{
    return (pool_args){v->kernel, v->stride, v->pad, x->H, x->W, v->H, v->W};
}

static void forward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    pool_args p = window(v, x);
    size_t L = (size_t)r->g->k->lanes;

    (void)thread;
    for (size_t i = (size_t)n * v->blocks; i < (size_t)(n + 1) * v->blocks; i++)
        r->g->k->maxpool(&p, r->a + i * x->pixels * L, r->dst + i * v->pixels * L,
                         r->o->aux ? r->o->aux_data + i * v->pixels * L : NULL);
}

static void backward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    pool_args p = window(v, x);
    size_t L = (size_t)r->g->k->lanes;

    (void)thread;
    for (size_t i = (size_t)n * v->blocks; i < (size_t)(n + 1) * v->blocks; i++) {
        float *dx = r->dst + i * x->pixels * L;
        if (!r->accumulate)
            memset(dx, 0, x->pixels * L * sizeof(float));
        r->g->k->maxpool_backward(&p, r->a + i * v->pixels * L, r->o->aux_data + i * v->pixels * L, dx);
    }
}

/* (N, C, H, W) -> (N, C, H', W') */
static void maxpool_forward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    team_run(g->team, rows, forward_job, &(rowwise){g, o, rows, 0, value_of(g, o->y), value_of(g, o->x), NULL, false});
}

static void maxpool_backward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    if (o->x_grad)
        team_run(g->team, rows, backward_job,
                 &(rowwise){g, o, rows, 0, grad_of(g, o->x), grad_of(g, o->y), NULL, o->x_accumulate});
}

/* The position in its plane of the input that wins output pixel p. */
static int winner(const ref_op *o, const double *plane, int p)
{
    const vertex *v = o->v, *x = o->in[0];
    int best = -1;

    for (int t = 0; t < v->kernel * v->kernel; t++) {
        int iy = p / v->W * v->stride + t / v->kernel - v->pad, ix = p % v->W * v->stride + t % v->kernel - v->pad;
        if (iy < 0 || iy >= x->H || ix < 0 || ix >= x->W)
            continue;
        if (best < 0 || plane[iy * x->W + ix] > plane[best] || isnan(plane[iy * x->W + ix]))
            best = iy * x->W + ix;
    }
    return best;
}

static void reference_forward_(const ref_op *o)
{
    for (int i = 0; i < o->n * o->v->C; i++) {
        const double *plane = o->x[0] + (size_t)i * o->in[0]->pixels;
        for (int p = 0; p < o->v->pixels; p++)
            o->y[(size_t)i * o->v->pixels + p] = plane[winner(o, plane, p)];
    }
}

static void reference_backward_(const ref_op *o)
{
    for (int i = 0; i < o->n * o->v->C; i++) {
        size_t at = (size_t)i * o->in[0]->pixels;
        for (int p = 0; p < o->v->pixels; p++)
            o->dx[0][at + winner(o, o->x[0] + at, p)] += o->dy[(size_t)i * o->v->pixels + p];
    }
}

const layer layer_maxpool = {"maxpool", maxpool_plan, maxpool_forward, maxpool_backward, reference_forward_,
                             reference_backward_};
