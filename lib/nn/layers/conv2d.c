/*
 * Convolution, and the linear layer as a 1x1 convolution of a 1x1 map.
 *
 *   y[n,k,i,j] = bias[k] + sum over c, r, s of w[k,c,r,s] x[n,c, i stride + r - pad, j stride + s - pad]
 *
 * Forward gathers the taps of a run of output pixels into a panel and
 * multiplies it by the weights. The gradient of the data is, for each class of
 * input pixels modulo the stride, again a convolution: of dy, with the taps
 * that reach the class and the transposed weights. The gradient of the
 * weights multiplies the forward panels by dy. On a map of at most four
 * pixels, where most taps of a 3x3 kernel lie outside, each pixel is a class of
 * its own and takes only the taps that are inside: 16 of the 36 of a 2x2 map.
 */
#include "nn/layers/conv2d.h"

#include "nn/layers/batchnorm.h"
#include "nn/layers/stem.h"
#include "nn/layers/winograd.h"
#include "nn/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PANEL_FLOATS = 65536,      /* of a panel: a quarter of a megabyte, to stay in the second-level cache */
    MAX_PANEL_PIXELS = 224,
    STAGE_FLOATS = 1 << 20,    /* of the panels that the weights' gradient takes at a time */
    MAX_CLASSES = 16,          /* of input pixels modulo the stride: stride up to 4 */
    SMALL_MAP = 4              /* pixels of a map that has a class for each */
};

/* A convolution in one direction: panels of src under a lattice, times weights, to out. */
typedef struct direction {
    lattice at;
    int in_blocks, in_H, in_W; /* of src */
    int out_blocks;
    int tap[MAX_TAPS]; /* of the kernel, for each of the lattice's */
    int all_taps;      /* of the kernel */
    int runs;          /* of the reduction: in_blocks * taps */
    int chunk;         /* pixels of a panel */
} direction;

typedef struct conv {
    direction forward[SMALL_MAP];
    int forward_count;
    direction classes[MAX_CLASSES]; /* of the data's gradient */
    int class_count;
    bool covers;                    /* the classes write every input pixel */
    int panels;                     /* of a stage of the weights' gradient */
    bool winograd, stem;            /* instead of all of the above */
    /* For inference: weights (transformed, for Winograd) and bias with the normalisation folded in. */
    float *folded, *bias;
    uint64_t version; /* of the weights that were folded */
    uint64_t briefly; /* of those that were folded for a single pass */
} conv;

static size_t panel_floats(const graph *g, const direction *d)
{
    return (size_t)d->runs * d->chunk * g->k->lanes;
}

/* An even number of equal panels for a whole batch of `rows`, so that two threads finish together. */
static void set_chunk(const graph *g, direction *d, int rows)
{
    int tile = g->k->tile, most = PANEL_FLOATS / (d->runs * g->k->lanes);

    if (most > MAX_PANEL_PIXELS)
        most = MAX_PANEL_PIXELS;
    most = most < tile ? tile : most / tile * tile;
    int64_t pixels = (int64_t)rows * d->at.H * d->at.W, panels = (pixels + most - 1) / most;
    panels = panels < 1 ? 1 : panels + panels % 2;
    d->chunk = (int)((pixels + panels * tile - 1) / (panels * tile)) * tile;
}

static void add_tap(direction *d, int y, int x, int tap)
{
    d->at.ty[d->at.taps] = y;
    d->at.tx[d->at.taps] = x;
    d->tap[d->at.taps++] = tap;
}

static bool inside(int i, int size)
{
    return i >= 0 && i < size;
}

