#include "nn/layers/stem.h"

#include <string.h>

enum { BAND_PIXELS = 512 /* of a job: what it reads and writes should stay in the second-level cache */ };

/*
 * A copy of the input with its padding, each row split by the column modulo
 * the stride, [N][C][stride][Hp][Wp]: then the input under tap (r, s) of a
 * whole line of outputs is one run of floats, which the products read in place.
 */
typedef struct split {
    int step, Hp, Wp;
    size_t image;             /* floats of one image */
} split;

static split split_of(const vertex *v, const vertex *x)
{
    split s = {.step = v->stride, .Hp = x->H + 2 * v->pad, .Wp = ceil_div(x->W + 2 * v->pad, v->stride)};

    s.image = (size_t)x->C * s.step * s.Hp * s.Wp;
    return s;
}

static int runs_of(const vertex *v, const vertex *x)
{
    return x->C * v->kernel * v->kernel;
}

static int band_lines(const vertex *v)
{
    int lines = BAND_PIXELS / v->W;

    return lines < 1 ? 1 : lines > v->H ? v->H : lines;
}

static size_t weights_size(const graph *g, const vertex *v, const vertex *x)
{
    return line_up((size_t)v->blocks * runs_of(v, x) * g->k->lanes);
}

/* Where the runs of the reduction begin. */
size_t stem_scratch(const graph *g, const vertex *v, const vertex *x)
{
    (void)g;
    return line_up(runs_of(v, x) * sizeof(size_t) / sizeof(float));
}

/* The split input and, for training, the slices' sums. */
size_t stem_shared(const graph *g, const vertex *v, const vertex *x)
{
    size_t sums = g->use == GRAPH_TRAIN ? slice_count(g->batch) * weights_size(g, v, x) : 0;

    return line_up((size_t)g->batch * split_of(v, x).image) + sums;
}

typedef struct stem_run {
    const stem_pass *p;
    split s;
    float *input; /* split */
    const float *dy;
    float *dw, *sums;
} stem_run;

static void split_row(const float *src, int W, int pad, int step, int Wp, float *dst, size_t phase)
{
    for (int f = 0; f < step; f++, dst += phase) {
        int ix = f - pad, i = 0;
        for (; ix < 0; ix += step)
            dst[i++] = 0;
        if (step == 1)
            for (; i < Wp && ix < W; ix++)
                dst[i++] = src[ix];
        else if (step == 2)
            for (; i < Wp && ix < W; ix += 2)
                dst[i++] = src[ix];
        else
            for (; i < Wp && ix < W; ix += step)
                dst[i++] = src[ix];
        for (; i < Wp; i++)
            dst[i] = 0;
    }
}

static void split_job(void *arg, int n, int thread)
{
    const stem_run *r = arg;
    const vertex *x = r->p->x;
    int pad = r->p->v->pad;
    size_t phase = (size_t)r->s.Hp * r->s.Wp;

    (void)thread;
    for (int c = 0; c < x->C; c++) {
        const float *plane = r->p->src + ((size_t)n * x->C + c) * x->H * x->W;
        float *dst = r->input + n * r->s.image + c * r->s.step * phase;
        for (int y = 0; y < r->s.Hp; y++, dst += r->s.Wp) {
            bool inside = y >= pad && y < pad + x->H;
            for (int f = 0; !inside && f < r->s.step; f++)
                memset(dst + f * phase, 0, (size_t)r->s.Wp * sizeof(float));
            if (inside)
                split_row(plane + (size_t)(y - pad) * x->W, x->W, pad, r->s.step, r->s.Wp, dst, phase);
        }
    }
}

/* Where run (c, r, s) of the first line begins in an image. */
static const size_t *run_offsets(const stem_run *r, size_t *at)
{
    const vertex *v = r->p->v;
    int i = 0;

    for (int c = 0; c < r->p->x->C; c++)
        for (int y = 0; y < v->kernel; y++)
            for (int x = 0; x < v->kernel; x++)
                at[i++] = ((size_t)(c * r->s.step + x % r->s.step) * r->s.Hp + y) * r->s.Wp + x / r->s.step;
    return at;
}

static stem_run begin(const stem_pass *p)
{
    stem_run r = {.p = p, .s = split_of(p->v, p->x), .input = p->g->shared};

    r.sums = r.input + line_up((size_t)p->g->batch * r.s.image);
    team_run(p->g->team, p->rows, split_job, &r);
    return r;
}

/* ---- Forward ---------------------------------------------------------------------------- */

int stem_jobs(const vertex *v, int rows)
{
    return rows * ceil_div(v->H, band_lines(v));
}

