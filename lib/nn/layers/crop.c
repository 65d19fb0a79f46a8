/* (N, C, H, W) -> (N, C, h, w): the upper left of each map, y[n,c,i,j] = x[n,c,i,j] for i < h, j < w. */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

#include <string.h>

static int crop_plan(graph *g, op *o, err *e)
{
    (void)e;
    op_report(g, o, 0, "crop", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "crop", 0);
    return 0;
}

/* Lines of a block of channels, L at each pixel. */
static void forward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    size_t L = (size_t)r->g->k->lanes, line = (size_t)v->W * L, from = (size_t)x->W * L;
    const float *src = r->a + (size_t)n * row_size(r->g, x);
    float *dst = r->dst + (size_t)n * row_size(r->g, v);

    (void)thread;
    for (int b = 0; b < v->blocks; b++, src += (size_t)x->pixels * L)
        for (int h = 0; h < v->H; h++, dst += line)
            memcpy(dst, src + (size_t)h * from, line * sizeof *dst);
}

static void backward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    size_t L = (size_t)r->g->k->lanes, line = (size_t)v->W * L, to = (size_t)x->W * L;
    const float *dy = r->a + (size_t)n * row_size(r->g, v);
    float *dx = r->dst + (size_t)n * row_size(r->g, x);

    (void)thread;
    if (!r->accumulate)
        memset(dx, 0, row_size(r->g, x) * sizeof *dx);
    for (int b = 0; b < v->blocks; b++, dx += (size_t)x->pixels * L)
        for (int h = 0; h < v->H; h++, dy += line)
            for (size_t i = 0; i < line; i++)
                dx[(size_t)h * to + i] += dy[i];
}

static void crop_forward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    team_run(g->team, rows, forward_job, &(rowwise){g, o, rows, 0, value_of(g, o->y), value_of(g, o->x), NULL, false});
}

static void crop_backward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    if (o->x_grad)
        team_run(g->team, rows, backward_job,
                 &(rowwise){g, o, rows, 0, grad_of(g, o->x), grad_of(g, o->y), NULL, o->x_accumulate});
}

/* The place in a plane of x of pixel p of y. */
static int source_of(const ref_op *o, int p)
{
    return p / o->v->W * o->in[0]->W + p % o->v->W;
}

static void reference_forward_(const ref_op *o)
{
    for (int i = 0; i < o->n * o->v->C; i++)
        for (int p = 0; p < o->v->pixels; p++)
            o->y[(size_t)i * (size_t)o->v->pixels + (size_t)p] = o->x[0][(size_t)i * (size_t)o->in[0]->pixels + (size_t)source_of(o, p)];
}

static void reference_backward_(const ref_op *o)
{
    for (int i = 0; i < o->n * o->v->C; i++)
        for (int p = 0; p < o->v->pixels; p++)
            o->dx[0][(size_t)i * (size_t)o->in[0]->pixels + (size_t)source_of(o, p)] += o->dy[(size_t)i * (size_t)o->v->pixels + (size_t)p];
}

const layer layer_crop = {"crop", crop_plan, crop_forward, crop_backward, reference_forward_, reference_backward_};