/* The direction that computes all outputs or, with `one`, only the pixel (oy, ox). */
static direction forward_direction(const graph *g, const vertex *v, const vertex *x, bool one, int oy, int ox)
{
    int H = x->H ? x->H : 1, W = x->W ? x->W : 1, out_H = v->H ? v->H : 1, out_W = v->W ? v->W : 1;
    direction d = {.in_H = H, .in_W = W, .out_blocks = v->blocks, .all_taps = v->kernel * v->kernel};

    d.at = (lattice){.H = one ? 1 : out_H, .W = one ? 1 : out_W, .step = v->stride, .out_step = 1, .out_y = oy, .out_x = ox,
                     .out_H = out_H, .out_W = out_W};
    for (int r = 0; r < v->kernel; r++)
        for (int s = 0; s < v->kernel; s++) {
            int iy = oy * v->stride + r - v->pad, ix = ox * v->stride + s - v->pad;
            if (!one || (inside(iy, H) && inside(ix, W)))
                add_tap(&d, iy, ix, r * v->kernel + s);
        }
    d.in_blocks = x->blocks;
    d.runs = d.in_blocks * d.at.taps;
    if (d.runs)
        set_chunk(g, &d, g->batch / v->div);
    return d;
}

static void plan_forward(const graph *g, const vertex *v, const vertex *x, conv *c)
{
    direction whole = forward_direction(g, v, x, false, 0, 0);

    for (int p = 0; v->kernel > 1 && v->pixels <= SMALL_MAP && p < v->pixels; p++) {
        direction d = forward_direction(g, v, x, true, p / v->W, p % v->W);
        if (d.at.taps > 0)
            c->forward[c->forward_count++] = d;
    }
    if (c->forward_count < v->pixels || c->forward_count == 0) {
        c->forward[0] = whole;
        c->forward_count = 1;
    }
}

/* Does tap r reach input pixels that are `phase` modulo the stride? */
static bool reaches(const vertex *v, int phase, int r)
{
    return (phase + v->pad - r) % v->stride == 0;
}

/* The direction that computes dx at pixels (py, px) modulo the stride or, with `one`, only at the pixel (py, px). */
static direction class_direction(const graph *g, const vertex *v, const vertex *x, bool one, int py, int px)
{
    int H = x->H ? x->H : 1, W = x->W ? x->W : 1, out_H = v->H ? v->H : 1, out_W = v->W ? v->W : 1, stride = v->stride;
    direction d = {.in_H = out_H, .in_W = out_W, .in_blocks = v->blocks, .out_blocks = x->blocks,
                   .all_taps = v->kernel * v->kernel};

    d.at = (lattice){.H = one ? 1 : ceil_div(H - py, stride), .W = one ? 1 : ceil_div(W - px, stride), .step = 1,
                     .out_step = stride, .out_y = py, .out_x = px, .out_H = H, .out_W = W};
    for (int r = 0; r < v->kernel; r++)
        for (int s = 0; s < v->kernel; s++) {
            int oy = (py + v->pad - r) / stride, ox = (px + v->pad - s) / stride;
            if (reaches(v, py, r) && reaches(v, px, s) && (!one || (inside(oy, out_H) && inside(ox, out_W))))
                add_tap(&d, oy, ox, r * v->kernel + s);
        }
    d.runs = d.in_blocks * d.at.taps;
    if (d.runs)
        set_chunk(g, &d, g->batch / v->div);
    return d;
}

static void plan_classes(const graph *g, const vertex *v, const vertex *x, conv *c)
{
    bool one = v->kernel > 1 && x->pixels <= SMALL_MAP;
    int down = one ? x->H : v->stride, across = one ? x->W : v->stride;

    c->covers = true;
    for (int py = 0; py < down; py++)
        for (int px = 0; px < across; px++) {
            direction d = class_direction(g, v, x, one, py, px);
            if (d.at.H < 1 || d.at.W < 1)
                continue;
            if (d.at.taps == 0)
                c->covers = false;
            else
                c->classes[c->class_count++] = d;
        }
}

/* A panel and the places of its pixels in the output. */
static size_t direction_scratch(const graph *g, const direction *d)
{
    return line_up(panel_floats(g, d)) + line_up((size_t)d->chunk * sizeof(size_t) / sizeof(float));
}

/* A panel of the input and one of the output's gradient. */
static size_t stage_floats(const graph *g, const direction *d)
{
    return panel_floats(g, d) + (size_t)d->out_blocks * d->chunk * g->k->lanes;
}