/* A band of lines of one image. */
static void forward_job(void *arg, int job, int thread)
{
    const stem_run *r = arg;
    const stem_pass *p = r->p;
    const vertex *v = p->v;
    size_t L = (size_t)p->g->k->lanes;
    int bands = ceil_div(v->H, band_lines(v)), n = job / bands, y = job % bands * band_lines(v);
    int end = y + band_lines(v) < v->H ? y + band_lines(v) : v->H;
    gemm_args m = {.rows = run_offsets(r, (size_t *)thread_scratch(p->g, thread)), .runs = runs_of(v, p->x), .w = p->weights,
                   .w_block = runs_of(v, p->x) * L, .pixels = v->W, .blocks = v->blocks, .out_block = v->pixels * L,
                   .bias = p->bias, .relu = p->relu, .stream = streams(p->rows * row_size(p->g, v)),
                   .stats = p->stats ? p->stats + (size_t)job * v->blocks * STAT_ROWS * L : NULL};

    if (m.stats)
        memset(m.stats, 0, (size_t)v->blocks * STAT_ROWS * L * sizeof *m.stats);
    for (; y < end; y++) {
        size_t at = n * row_size(p->g, v) + (size_t)y * v->W * L;
        m.a = r->input + n * r->s.image + (size_t)y * r->s.step * r->s.Wp;
        m.out = p->out + at;
        m.add = p->add ? p->add + at : NULL;
        p->g->k->gemm_plain(&m);
    }
}

/* (N, C, H, W) -> (N, K, H', W') */
void stem_forward(const stem_pass *p)
{
    stem_run r = begin(p);

    team_run(p->g->team, stem_jobs(p->v, p->rows), forward_job, &r);
}

/* ---- Gradient of the weights -------------------------------------------------------------- */

/* The sum over a slice of the images. */
static void slice_job(void *arg, int slice, int thread)
{
    const stem_run *r = arg;
    const stem_pass *p = r->p;
    const vertex *v = p->v;
    size_t L = (size_t)p->g->k->lanes;
    int first = slice_begin(p->rows, slice), lines = band_lines(v);
    wgrad_plain_args w = {.rows = run_offsets(r, (size_t *)thread_scratch(p->g, thread)), .runs = runs_of(v, p->x),
                          .a_line = (size_t)r->s.step * r->s.Wp, .d_block = v->pixels * L, .d_line = v->W * L,
                          .pixels = v->W, .blocks = v->blocks, .dw = r->sums + slice * weights_size(p->g, v, p->x),
                          .dw_block = runs_of(v, p->x) * L};

    for (int n = first; n < slice_begin(p->rows, slice + 1); n++)
        for (int y = 0; y < v->H; y += lines) {
            w.a = r->input + n * r->s.image + y * w.a_line;
            w.d = r->dy + n * row_size(p->g, v) + y * w.d_line;
            w.lines = v->H - y < lines ? v->H - y : lines;
            w.accumulate = n > first || y > 0;
            p->g->k->wgrad_plain(&w);
        }
}

/* Adds the slices' sums, of one block of outputs, in their order. */
static void join_job(void *arg, int kb, int thread)
{
    const stem_run *r = arg;
    const graph *g = r->p->g;
    size_t size = weights_size(g, r->p->v, r->p->x), block = (size_t)runs_of(r->p->v, r->p->x) * g->k->lanes;

    (void)thread;
    memcpy(r->dw + kb * block, r->sums + kb * block, block * sizeof(float));
    for (int s = 1; s < slice_count(r->p->rows); s++)
        g->k->add(r->dw + kb * block, r->dw + kb * block, r->sums + s * size + kb * block, block);
}

void stem_backward_weights(const stem_pass *p, const float *dy, float *dw)
{
    stem_run r = begin(p);

    r.dy = dy;
    r.dw = dw;
    team_run(p->g->team, slice_count(p->rows), slice_job, &r);
    team_run(p->g->team, p->v->blocks, join_job, &r);
}

/* ---- Gradient of the data ----------------------------------------------------------------- */

static void data_job(void *arg, int n, int thread)
{
    const stem_pass *p = arg;
    const vertex *v = p->v, *x = p->x;
    int L = p->g->k->lanes, taps = v->kernel * v->kernel;
    const float *dy = p->src + (size_t)n * row_size(p->g, v);
    float *dx = p->out + (size_t)n * row_size(p->g, x);

    (void)thread;
    if (!p->add)
        memset(dx, 0, row_size(p->g, x) * sizeof(float));
    for (int k = 0; k < v->C; k++)
        for (int i = 0; i < v->pixels; i++) {
            float d = dy[((size_t)(k / L) * v->pixels + i) * L + k % L];
            for (int c = 0; c < x->C; c++)
                for (int t = 0; t < taps; t++) {
                    int iy = i / v->W * v->stride + t / v->kernel - v->pad, ix = i % v->W * v->stride + t % v->kernel - v->pad;
                    if (iy >= 0 && iy < x->H && ix >= 0 && ix < x->W)
                        dx[((size_t)iy * x->W + ix) * L + c] +=
                            d * p->weights[((size_t)(k / L) * x->C * taps + c * taps + t) * L + k % L];
                }
        }
}

void stem_backward_data(const stem_pass *p)
{
    team_run(p->g->team, p->rows, data_job, (void *)p);
}
