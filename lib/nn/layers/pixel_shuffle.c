/*
 * (N, C r^2, H, W) -> (N, C, r H, r W): y[n,c,r h + i,r w + j] = x[n,c r^2 + i r + j,h,w]
 * (Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
 * Sub-Pixel Convolutional Neural Network", CVPR 2016). Of a vector (N, C r^2) it
 * makes a map of r x r.
 */
#include "nn/layers/elementwise.h"

#include "nn/reference.h"

#include <string.h>

static int shuffle_plan(graph *g, op *o, err *e)
{
    (void)e;
    op_report(g, o, 0, "pixel_shuffle", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "pixel_shuffle", 0);
    return 0;
}

/* Where output channel c's pixel (i, j) of every r x r square begins, in a row of x and in a row of y. */
typedef struct place {
    size_t x, y;
} place;

static place place_of(const vertex *v, const vertex *x, size_t L, int c, int t)
{
    int r = v->parts, source = c * r * r + t;

    return (place){(size_t)source / L * (size_t)x->pixels * L + (size_t)source % L,
                   ((size_t)c / L * (size_t)v->pixels + (size_t)(t / r) * (size_t)v->W + (size_t)(t % r)) * L + (size_t)c % L};
}

static void forward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    size_t L = (size_t)r->g->k->lanes, up = (size_t)v->parts, W = (size_t)v->W / up, H = (size_t)v->H / up;
    const float *src = r->a + (size_t)n * row_size(r->g, x);
    float *dst = r->dst + (size_t)n * row_size(r->g, v);

    (void)thread;
    if ((size_t)v->C % L) /* the last block's padding */
        memset(dst + (size_t)(v->blocks - 1) * (size_t)v->pixels * L, 0, (size_t)v->pixels * L * sizeof(float));
    for (int c = 0; c < v->C; c++)
        for (int t = 0; t < v->parts * v->parts; t++) {
            place p = place_of(v, x, L, c, t);
            for (size_t h = 0; h < H; h++)
                for (size_t w = 0; w < W; w++)
                    dst[p.y + (h * up * (size_t)v->W + w * up) * L] = src[p.x + (h * W + w) * L];
        }
}

static void backward_job(void *arg, int n, int thread)
{
    const rowwise *r = arg;
    const vertex *v = &r->g->vertices[r->o->v], *x = &r->g->vertices[r->o->x];
    size_t L = (size_t)r->g->k->lanes, up = (size_t)v->parts, W = (size_t)v->W / up, H = (size_t)v->H / up;
    const float *dy = r->a + (size_t)n * row_size(r->g, v);
    float *dx = r->dst + (size_t)n * row_size(r->g, x);

    (void)thread;
    if (!r->accumulate)
        memset(dx, 0, row_size(r->g, x) * sizeof(float));
    for (int c = 0; c < v->C; c++)
        for (int t = 0; t < v->parts * v->parts; t++) {
            place p = place_of(v, x, L, c, t);
            for (size_t h = 0; h < H; h++)
                for (size_t w = 0; w < W; w++)
                    dx[p.x + (h * W + w) * L] += dy[p.y + (h * up * (size_t)v->W + w * up) * L];
        }
}

static void shuffle_forward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    team_run(g->team, rows, forward_job, &(rowwise){g, o, rows, 0, value_of(g, o->y), value_of(g, o->x), NULL, false});
}

static void shuffle_backward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);

    if (o->x_grad)
        team_run(g->team, rows, backward_job,
                 &(rowwise){g, o, rows, 0, grad_of(g, o->x), grad_of(g, o->y), NULL, o->x_accumulate});
}

/* The place in a plain row of x of element i of a plain row of y. */
static size_t source_of(const ref_op *o, size_t i)
{
    const vertex *v = o->v;
    size_t up = (size_t)v->parts, W = (size_t)v->W, c = i / (size_t)v->pixels, y = i / W % (size_t)v->H, x = i % W;

    return ((c * up * up + y % up * up + x % up) * ((size_t)v->H / up) + y / up) * (W / up) + x / up;
}

static void reference_forward_(const ref_op *o)
{
    size_t row = (size_t)o->v->C * (size_t)o->v->pixels;

    for (size_t i = 0; i < (size_t)o->n * row; i++)
        o->y[i] = o->x[0][i / row * row + source_of(o, i % row)];
}

static void reference_backward_(const ref_op *o)
{
    size_t row = (size_t)o->v->C * (size_t)o->v->pixels;

    for (size_t i = 0; i < (size_t)o->n * row; i++)
        o->dx[0][i / row * row + source_of(o, i % row)] += o->dy[i];
}

const layer layer_pixel_shuffle = {"pixel_shuffle", shuffle_plan, shuffle_forward, shuffle_backward, reference_forward_,
                                   reference_backward_};