/* Room for the folded weights and bias behind the plan. */
static conv *new_conv(const graph *g, const vertex *v, const vertex *x, bool winograd)
{
    size_t head = line_up((sizeof(conv) + sizeof(float) - 1) / sizeof(float)), bias = line_up((size_t)v->blocks * g->k->lanes);
    size_t folded = g->use != GRAPH_INFER ? 0 : winograd ? winograd_weights_size(g, v, x) : g->params[v->param[0]].info.count;
    conv *c = graph_allocate((head + bias + line_up(folded)) * sizeof(float));

    if (!c)
        return NULL;
    *c = (conv){.winograd = winograd};
    c->bias = memset((float *)c + head, 0, bias * sizeof(float));
    c->folded = c->bias + bias;
    return c;
}

static void plan_winograd(graph *g, op *o, const vertex *v, const vertex *x, double gflop)
{
    bool train = g->use == GRAPH_TRAIN;

    o->keep_x = true;
    o->scratch = winograd_scratch(g, v, x);
    o->shared = train ? winograd_shared(g, v, x) : g->params[v->param[0]].info.count;
    op_report(g, o, 0, "winograd", gflop);
    if (train)
        op_report(g, o, 2, "winograd", gflop);
    if (train && o->x_grad)
        op_report(g, o, 1, "winograd", gflop);
}

static void plan_stem(graph *g, op *o, const vertex *v, const vertex *x, double gflop)
{
    o->keep_x = true;
    o->scratch = stem_scratch(g, v, x);
    o->shared = stem_shared(g, v, x);
    op_report(g, o, 0, "stem", gflop);
    if (g->use == GRAPH_TRAIN)
        op_report(g, o, 2, "stem", gflop);
    if (g->use == GRAPH_TRAIN && o->x_grad)
        op_report(g, o, 1, "plain loops", gflop);
}

int conv2d_plan(graph *g, op *o, err *e)
{
    const vertex *v = &g->vertices[o->v], *x = &g->vertices[o->x];
    size_t stage = 0;
    double gflop = 2e-9 * v->C * v->pixels * (double)g->params[v->param[0]].info.fan_in;
    bool winograd = winograd_fits(v, x) && g->params[v->param[0]].layout == LAYOUT_BLOCKED;
    conv *c = new_conv(g, v, x, winograd);

    if (!c)
        return err_nomem(e);
    o->state = c;
    c->stem = g->params[v->param[0]].layout == LAYOUT_PLAIN;
    if (v->stride * v->stride > MAX_CLASSES)
        return err_set(e, ERR_RUN, "a convolution of stride %d", v->stride);
    if (winograd) {
        plan_winograd(g, o, v, x, gflop);
        return 0;
    }
    if (c->stem) {
        plan_stem(g, o, v, x, gflop);
        return 0;
    }
    plan_forward(g, v, x, c);
    for (int i = 0; i < c->forward_count; i++) {
        o->scratch = larger(o->scratch, direction_scratch(g, &c->forward[i]));
        stage = larger(stage, stage_floats(g, &c->forward[i]));
    }
    op_report(g, o, 0, "panel", gflop);
    if (g->use != GRAPH_TRAIN)
        return 0;

    o->keep_x = true;
    op_report(g, o, 2, "panel", gflop);
    c->panels = (int)(STAGE_FLOATS / stage);
    if (c->panels < 1)
        c->panels = 1;
    o->shared = (size_t)c->panels * stage;
    if (!o->x_grad)
        return 0;

    op_report(g, o, 1, "panel", gflop);
    plan_classes(g, v, x, c);
    for (int i = 0; i < c->class_count; i++)
        o->scratch = larger(o->scratch, direction_scratch(g, &c->classes[i]));
    o->shared = larger(o->shared, g->params[v->param[0]].info.count); /* the transposed weights */
    return 0;
}

static const float *weights_of(const graph *g, const vertex *v)
{
    return g->weights + g->params[v->param[0]].info.offset;
}

/* ---- One direction ------------------------------------------------------------------ */

typedef struct conv_run {
    graph *g;
    const op *o;
    const conv *c;
    const direction *directions;
    int count, rows;
    const float *src, *weights, *bias;
    affine pre; /* applied to src */
    float *out, *stats;
    const float *add; /* laid out as out, may be out; or NULL */
    bool relu;
} conv_run;

static int direction_jobs(const direction *d, int rows)
{
    return (int)(((int64_t)rows * d->at.H * d->at.W + d->chunk - 1) / d->chunk);
}

