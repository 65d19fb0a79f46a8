/*
 * Batch normalisation (Ioffe and Szegedy 2015), with a residual addition and a
 * ReLU that follow it fused in:
 *
 *   y = relu(gamma (z - mean) / sqrt(var + eps) + beta [+ other])
 *     = relu(a z + b [+ other])
 *
 * over N, H, W. var is the biased variance of the batch; the running one
 * averages the unbiased, as PyTorch's does.
 */
#include "nn/layers/batchnorm.h"

#include "nn/layers/conv2d.h"
#include "nn/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double MOMENTUM = 0.1;

/* All arrays are [blocks][L]. */
typedef struct norm {
    float *a, *b, *mean, *inv_std, *c1, *c2, *c3;
    float *sums; /* [slices][blocks][STAT_ROWS][L]; backward [slices][blocks][2][L] */
    bool batch;  /* the last forward pass used the batch's statistics */
} norm;

static int batchnorm_plan(graph *g, op *o, err *e)
{
    const vertex *v = &g->vertices[o->v];
    size_t C = (size_t)v->blocks * g->k->lanes, slices = MAX_SLICES;
    if (o->producer && (size_t)conv2d_stat_slices(g, o->producer, g->batch / v->div) > slices)
        slices = (size_t)conv2d_stat_slices(g, o->producer, g->batch / v->div);
    norm *m = aligned_alloc(64, (line_up(sizeof *m) + 7 * line_up(C) + line_up(slices * STAT_ROWS * C)) * sizeof(float));

    if (!m)
        return err_nomem(e);
    float *p = (float *)m + line_up(sizeof *m);
    *m = (norm){0};
    float **each[] = {&m->a, &m->b, &m->mean, &m->inv_std, &m->c1, &m->c2, &m->c3};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++, p += line_up(C))
        *each[i] = memset(p, 0, C * sizeof(float));
    m->sums = p;
    o->state = m;
    if (o->producer)
        o->producer->stats = m->sums;
    o->keep_x = true;
    o->keep_y = o->relu && o->other >= 0; /* without a residual the mask is recomputed */
    op_report(g, o, 0, "norm", 0);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 1, "norm", 0);
    return 0;
}

affine batchnorm_affine(const op *o)
{
    const norm *m = o->state;

    return (affine){m->a, m->b};
}

typedef struct norm_run {
    graph *g;
    const vertex *v;
    norm *m;
    norm_args args;
    int rows, slices;
    float *sums;
    size_t slice; /* floats of sums for a slice */
} norm_run;

static void stats_job(void *arg, int s, int thread)
{
    const norm_run *r = arg;
    (void)thread;
    r->g->k->norm_stats(&r->args, slice_begin(r->rows, s), slice_begin(r->rows, s + 1), r->sums + s * r->slice);
}

static void apply_job(void *arg, int s, int thread)
{
    const norm_run *r = arg;
    (void)thread;
    r->g->k->norm_apply(&r->args, slice_begin(r->rows, s), slice_begin(r->rows, s + 1));
}

static void backward_sums_job(void *arg, int s, int thread)
{
    const norm_run *r = arg;
    (void)thread;
    r->g->k->norm_backward_sums(&r->args, slice_begin(r->rows, s), slice_begin(r->rows, s + 1), r->sums + s * r->slice);
}

static void backward_apply_job(void *arg, int s, int thread)
{
    const norm_run *r = arg;
    (void)thread;
    r->g->k->norm_backward_apply(&r->args, slice_begin(r->rows, s), slice_begin(r->rows, s + 1));
}

/* Joins the slices' sums about their pivots, as Chan, Golub and LeVeque 1983 do. */
static void join_stats(const norm_run *r, int c, double *mean, double *var)
{
    int L = r->g->k->lanes;
    double count = 0, mu = 0, squares = 0;

    for (int s = 0; s < r->slices; s++) {
        const float *p = r->sums + s * r->slice + (size_t)(c / L) * STAT_ROWS * L + c % L;
        double n = p[0], sum = p[2 * L];
        if (n == 0)
            continue;
        double m = p[L] + sum / n, d = m - mu;
        squares += p[3 * L] - sum * sum / n + d * d * count * n / (count + n);
        count += n;
        mu += d * n / count;
    }
    *mean = mu;
    *var = squares > 0 ? squares / count : 0;
}