/* Where lattice pixels first..first+count-1 lie in the output, in floats. */
static void output_places(const graph *g, const direction *d, int64_t first, int count, size_t *at)
{
    const lattice *l = &d->at;
    size_t L = (size_t)g->k->lanes, row = (size_t)d->out_blocks * l->out_H * l->out_W;
    int x = (int)(first % l->W), y = (int)(first / l->W % l->H);
    size_t n = (size_t)(first / l->W / l->H);

    for (int i = 0; i < count; i++) {
        size_t pixel = (size_t)(y * l->out_step + l->out_y) * l->out_W + (size_t)(x * l->out_step + l->out_x);
        at[i] = (n * row + pixel) * L;
        if (++x == l->W) {
            x = 0;
            if (++y == l->H) {
                y = 0;
                n++;
            }
        }
    }
}

static taps_used used_taps(const direction *d)
{
    return (taps_used){d->at.taps < d->all_taps ? d->tap : NULL, d->at.taps, d->all_taps};
}

/* A 1x1 convolution's panel would be a copy of its input: maps of whole tiles are read where they lie. */
static bool in_place(const conv_run *r, const direction *d)
{
    return d->at.taps == 1 && d->all_taps == 1 && d->at.step == 1 && !r->pre.a && d->in_H == d->at.H && d->in_W == d->at.W &&
           d->in_H * d->in_W % r->g->k->tile == 0;
}

static void direction_job(void *arg, int job, int thread)
{
    const conv_run *r = arg;
    const graph *g = r->g;
    const direction *d = r->directions;
    int slice = job;

    while (job >= direction_jobs(d, r->rows))
        job -= direction_jobs(d++, r->rows);

    size_t L = (size_t)g->k->lanes;
    int64_t first = (int64_t)job * d->chunk, total = (int64_t)r->rows * d->at.H * d->at.W;
    int pixels = total - first < d->chunk ? (int)(total - first) : d->chunk;
    float *panel = thread_scratch(g, thread);
    size_t *places = (size_t *)(panel + line_up(panel_floats(g, d)));
    float *stats = r->stats ? r->stats + (size_t)slice * d->out_blocks * STAT_ROWS * L : NULL;
    gemm_args m = {.a = panel, .a_run = (size_t)d->chunk * L, .runs = d->runs, .w = r->weights,
                   .w_block = (size_t)d->in_blocks * d->all_taps * L * L, .used = used_taps(d), .pixels = pixels,
                   .blocks = d->out_blocks, .out = r->out, .out_block = (size_t)d->at.out_H * d->at.out_W * L,
                   .out_pixel = places, .bias = r->bias, .add = r->add, .relu = r->relu, .stats = stats};

    m.stream = streams((size_t)r->rows * d->out_blocks * m.out_block);
    if (stats)
        memset(stats, 0, (size_t)d->out_blocks * STAT_ROWS * L * sizeof *stats);
    output_places(g, d, first, pixels, places);
    if (!in_place(r, d)) {
        g->k->pack(&(pack_args){.at = &d->at, .src = r->src, .blocks = d->in_blocks, .H = d->in_H, .W = d->in_W,
                                .panel = panel, .pitch = d->chunk, .pre = r->pre}, first, pixels);
        g->k->gemm(&m);
        return;
    }
    int plane = d->in_H * d->in_W;
    m.a_run = (size_t)plane * L;
    m.far = true;
    for (int done = 0; done < pixels; done += m.pixels) {
        int64_t n = (first + done) / plane, p = (first + done) % plane;
        m.a = r->src + ((size_t)n * d->in_blocks * plane + (size_t)p) * L;
        m.pixels = plane - p < pixels - done ? (int)(plane - p) : pixels - done;
        m.out_pixel = places + done;
        g->k->gemm(&m);
    }
}

static int all_jobs(const direction *directions, int count, int rows)
{
    int jobs = 0;

    for (int i = 0; i < count; i++)
        jobs += direction_jobs(&directions[i], rows);
    return jobs;
}

static void run_directions(conv_run *r)
{
    team_run(r->g->team, all_jobs(r->directions, r->count, r->rows), direction_job, r);
}

/* Floats of the weights that lead to one block of outputs. */
static size_t block_weights(const graph *g, const vertex *v, const vertex *x)
{
    size_t L = (size_t)g->k->lanes, taps = (size_t)v->kernel * v->kernel;

    return g->params[v->param[0]].layout == LAYOUT_PLAIN ? (size_t)x->C * taps * L : (size_t)x->blocks * taps * L * L;
}

static float param_at(const graph *g, int i, int c, float otherwise)
{
    if (i < 0)
        return otherwise;
    const param_info *p = &g->params[i].info;
    return (p->role == PARAM_STATE ? g->states : g->weights)[p->offset + (size_t)c];
}

typedef struct fold {
    graph *g;
    const op *o;
    conv *c;
    bool transform;
} fold;

/* One block of outputs. */
static void fold_job(void *arg, int kb, int thread)
{
    const fold *f = arg;
    graph *g = f->g;
    conv *c = f->c;
    const vertex *v = &g->vertices[f->o->v], *x = &g->vertices[f->o->x];
    const vertex *norm = f->o->norm < 0 ? NULL : &g->vertices[f->o->norm];
    size_t L = (size_t)g->k->lanes, count = block_weights(g, v, x), begin = kb * count;
    const float *w = weights_of(g, v) + begin;
    float *scaled = (c->winograd ? g->shared : c->folded) + begin, a[MAX_LANES] = {0};

    (void)thread;
    for (int k = kb * (int)L, i = 0; i < (int)L && k < v->C; i++, k++) {
        float bias = param_at(g, v->param[1], k, 0);
        a[i] = norm ? param_at(g, norm->param[0], k, 1) / (float)sqrt(param_at(g, norm->param[3], k, 1) + NORM_EPS) : 1;
        c->bias[k] = norm ? a[i] * (bias - param_at(g, norm->param[2], k, 0)) + param_at(g, norm->param[1], k, 0) : bias;
    }
    for (size_t j = 0; j < count; j += L)
        for (size_t i = 0; i < L; i++)
            scaled[j + i] = w[j + i] * a[i];
    if (f->transform)
        winograd_transform(g, v, x, g->shared, c->folded, kb);
}

/*
 * For inference, the normalisation that follows becomes part of the weights:
 * with a = gamma / sqrt(var + eps), a w and a (bias - mean) + beta. For
 * Winograd they are transformed too, to four times as many. A first pass over a
 * few images, which may be the only one, leaves that to the pass: false.
 */
static bool fold_weights(graph *g, const op *o, conv *c, int rows)
{
    const vertex *v = &g->vertices[o->v];
    bool brief = c->winograd && c->briefly != g->version && winograd_is_brief(v, rows);

    if (c->version == g->version)
        return true;
    team_run(g->team, v->blocks, fold_job, &(fold){g, o, c, c->winograd && !brief});
    *(brief ? &c->briefly : &c->version) = g->version;
    return !brief;
}

int conv2d_stat_slices(const graph *g, const op *o, int rows)
{
    const conv *c = o->state;

    if (c->stem)
        return stem_jobs(&g->vertices[o->v], rows);
    if (c->winograd)
        return winograd_jobs(g, &g->vertices[o->v], &g->vertices[o->x], rows);
    return all_jobs(c->forward, c->forward_count, rows);
}

/* What the layer reads, and the normalisation to apply to it. */
static const float *source_of(const graph *g, const op *o, affine *pre)
{
    const conv *c = o->state;

    *pre = o->pre ? batchnorm_affine(o->pre) : (affine){NULL, NULL};
    if (o->pre)
        return value_of(g, o->pre->x);
    return c->stem ? g->vertices[o->x].plain_value : value_of(g, o->x);
}