/* One block of channels. */
static void join_job(void *arg, int block, int thread)
{
    const norm_run *r = arg;
    graph *g = r->g;
    float *running_mean = g->states + g->params[r->v->param[2]].info.offset;
    float *running_var = g->states + g->params[r->v->param[3]].info.offset;
    double count = (double)r->rows * r->v->pixels;
    double momentum = g->mode == GRAPH_MODE_ESTIMATE ? 1.0 / (g->estimates + 1) : MOMENTUM;
    int L = g->k->lanes, end = (block + 1) * L < r->v->C ? (block + 1) * L : r->v->C;

    (void)thread;
    for (int c = block * L; c < end; c++) {
        double mean, var;
        join_stats(r, c, &mean, &var);
        r->m->mean[c] = (float)mean;
        r->m->inv_std[c] = (float)(1 / sqrt(var + NORM_EPS));
        running_mean[c] = (float)((1 - momentum) * running_mean[c] + momentum * mean);
        running_var[c] = (float)((1 - momentum) * running_var[c] + momentum * var * count / (count - 1));
    }
}

static void batch_stats(norm_run *r, const op *o)
{
    r->slices = slice_count(r->rows);
    if (o->producer)
        r->slices = conv2d_stat_slices(r->g, o->producer, r->rows);
    else
        team_run(r->g->team, r->slices, stats_job, r);
    team_run(r->g->team, r->v->blocks, join_job, r);
}

static void running_stats(const graph *g, const vertex *v, norm *m)
{
    const float *mean = g->states + g->params[v->param[2]].info.offset;
    const float *var = g->states + g->params[v->param[3]].info.offset;

    for (int c = 0; c < v->C; c++) {
        m->mean[c] = mean[c];
        m->inv_std[c] = (float)(1 / sqrt(var[c] + NORM_EPS));
    }
}

/* (N, C, H, W) -> (N, C, H, W), or (N, C) -> (N, C) */
static void batchnorm_forward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];
    norm *m = o->state;
    int rows = graph_rows(g, o->v, n);
    norm_run r = {.g = g, .v = v, .m = m, .rows = rows, .sums = m->sums, .slice = (size_t)v->blocks * STAT_ROWS * g->k->lanes};

    r.args = (norm_args){.blocks = v->blocks, .pixels = v->pixels, .z = value_of(g, o->x), .y = value_of(g, o->y),
                         .other = o->other < 0 ? NULL : value_of(g, o->other), .a = m->a, .b = m->b, .relu = o->relu,
                         .stream = streams(rows * row_size(g, v))};
    m->batch = g->mode != GRAPH_MODE_EVAL;
    if (m->batch && (int64_t)rows * v->pixels < 2) {
        err_set(g->run_error, ERR_RUN, "batch normalisation needs more than one value a channel, and got one");
        return;
    }
    if (m->batch)
        batch_stats(&r, o);
    else
        running_stats(g, v, m);
    for (int c = 0; c < v->C; c++) {
        double gamma = v->param[0] < 0 ? 1 : g->weights[g->params[v->param[0]].info.offset + c];
        double beta = v->param[1] < 0 ? 0 : g->weights[g->params[v->param[1]].info.offset + c];
        m->a[c] = (float)(gamma * m->inv_std[c]);
        m->b[c] = (float)(beta - gamma * m->inv_std[c] * m->mean[c]);
    }
    if (!o->reader)
        team_run(g->team, slice_count(rows), apply_job, &r);
}

/*
 * With g the masked gradient, x^ = (z - mean) inv_std and M values a channel:
 *   dbeta = sum g, dgamma = sum g x^
 *   dz = gamma inv_std (g - dbeta / M - x^ dgamma / M) = c1 g + c2 z + c3
 */
static void coefficients(graph *g, const vertex *v, norm *m, const norm_run *r)
{
    int L = g->k->lanes;
    double M = (double)r->rows * v->pixels;

    for (int c = 0; c < v->C; c++) {
        double sum = 0, dot = 0, inv_std = m->inv_std[c];
        for (int s = 0; s < r->slices; s++) {
            const float *p = r->sums + s * r->slice + (size_t)(c / L) * 2 * L + c % L;
            sum += p[0];
            dot += p[L];
        }
        double gamma = v->param[0] < 0 ? 1 : g->weights[g->params[v->param[0]].info.offset + c];
        double k = gamma * inv_std;
        if (v->param[0] >= 0) {
            g->grads[g->params[v->param[0]].info.offset + c] = (float)(dot * inv_std);
            g->grads[g->params[v->param[1]].info.offset + c] = (float)sum;
        }
        m->c1[c] = (float)k;
        if (!m->batch) {
            m->c2[c] = m->c3[c] = 0;
            continue;
        }
        double c2 = -k * inv_std * inv_std * dot / M;
        m->c2[c] = (float)c2;
        m->c3[c] = (float)(-k * sum / M - c2 * m->mean[c]);
    }
}