/* (N, C, H, W) -> (N, K, H', W') */
void conv2d_forward(graph *g, op *o, int n)
{
    const vertex *v = &g->vertices[o->v];
    conv *c = o->state;
    bool infer = g->use == GRAPH_INFER;
    float *y = value_of(g, o->y);
    const float *add = o->other < 0 ? NULL : value_of(g, o->other);

    float *stats = g->mode == GRAPH_MODE_EVAL ? NULL : o->stats;
    affine pre;
    const float *src = source_of(g, o, &pre);

    bool folded = infer && fold_weights(g, o, c, graph_rows(g, o->v, n));
    const float *bias = infer ? c->bias : v->param[1] < 0 ? NULL : g->weights + g->params[v->param[1]].info.offset;
    if (c->winograd) {
        winograd_forward(&(winograd_pass){.g = g, .v = v, .x = &g->vertices[o->x], .rows = graph_rows(g, o->v, n),
                                          .src = src, .pre = pre, .stats = stats,
                                          .weights = infer ? g->shared : weights_of(g, v),
                                          .transformed = folded ? c->folded : NULL, .bias = bias, .out = y, .add = add,
                                          .relu = o->relu});
        return;
    }
    const float *weights = infer ? c->folded : weights_of(g, v);
    if (c->stem) {
        stem_forward(&(stem_pass){.g = g, .v = v, .x = &g->vertices[o->x], .rows = graph_rows(g, o->v, n), .src = src,
                                  .weights = weights, .bias = bias, .add = add, .relu = o->relu, .out = y, .stats = stats});
        return;
    }
    run_directions(&(conv_run){.g = g, .o = o, .c = c, .directions = c->forward, .count = c->forward_count,
                               .rows = graph_rows(g, o->v, n),
                               .src = src, .pre = pre, .stats = stats,
                               .weights = weights, .bias = bias, .out = y, .add = add,
                               .relu = o->relu});
}

/* ---- Gradient of the data ------------------------------------------------------------ */

/* The weights as [C/L][K/L][taps][L of K][L of C]. */
static void transpose_job(void *arg, int cb, int thread)
{
    const conv_run *r = arg;
    const vertex *v = &r->g->vertices[r->o->v];
    size_t square = (size_t)r->g->k->lanes * r->g->k->lanes, taps = (size_t)v->kernel * v->kernel;
    size_t blocks = r->g->vertices[r->o->x].blocks;
    float *dst = r->g->shared + cb * v->blocks * taps * square;

    (void)thread;
    for (int kb = 0; kb < v->blocks; kb++)
        for (size_t t = 0; t < taps; t++, dst += square)
            r->g->k->transpose(r->weights + ((kb * blocks + cb) * taps + t) * square, dst);
}

static void clear_job(void *arg, int n, int thread)
{
    const conv_run *r = arg;
    size_t row = row_size(r->g, &r->g->vertices[r->o->x]);

    (void)thread;
    memset(r->out + (size_t)n * row, 0, row * sizeof(float));
}

static void backward_data(graph *g, op *o, int rows)
{
    const vertex *v = &g->vertices[o->v];
    const conv *c = o->state;
    conv_run r = {.g = g, .o = o, .c = c, .directions = c->classes, .count = c->class_count, .rows = rows,
                  .src = grad_of(g, o->y), .weights = weights_of(g, v),
                  .out = grad_of(g, o->x), .add = o->x_accumulate ? grad_of(g, o->x) : NULL};

    if (c->winograd) {
        winograd_backward_data(&(winograd_pass){.g = g, .v = v, .x = &g->vertices[o->x], .rows = rows, .src = r.src,
                                                .weights = r.weights, .out = r.out, .add = r.add});
        return;
    }
    if (c->stem) {
        stem_backward_data(&(stem_pass){.g = g, .v = v, .x = &g->vertices[o->x], .rows = rows, .src = r.src,
                                        .weights = r.weights, .out = r.out, .add = r.add});
        return;
    }
    team_run(g->team, g->vertices[o->x].blocks, transpose_job, &r);
    if (!c->covers && !r.add)
        team_run(g->team, rows, clear_job, &r);
    r.weights = g->shared;
    run_directions(&r);
}

/* ---- Gradient of the weights ----------------------------------------------------------- */

typedef struct stage {
    graph *g;
    const vertex *v;
    const direction *d;
    const float *x, *dy;
    affine pre; /* applied to x */
    float *dw, *dbias;
    bool accumulate;
    int64_t first, total; /* pixels */
    int rows, count;         /* panels in this stage */
    float *panels, *outputs; /* [panels] of input panels and of dy [K/L][chunk][L] */
} stage;

static int stage_pixels(const stage *s, int panel, int64_t *first)
{
    *first = s->first + (int64_t)panel * s->d->chunk;
    int64_t left = s->total - *first;
    return left < s->d->chunk ? (int)left : s->d->chunk;
}

static void stage_pack_job(void *arg, int panel, int thread)
{
    const stage *s = arg;
    const direction *d = s->d;
    const lattice dy_at = {.H = d->at.H, .W = d->at.W, .step = 1, .taps = 1, .ty = {d->at.out_y}, .tx = {d->at.out_x}};
    int64_t first;
    int pixels = stage_pixels(s, panel, &first);

    (void)thread;
    pack_args p = {.at = &d->at, .src = s->x, .blocks = d->in_blocks, .H = d->in_H, .W = d->in_W,
                   .panel = s->panels + (size_t)panel * panel_floats(s->g, d), .pitch = d->chunk, .pre = s->pre};
    s->g->k->pack(&p, first, pixels);
    p = (pack_args){.at = &dy_at, .src = s->dy, .blocks = d->out_blocks, .H = d->at.out_H, .W = d->at.out_W,
                    .panel = s->outputs + (size_t)panel * d->out_blocks * d->chunk * s->g->k->lanes, .pitch = d->chunk};
    s->g->k->pack(&p, first, pixels);
}

/* A job of the products: a few runs of the reduction times two blocks of outputs. */
enum { JOB_RUNS = 4 };

static void stage_product_job(void *arg, int job, int thread)
{
    const stage *s = arg;
    const direction *d = s->d;
    size_t L = (size_t)s->g->k->lanes, block = (size_t)d->chunk * L;
    int groups = ceil_div(d->runs, JOB_RUNS), run = job % groups * JOB_RUNS, kb = job / groups * 2;

    (void)thread;
    for (int i = 0; i < s->count; i++) {
        int64_t first;
        wgrad_args w = {.a = s->panels + (size_t)i * panel_floats(s->g, d), .a_run = block, .first = run,
                        .runs = d->runs - run < JOB_RUNS ? d->runs - run : JOB_RUNS,
                        .d = s->outputs + ((size_t)i * d->out_blocks + kb) * block, .d_block = block,
                        .pixels = stage_pixels(s, i, &first), .blocks = d->out_blocks - kb < 2 ? 1 : 2,
                        .dw_block = (size_t)d->in_blocks * d->all_taps * L * L, .used = used_taps(d),
                        .accumulate = s->accumulate || i > 0};
        w.dw = s->dw + kb * w.dw_block;
        s->g->k->wgrad(&w);
    }
}

static void bias_job(void *arg, int kb, int thread)
{
    const stage *s = arg;
    size_t L = (size_t)s->g->k->lanes, plane = (size_t)s->v->pixels * L;

    (void)thread;
    s->g->k->sum(s->dy + kb * plane, s->rows, s->v->blocks * plane, s->v->pixels, s->dbias + kb * L);
}

/*
 * Stage by stage: all threads pack panels, then each takes some of the
 * weights. An element is summed by one thread in the order of the pixels,
 * so the result does not depend on the number of threads.
 */
static void run_stages(graph *g, const conv *c, stage *s)
{
    const direction *d = s->d;

    s->outputs = s->panels + (size_t)c->panels * panel_floats(g, d);
    s->total = (int64_t)s->rows * d->at.H * d->at.W;
    for (s->first = 0; s->first < s->total; s->first += (int64_t)c->panels * d->chunk) {
        int64_t left = (s->total - s->first + d->chunk - 1) / d->chunk;
        s->count = left < c->panels ? (int)left : c->panels;
        team_run(g->team, s->count, stage_pack_job, s);
        team_run(g->team, ceil_div(d->runs, JOB_RUNS) * ceil_div(d->out_blocks, 2), stage_product_job, s);
        s->accumulate = true;
    }
}