static void batchnorm_backward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];
    norm *m = o->state;
    int rows = graph_rows(g, o->v, n);
    norm_run r = {.g = g, .v = v, .m = m, .rows = rows, .slices = slice_count(rows), .sums = m->sums,
                  .slice = (size_t)v->blocks * 2 * g->k->lanes};
    norm_args *a = &r.args;

    if (!g->vertices[o->y].needs_grad)
        return;
    *a = (norm_args){.blocks = v->blocks, .pixels = v->pixels, .z = value_of(g, o->x), .dy = grad_of(g, o->y), .a = m->a,
                     .b = m->b, .mean = m->mean, .relu = o->relu, .c1 = m->c1, .c2 = m->c2, .c3 = m->c3};
    if (o->keep_y)
        a->mask_y = value_of(g, o->y);
    if (o->other_grad && o->other_accumulate)
        a->d_other = grad_of(g, o->other);
    /* The masked gradient is kept where the residual wants it, or where the mask cannot be recomputed. */
    if (o->other_grad && !o->other_accumulate)
        a->g = grad_of(g, o->other);
    else if (a->mask_y || a->d_other)
        a->g = grad_of(g, o->y);
    team_run(g->team, slice_count(rows), backward_sums_job, &r);
    coefficients(g, v, m, &r);
    if (o->x_grad) {
        a->dz = grad_of(g, o->x);
        a->dz_accumulate = o->x_accumulate;
        team_run(g->team, slice_count(rows), backward_apply_job, &r);
    }
}

/* ---- Reference ----------------------------------------------------------------------------- */

#define EACH_OF_CHANNEL(o, c, i, statement)                                   \
    do {                                                                      \
        int P_ = (o)->v->pixels, C_ = (o)->v->C;                              \
        for (int n_ = 0; n_ < (o)->n; n_++)                                   \
            for (int p_ = 0; p_ < P_; p_++) {                                 \
                size_t i = ((size_t)n_ * C_ + (size_t)(c)) * P_ + (size_t)p_; \
                statement;                                                    \
            }                                                                 \
    } while (0)

static void reference_forward_(const ref_op *o)
{
    double M = (double)o->n * o->v->pixels;
    double momentum = o->mode == GRAPH_MODE_ESTIMATE ? 1.0 / (o->estimates + 1) : MOMENTUM;

    for (int c = 0; c < o->v->C; c++) {
        double mean = 0, var = 0, gamma = o->param[0] ? o->param[0][c] : 1, beta = o->param[1] ? o->param[1][c] : 0;
        if (o->mode == GRAPH_MODE_EVAL) {
            mean = o->param[2][c];
            var = o->param[3][c];
        } else {
            EACH_OF_CHANNEL(o, c, i, mean += o->x[0][i] / M);
            EACH_OF_CHANNEL(o, c, i, var += (o->x[0][i] - mean) * (o->x[0][i] - mean) / M);
            o->param[2][c] += momentum * (mean - o->param[2][c]);
            o->param[3][c] += momentum * (var * M / (M - 1) - o->param[3][c]);
        }
        double inv_std = 1 / sqrt(var + NORM_EPS);
        o->saved[2 * c] = mean;
        o->saved[2 * c + 1] = inv_std;
        EACH_OF_CHANNEL(o, c, i, o->y[i] = gamma * (o->x[0][i] - mean) * inv_std + beta);
    }
}

static void reference_backward_(const ref_op *o)
{
    double M = (double)o->n * o->v->pixels;

    for (int c = 0; c < o->v->C; c++) {
        double sum = 0, dot = 0, mean = o->saved[2 * c], inv_std = o->saved[2 * c + 1], gamma = o->param[0] ? o->param[0][c] : 1;
        EACH_OF_CHANNEL(o, c, i, sum += o->dy[i]);
        EACH_OF_CHANNEL(o, c, i, dot += o->dy[i] * (o->x[0][i] - mean) * inv_std);
        if (o->param[0]) {
            o->dparam[0][c] += dot;
            o->dparam[1][c] += sum;
        }
        if (o->mode == GRAPH_MODE_EVAL)
            sum = dot = 0;
        EACH_OF_CHANNEL(o, c, i,
                        o->dx[0][i] += gamma * inv_std * (o->dy[i] - sum / M - (o->x[0][i] - mean) * inv_std * dot / M));
    }
}

const layer layer_batchnorm = {"batchnorm", batchnorm_plan, batchnorm_forward, batchnorm_backward, reference_forward_,
                               reference_backward_};