static void backward_weights(graph *g, op *o, int rows)
{
    const vertex *v = &g->vertices[o->v];
    const conv *c = o->state;
    stage s = {.g = g, .v = v, .dy = grad_of(g, o->y), .rows = rows, .dw = g->grads + g->params[v->param[0]].info.offset,
               .panels = g->shared};

    s.x = source_of(g, o, &s.pre);
    if (c->winograd)
        winograd_backward_weights(&(winograd_pass){.g = g, .v = v, .x = &g->vertices[o->x], .rows = rows, .src = s.x,
                                                   .pre = s.pre}, s.dy,
                                  s.dw);
    if (c->stem)
        stem_backward_weights(&(stem_pass){.g = g, .v = v, .x = &g->vertices[o->x], .rows = rows, .src = s.x}, s.dy, s.dw);
    /* Several directions: each has some of the taps. */
    if (c->forward_count > 1) {
        memset(s.dw, 0, g->params[v->param[0]].info.count * sizeof(float));
        s.accumulate = true;
    }
    for (int i = 0; i < c->forward_count; i++) {
        s.d = &c->forward[i];
        run_stages(g, c, &s);
    }
    if (v->param[1] >= 0) {
        s.dbias = g->grads + g->params[v->param[1]].info.offset;
        team_run(g->team, v->blocks, bias_job, &s);
    }
}

void conv2d_backward(graph *g, op *o, int n)
{
    int rows = graph_rows(g, o->v, n);
    double begin = op_begin(g);

    backward_weights(g, o, rows);
    op_end(g, o, 2, begin);
    if (o->x_grad)
        backward_data(g, o, rows);
}

/* ---- Reference: of the panels here, of winograd.c and of stem.c ------------------------------ */

/* Calls for each pair of an output and an input element that a weight connects. */
#define EACH_PRODUCT(o, yi, xi, wi, statement)                                             \
    do {                                                                                   \
        const vertex *v_ = (o)->v, *x_ = (o)->in[0];                                       \
        int H_ = x_->H ? x_->H : 1, W_ = x_->W ? x_->W : 1, K_ = v_->kernel;               \
        int P_ = v_->pixels, Wo_ = v_->W ? v_->W : 1;                                      \
        for (int n_ = 0; n_ < (o)->n; n_++)                                                \
            for (int k_ = 0; k_ < v_->C; k_++)                                             \
                for (int p_ = 0; p_ < P_; p_++)                                            \
                    for (int c_ = 0; c_ < x_->C; c_++)                                     \
                        for (int t_ = 0; t_ < K_ * K_; t_++) {                             \
                            int iy_ = p_ / Wo_ * v_->stride + t_ / K_ - v_->pad;           \
                            int ix_ = p_ % Wo_ * v_->stride + t_ % K_ - v_->pad;           \
                            if (iy_ < 0 || iy_ >= H_ || ix_ < 0 || ix_ >= W_)              \
                                continue;                                                  \
                            size_t yi = ((size_t)n_ * v_->C + k_) * P_ + p_;               \
                            size_t xi = (((size_t)n_ * x_->C + c_) * H_ + iy_) * W_ + ix_; \
                            size_t wi = ((size_t)k_ * x_->C + c_) * K_ * K_ + t_;          \
                            statement;                                                     \
                        }                                                                  \
    } while (0)

void conv2d_reference_forward(const ref_op *o)
{
    size_t count = (size_t)o->n * o->v->C * o->v->pixels;

    for (size_t i = 0; i < count; i++)
        o->y[i] = o->param[1] ? o->param[1][i / o->v->pixels % o->v->C] : 0;
    EACH_PRODUCT(o, yi, xi, wi, o->y[yi] += o->param[0][wi] * o->x[0][xi]);
}

void conv2d_reference_backward(const ref_op *o)
{
    size_t count = (size_t)o->n * o->v->C * o->v->pixels;

    for (size_t i = 0; o->param[1] && i < count; i++)
        o->dparam[1][i / o->v->pixels % o->v->C] += o->dy[i];
    EACH_PRODUCT(o, yi, xi, wi, o->dparam[0][wi] += o->dy[yi] * o->x[0][xi]);
    EACH_PRODUCT(o, yi, xi, wi, o->dx[0][xi] += o->dy[yi] * o->param[0][wi]);
}

const layer layer_conv2d = {"conv2d", conv2d_plan, conv2d_forward, conv2d_backward, conv2d_reference_forward,
                            conv2d_reference_backward};
