#include "nn/internal.h"

#include "base/rng.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Large pages, where the system has them: Winograd's 36 streams otherwise cost a walk of the page table each. */
void *graph_allocate(size_t bytes)
{
    size_t page = (size_t)2 << 20, unit = bytes < page ? 64 : page;
    void *p = aligned_alloc(unit, (bytes + 64 + unit - 1) / unit * unit);

#ifdef MADV_HUGEPAGE
    if (p && unit == page)
        madvise(p, (bytes + 64 + unit - 1) / unit * unit, MADV_HUGEPAGE); /* a refusal costs speed only */
#endif
    return p;
}

/* ---- Build ----------------------------------------------------------------- */

graph *graph_new(int threads, err *e)
{
    graph *g = calloc(1, sizeof *g);

    if (!g) {
        err_nomem(e);
        return NULL;
    }
    g->version = 1;
    g->k = kernels_choose(e);
    g->team = g->k ? team_new(threads, e) : NULL;
    if (!g->team) {
        graph_free(g);
        return NULL;
    }
    return g;
}

void graph_free(graph *g)
{
    if (!g)
        return;
    team_free(g->team);
    gather_free(g);
    for (int i = 0; i < g->count; i++) {
        free(g->vertices[i].name);
        free(g->vertices[i].plain_value);
        free(g->vertices[i].plain_grad);
    }
    for (int i = 0; i < g->param_count; i++)
        free((char *)g->params[i].info.name);
    for (int i = 0; i < g->op_count; i++)
        free(g->ops[i].state);
    for (int i = 0; i < g->report_count; i++)
        free((char *)g->reports[i].name);
    free(g->vertices);
    free(g->params);
    free(g->weights);
    free(g->grads);
    free(g->states);
    free(g->ops);
    free(g->memory);
    free(g->reports);
    free(g);
}

/* Remembers the first failure of a build call. */
__attribute__((format(printf, 2, 3))) static node fail(graph *g, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (g->error.kind == ERR_NONE)
        err_set(&g->error, ERR_RUN, "%s", text);
    return -1;
}

/* Doubles an array when it is full; false: out of memory. */
static bool grow(void **array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    int more = *capacity ? 2 * *capacity : 64;
    void *p = realloc(*array, (size_t)more * size);
    if (!p)
        return false;
    *array = p;
    *capacity = more;
    return true;
}

const char *graph_build_error(const graph *g)
{
    return g->error.kind == ERR_NONE ? "" : g->error.msg;
}

/* A new vertex of shape (C, H, W), read from a and b (-1: none). */
static node add_vertex(graph *g, const layer *kind, node a, node b, int C, int H, int W)
{
    if (g->compiled)
        return fail(g, "the graph is compiled already");
    if (!grow((void **)&g->vertices, g->count, &g->capacity, sizeof *g->vertices))
        return fail(g, "out of memory");
    vertex *v = &g->vertices[g->count];
    *v = (vertex){.layer = kind, .in = {a, b}, .inputs = (a >= 0) + (b >= 0), .C = C, .H = H, .W = W, .div = 1,
                  .param = {-1, -1, -1, -1}, .root = g->count};
    v->blocks = ceil_div(C, g->k->lanes);
    v->pixels = H ? H * W : 1;
    if (a >= 0)
        v->div = g->vertices[a].div;
    return g->count++;
}

static bool known(const graph *g, node x)
{
    return x >= 0 && x < g->count;
}

/* The index of a new parameter NAME.SUFFIX, or -1. */
static int add_param(graph *g, const char *name, const char *suffix, param_role role, param_layout layout, int ndim,
                     const int64_t *shape)
{
    if (!grow((void **)&g->params, g->param_count, &g->param_capacity, sizeof *g->params))
        return fail(g, "out of memory");
    char *full = NULL;
    if (asprintf(&full, "%s.%s", name, suffix) < 0)
        return fail(g, "out of memory");
    for (int i = 0; i < g->param_count; i++)
        if (strcmp(g->params[i].info.name, full) == 0) {
            fail(g, "two parameters are named '%s'", full);
            free(full);
            return -1;
        }

    param *p = &g->params[g->param_count];
    *p = (param){.layout = layout, .trained = role != PARAM_STATE};
    p->info = (param_info){.name = full, .role = role, .ndim = ndim};
    int64_t K = shape[0], C = ndim > 1 ? shape[1] : 1, taps = 1;
    for (int i = 0; i < ndim; i++) {
        p->info.shape[i] = shape[i];
        if (i >= 2)
            taps *= shape[i];
    }
    p->info.fan_in = C * taps;
    p->info.fan_out = K * taps;
    int64_t L = g->k->lanes, Kp = (K + L - 1) / L * L, Cp = (C + L - 1) / L * L;
    p->info.count = line_up((size_t)(layout == LAYOUT_BLOCKED ? Kp * Cp * taps : Kp * C * taps));
    size_t *end = role == PARAM_STATE ? &g->state_count : &g->weight_count;
    p->info.offset = *end;
    *end += p->info.count;
    return g->param_count++;
}

node graph_input(graph *g, int C, int H, int W)
{
    if (C < 1 || H < 0 || W < 0 || !H != !W)
        return fail(g, "an input of %d x %d x %d", C, H, W);
    return add_vertex(g, &layer_input, -1, -1, C, H, W);
}

node graph_conv2d(graph *g, const char *name, node x, int K, int kernel, int stride, int pad, bool bias)
{
    if (!known(g, x))
        return -1;
    const vertex *in = &g->vertices[x];
    int H = (in->H + 2 * pad - kernel) / stride + 1, W = (in->W + 2 * pad - kernel) / stride + 1;
    if (!in->H)
        return fail(g, "%s: a convolution of a vector", name);
    if (K < 1 || kernel < 1 || kernel * kernel > MAX_TAPS || stride < 1 || pad < 0 || pad >= kernel)
        return fail(g, "%s: a convolution of %d channels, kernel %d, stride %d, padding %d", name, K, kernel, stride, pad);
    if (in->H + 2 * pad < kernel || in->W + 2 * pad < kernel)
        return fail(g, "%s: a map of %d x %d is smaller than the kernel", name, in->H, in->W);

    int C = in->C;
    /* A few channels of plain input are read as they are: blocks would be mostly padding. */
    bool plain = in->layer == &layer_input && 2 * C <= g->k->lanes;
    node y = add_vertex(g, &layer_conv2d, x, -1, K, H, W);
    if (y < 0)
        return -1;
    vertex *v = &g->vertices[y];
    v->kernel = kernel;
    v->stride = stride;
    v->pad = pad;
    v->param[0] = add_param(g, name, "weight", PARAM_WEIGHT, plain ? LAYOUT_PLAIN : LAYOUT_BLOCKED, 4,
                            (int64_t[]){K, C, kernel, kernel});
    if (bias)
        v->param[1] = add_param(g, name, "bias", PARAM_BIAS, LAYOUT_VECTOR, 1, (int64_t[]){K});
    return y;
}

static node add_batchnorm(graph *g, const char *name, node x, bool scaled)
{
    if (!known(g, x))
        return -1;
    const vertex *in = &g->vertices[x];
    int64_t shape[] = {in->C};
    node y = add_vertex(g, &layer_batchnorm, x, -1, in->C, in->H, in->W);
    if (y < 0)
        return -1;
    vertex *v = &g->vertices[y];
    if (scaled) {
        v->param[0] = add_param(g, name, "weight", PARAM_NORM, LAYOUT_VECTOR, 1, shape);
        v->param[1] = add_param(g, name, "bias", PARAM_NORM, LAYOUT_VECTOR, 1, shape);
    }
    v->param[2] = add_param(g, name, "running_mean", PARAM_STATE, LAYOUT_VECTOR, 1, shape);
    v->param[3] = add_param(g, name, "running_var", PARAM_STATE, LAYOUT_VECTOR, 1, shape);
    return y;
}

node graph_batchnorm(graph *g, const char *name, node x)
{
    return add_batchnorm(g, name, x, true);
}

node graph_batchnorm_plain(graph *g, const char *name, node x)
{
    return add_batchnorm(g, name, x, false);
}

node graph_relu(graph *g, node x)
{
    if (!known(g, x))
        return -1;
    const vertex *in = &g->vertices[x];
    return add_vertex(g, &layer_relu, x, -1, in->C, in->H, in->W);
}

node graph_add(graph *g, node a, node b)
{
    if (!known(g, a) || !known(g, b))
        return -1;
    const vertex *va = &g->vertices[a], *vb = &g->vertices[b];
    if (va->C != vb->C || va->H != vb->H || va->W != vb->W || va->div != vb->div)
        return fail(g, "an addition of %d x %d x %d and %d x %d x %d", va->C, va->H, va->W, vb->C, vb->H, vb->W);
    return add_vertex(g, &layer_add, a, b, va->C, va->H, va->W);
}

node graph_maxpool(graph *g, node x, int kernel, int stride, int pad)
{
    if (!known(g, x))
        return -1;
    const vertex *in = &g->vertices[x];
    if (!in->H || kernel < 1 || kernel > 15 || stride < 1 || pad < 0 || 2 * pad > kernel || in->H + 2 * pad < kernel ||
        in->W + 2 * pad < kernel)
        return fail(g, "a max-pooling of kernel %d, stride %d, padding %d over %d x %d", kernel, stride, pad, in->H, in->W);
    node y = add_vertex(g, &layer_maxpool, x, -1, in->C, (in->H + 2 * pad - kernel) / stride + 1,
                        (in->W + 2 * pad - kernel) / stride + 1);
    if (y < 0)
        return -1;
    vertex *v = &g->vertices[y];
    v->kernel = kernel;
    v->stride = stride;
    v->pad = pad;
    return y;
}

node graph_global_avgpool(graph *g, node x)
{
    if (!known(g, x))
        return -1;
    return add_vertex(g, &layer_global_avgpool, x, -1, g->vertices[x].C, 0, 0);
}

node graph_linear(graph *g, const char *name, node x, int out, bool bias)
{
    if (!known(g, x))
        return -1;
    int C = g->vertices[x].C;
    if (g->vertices[x].H)
        return fail(g, "%s: a linear layer of a map", name);
    if (out < 1)
        return fail(g, "%s: a linear layer of %d outputs", name, out);
    node y = add_vertex(g, &layer_linear, x, -1, out, 0, 0);
    if (y < 0)
        return -1;
    vertex *v = &g->vertices[y];
    v->kernel = v->stride = 1;
    v->param[0] = add_param(g, name, "weight", PARAM_WEIGHT, LAYOUT_BLOCKED, 2, (int64_t[]){out, C});
    if (bias)
        v->param[1] = add_param(g, name, "bias", PARAM_BIAS, LAYOUT_VECTOR, 1, (int64_t[]){out});
    return y;
}

node graph_flatten(graph *g, node x)
{
    if (!known(g, x))
        return -1;
    const vertex *in = &g->vertices[x];
    return add_vertex(g, &layer_flatten, x, -1, in->C * in->pixels, 0, 0);
}

node graph_concat_rows(graph *g, node x, int P)
{
    if (!known(g, x))
        return -1;
    if (g->vertices[x].H || P < 1)
        return fail(g, "rows of maps, or %d rows, cannot be put side by side", P);
    node y = add_vertex(g, &layer_concat_rows, x, -1, g->vertices[x].C * P, 0, 0);
    if (y < 0)
        return -1;
    g->vertices[y].parts = P;
    g->vertices[y].div *= P;
    return y;
}

node graph_pixel_shuffle(graph *g, node x, int r)
{
    if (!known(g, x))
        return -1;
    const vertex *in = &g->vertices[x];
    int C = in->C, H = in->H ? in->H : 1, W = in->H ? in->W : 1;
    if (r < 1 || r > 256 || C % (r * r))
        return fail(g, "%d channels cannot be made %d x %d pixels each", C, r, r);
    node y = add_vertex(g, &layer_pixel_shuffle, x, -1, C / (r * r), r * H, r * W);
    if (y >= 0)
        g->vertices[y].parts = r;
    return y;
}

node graph_crop(graph *g, node x, int h, int w)
{
    if (!known(g, x))
        return -1;
    const vertex *in = &g->vertices[x];
    if (h < 1 || w < 1 || h > in->H || w > in->W)
        return fail(g, "%d x %d cannot be cropped to %d x %d", in->H, in->W, h, w);
    return h == in->H && w == in->W ? x : add_vertex(g, &layer_crop, x, -1, in->C, h, w);
}

void graph_name(graph *g, node x, const char *name)
{
    if (!known(g, x))
        return;
    free(g->vertices[x].name);
    if (!(g->vertices[x].name = strdup(name)))
        fail(g, "out of memory");
}

node graph_find(const graph *g, const char *name)
{
    for (int i = 0; i < g->count; i++)
        if (g->vertices[i].name && strcmp(g->vertices[i].name, name) == 0)
            return i;
    return -1;
}

int graph_named_count(const graph *g)
{
    int n = 0;

    for (int i = 0; i < g->count; i++)
        n += g->vertices[i].name != NULL;
    return n;
}

const char *graph_named(const graph *g, int i, node *x)
{
    for (node v = 0; v < g->count; v++)
        if (g->vertices[v].name && i-- == 0) {
            if (x)
                *x = v;
            return g->vertices[v].name;
        }
    return NULL;
}

void graph_shape(const graph *g, node x, int *C, int *H, int *W)
{
    *C = g->vertices[x].C;
    *H = g->vertices[x].H;
    *W = g->vertices[x].W;
}

void graph_output(graph *g, node x)
{
    if (known(g, x))
        g->vertices[x].output = true;
}

void graph_want_input_grad(graph *g, node x)
{
    if (known(g, x))
        g->vertices[x].want_grad = true;
}

int graph_compile(graph *g, graph_use use, int batch, err *e)
{
    if (g->error.kind != ERR_NONE) {
        *e = g->error;
        return -1;
    }
    if (g->compiled)
        return err_set(e, ERR_RUN, "the graph is compiled already");
    if (batch < 1)
        return err_set(e, ERR_RUN, "a batch of %d rows", batch);
    g->use = use;
    g->batch = batch;
    if (graph_compile_plan(g, e) != 0)
        return -1;
    g->compiled = true;
    return 0;
}

size_t graph_memory(const graph *g)
{
    size_t arenas = g->weight_count * (g->use == GRAPH_TRAIN ? 2 : 1) + g->state_count;

    return g->memory_size + arenas * sizeof(float);
}

/* ---- Parameters -------------------------------------------------------------- */

int graph_param_count(const graph *g)
{
    return g->param_count;
}

const param_info *graph_param(const graph *g, int i)
{
    return &g->params[i].info;
}

/* Where element (k, c, tap) of a parameter lies in its span. */
static size_t element_at(const graph *g, const param *p, int64_t k, int64_t c, int64_t tap)
{
    int64_t L = g->k->lanes, C = p->info.ndim > 1 ? p->info.shape[1] : 1, taps = p->info.fan_in / C;

    switch (p->layout) {
    case LAYOUT_BLOCKED:
        return (size_t)(((((k / L) * ((C + L - 1) / L) + c / L) * taps + tap) * L + c % L) * L + k % L);
    case LAYOUT_PLAIN:
        return (size_t)(((k / L) * C * taps + c * taps + tap) * L + k % L);
    default:
        return (size_t)k;
    }
}

/* Calls for each element with k from `first` to `end`: plain[i] and span[at] are the same element. */
#define EACH_ELEMENT_OF(g, p, first, end, i, at, statement)                                      \
    do {                                                                                         \
        int64_t C_ = (p)->info.ndim > 1 ? (p)->info.shape[1] : 1, taps_ = (p)->info.fan_in / C_; \
        size_t i = (size_t)((first) * C_ * taps_);                                               \
        for (int64_t k_ = (first); k_ < (end); k_++)                                             \
            for (int64_t c_ = 0; c_ < C_; c_++) {                                                \
                size_t at = element_at(g, p, k_, c_, 0), tap_ = element_at(g, p, k_, c_, 1) - at; \
                for (int64_t t_ = 0; t_ < taps_; t_++, i++, at += tap_)                          \
                    statement;                                                                   \
            }                                                                                    \
    } while (0)

#define EACH_ELEMENT(g, p, i, at, statement) EACH_ELEMENT_OF(g, p, (int64_t)0, (p)->info.shape[0], i, at, statement)

static float *span_of(const graph *g, const param *p)
{
    return (p->info.role == PARAM_STATE ? g->states : g->weights) + p->info.offset;
}

void graph_get_tensor(const graph *g, int i, float *dst)
{
    const param *p = &g->params[i];
    const float *span = span_of(g, p);

    EACH_ELEMENT(g, p, j, at, dst[j] = span[at]);
}

typedef struct set_run {
    graph *g;
    const param *p;
    const float *src;
} set_run;

/* One block of outputs. */
static void set_job(void *arg, int block, int thread)
{
    const set_run *r = arg;
    float *span = span_of(r->g, r->p);
    int64_t L = r->g->k->lanes, first = block * L, end = first + L < r->p->info.shape[0] ? first + L : r->p->info.shape[0];

    (void)thread;
    EACH_ELEMENT_OF(r->g, r->p, first, end, j, at, span[at] = r->src[j]);
}

void graph_set_tensor(graph *g, int i, const float *src)
{
    const param *p = &g->params[i];

    set_run r = {g, p, src};
    int blocks = ceil_div((int)p->info.shape[0], g->k->lanes);

    if (p->info.count >= 1 << 16)
        graph_run(g, blocks, set_job, &r);
    else
        for (int b = 0; b < blocks; b++)
            set_job(&r, b, 0);
    graph_weights_changed(g);
}

void graph_unpack(const graph *g, int i, const float *arena, float *dst)
{
    const param *p = &g->params[i];

    EACH_ELEMENT(g, p, j, at, dst[j] = arena[p->info.offset + at]);
}

void graph_pack(const graph *g, int i, const float *src, float *arena)
{
    const param *p = &g->params[i];

    EACH_ELEMENT(g, p, j, at, arena[p->info.offset + at] = src[j]);
}

void graph_get_grad(const graph *g, int i, float *dst)
{
    graph_unpack(g, i, g->grads, dst);
}

float *graph_weights(graph *g)
{
    return g->weights;
}

float *graph_grads(graph *g)
{
    return g->grads;
}

size_t graph_weights_count(const graph *g)
{
    return g->weight_count;
}

void graph_weights_changed(graph *g)
{
    g->version++;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* The bias of a linear layer is uniform within 1 / sqrt(fan_in) of its weight, which stands just before it. */
static double bias_bound(const graph *g, int i)
{
    return 1 / sqrt((double)g->params[i - 1].info.fan_in);
}

void graph_init_params(graph *g, uint64_t seed)
{
    for (int i = 0; i < g->param_count; i++) {
        const param *p = &g->params[i];
        float *span = span_of(g, p);
        rng r = rng_at(rng_mix_str(rng_mix_str(seed, "init"), p->info.name));
        double bound;

        switch (p->info.role) {
        case PARAM_WEIGHT:
            if (p->info.ndim == 4) { /* He et al. 2015, fan_out */
                double sd = sqrt(2.0 / (double)p->info.fan_out);
                EACH_ELEMENT(g, p, j, at, span[at] = (float)(sd * rng_normal(&r)));
            } else { /* kaiming_uniform_(a = sqrt 5): within 1 / sqrt(fan_in) */
                bound = 1 / sqrt((double)p->info.fan_in);
                EACH_ELEMENT(g, p, j, at, span[at] = (float)rng_range(&r, -bound, bound));
            }
            break;
        case PARAM_BIAS:
            bound = bias_bound(g, i);
            EACH_ELEMENT(g, p, j, at, span[at] = (float)rng_range(&r, -bound, bound));
            break;
        default: {
            float one = ends_with(p->info.name, ".weight") || ends_with(p->info.name, ".running_var");
            EACH_ELEMENT(g, p, j, at, span[at] = one);
        }
        }
    }
    graph_weights_changed(g);
}

/* ---- Run ------------------------------------------------------------------------ */

void graph_reset_stats(graph *g)
{
    g->estimates = 0;
}

float *graph_input_data(graph *g, node x)
{
    return g->vertices[x].plain_value;
}

int graph_rows(const graph *g, node x, int n)
{
    return n / g->vertices[x].div;
}

/* A slice of the rows of all vertices that are converted between blocked and plain. */
typedef struct convert {
    const graph *g;
    const vertex *v;
    int rows;
    float *blocked, *plain;
    bool add;
} convert;

static void to_plain_job(void *arg, int slice, int thread)
{
    const convert *c = arg;
    const vertex *v = c->v;

    (void)thread;
    for (int n = slice_begin(c->rows, slice); n < slice_begin(c->rows, slice + 1); n++)
        c->g->k->to_plain(c->blocked + (size_t)n * row_size(c->g, v), v->C, v->pixels, c->plain + (size_t)n * v->C * v->pixels);
}

/* As from_plain, but added: of vectors, which alone are views. */
static void add_plain(const float *src, int C, int pixels, float *x)
{
    for (int i = 0; i < C * pixels; i++)
        x[i] += src[i];
}

static void from_plain_job(void *arg, int slice, int thread)
{
    const convert *c = arg;
    const vertex *v = c->v;

    (void)thread;
    for (int n = slice_begin(c->rows, slice); n < slice_begin(c->rows, slice + 1); n++)
        (c->add ? add_plain : c->g->k->from_plain)(c->plain + (size_t)n * v->C * v->pixels, v->C, v->pixels, c->blocked + (size_t)n * row_size(c->g, v));
}

typedef struct graph_pass {
    graph *g;
    int n;
    err *e;
} graph_pass;

static void clear_job(void *arg, int slice, int thread)
{
    const convert *c = arg;
    int a = slice_begin(c->rows, slice), b = slice_begin(c->rows, slice + 1);
    size_t row = row_size(c->g, c->v);

    (void)thread;
    memset(c->blocked + (size_t)a * row, 0, (size_t)(b - a) * row * sizeof(float));
}

/* What is read through graph_grad() starts at zero. */
static void clear_grads(graph *g, int n)
{
    for (int i = 0; i < g->count; i++) {
        vertex *v = &g->vertices[i];
        int rows = graph_rows(g, i, n);
        v->plain_fresh = false;
        if (!v->output || g->use != GRAPH_TRAIN)
            continue;
        if (v->plain_grad)
            memset(v->plain_grad, 0, (size_t)rows * v->C * v->pixels * sizeof(float));
        else if (grad_of(g, i))
            team_run(g->team, slice_count(rows), clear_job, &(convert){g, v, rows, grad_of(g, i), NULL, false});
    }
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double op_begin(const graph *g)
{
    return g->profiling ? now() : 0;
}

void op_end(graph *g, const op *o, int pass, double begin)
{
    if (!g->profiling || o->report[pass] < 0)
        return;
    layer_report *r = &g->reports[o->report[pass]];
    r->seconds += now() - begin;
    r->samples += g->rows;
}

static void forward_pass(void *arg)
{
    graph_pass *p = arg;
    graph *g = p->g;

    for (int i = 0; i < g->op_count && p->e->kind == ERR_NONE; i++) {
        double begin = op_begin(g);
        g->ops[i].layer->forward(g, &g->ops[i], p->n);
        op_end(g, &g->ops[i], 0, begin);
    }
    clear_grads(g, p->n);
}

int graph_forward(graph *g, int n, graph_mode mode, err *e)
{
    if (!g->compiled)
        return err_set(e, ERR_RUN, "the graph is not compiled");
    if (n < 1 || n > g->batch)
        return err_set(e, ERR_RUN, "%d rows in a graph planned for %d", n, g->batch);
    for (int i = 0; i < g->count; i++)
        if (g->vertices[i].live && n % g->vertices[i].div)
            return err_set(e, ERR_RUN, "%d rows are no multiple of %d", n, g->vertices[i].div);
    g->showing_whole = false;
    g->rows = n;
    g->mode = g->use == GRAPH_INFER ? GRAPH_MODE_EVAL : mode;

    err failed = {.kind = ERR_NONE};
    g->run_error = &failed;
    team_call(g->team, forward_pass, &(graph_pass){g, n, &failed});
    if (failed.kind != ERR_NONE) {
        *e = failed;
        return -1;
    }
    g->estimates += mode == GRAPH_MODE_ESTIMATE;
    return 0;
}

static void read_value(void *arg)
{
    convert *c = arg;

    team_run(c->g->team, slice_count(c->rows), to_plain_job, c);
}

const float *graph_value(graph *g, node x)
{
    vertex *v = &g->vertices[x];
    int rows = graph_rows(g, x, g->rows);

    if (g->showing_whole)
        return g->whole[x].value;
    if (!v->plain_value)
        return value_of(g, x);
    if (v->layer != &layer_input && !v->plain_fresh && rows > 0)
        team_call(g->team, read_value, &(convert){g, v, rows, value_of(g, x), v->plain_value, false});
    v->plain_fresh = true;
    return v->plain_value;
}

float *graph_grad(graph *g, node x)
{
    vertex *v = &g->vertices[x];

    if (g->showing_whole)
        return grad_of(g, x) || v->plain_grad ? g->whole[x].grad : NULL;
    return v->plain_grad ? v->plain_grad : grad_of(g, x);
}

/* The callers' gradients, in blocks; those of outputs that share memory are added. */
static void gather_grads(graph *g, int n)
{
    for (node x = 0; x < g->count; x++) {
        vertex *v = &g->vertices[x];
        int rows = graph_rows(g, x, n);
        bool add = false;
        if (!v->output || !v->plain_grad || !grad_of(g, x))
            continue;
        for (node y = v->root; y < x; y++)
            add |= g->vertices[y].output && g->vertices[y].root == v->root;
        team_run(g->team, slice_count(rows), from_plain_job, &(convert){g, v, rows, grad_of(g, x), v->plain_grad, add});
    }
}

static void backward_pass(void *arg)
{
    graph_pass *p = arg;
    graph *g = p->g;

    gather_grads(g, p->n);
    for (int i = g->op_count - 1; i >= 0; i--) {
        const op *o = &g->ops[i];
        /* A layer with weights times that pass itself: what is left belongs to the data. */
        double weights = o->report[2] < 0 ? 0 : g->reports[o->report[2]].seconds;
        double begin = op_begin(g);
        o->layer->backward(g, &g->ops[i], p->n);
        op_end(g, o, 1, begin);
        if (g->profiling && o->report[1] >= 0 && o->report[2] >= 0)
            g->reports[o->report[1]].seconds -= g->reports[o->report[2]].seconds - weights;
    }
}

int graph_backward(graph *g, err *e)
{
    if (!g->compiled || g->use != GRAPH_TRAIN)
        return err_set(e, ERR_RUN, "the graph is not compiled for training");
    if (g->rows < 1)
        return err_set(e, ERR_RUN, "a backward pass before any forward pass");
    team_call(g->team, backward_pass, &(graph_pass){g, g->rows, e});
    return 0;
}

const float *graph_input_grad(graph *g, node x)
{
    return g->vertices[x].plain_grad;
}

/* ---- Losses ------------------------------------------------------------------------ */

typedef struct graph_jobs {
    graph *g;
    int jobs;
    team_job *fn;
    void *arg;
} graph_jobs;

static void run_jobs(void *arg)
{
    graph_jobs *j = arg;

    team_run(j->g->team, j->jobs, j->fn, j->arg);
}

void graph_run(graph *g, int jobs, void (*fn)(void *arg, int job, int thread), void *arg)
{
    team_call(g->team, run_jobs, &(graph_jobs){g, jobs, fn, arg});
}

int graph_threads(const graph *g)
{
    return team_threads(g->team);
}

/* ---- Profile ----------------------------------------------------------------------- */

void graph_profile(graph *g, bool on)
{
    g->profiling = on;
    for (int i = 0; i < g->report_count; i++) {
        g->reports[i].seconds = 0;
        g->reports[i].samples = 0;
    }
}

int graph_report_count(const graph *g)
{
    return g->report_count;
}

const layer_report *graph_report(const graph *g, int i)
{
    return &g->reports[i];
}

enum { PEAK_ROUNDS = 200000, PEAK_TRIES = 5 };

typedef struct peak_run {
    graph *g;
    double operations[64], best; /* operations of each job */
    int jobs;
} peak_run;

static void peak_job(void *arg, int job, int thread)
{
    peak_run *r = arg;
    float sink;

    (void)thread;
    r->operations[job] = r->g->k->peak(PEAK_ROUNDS, &sink);
}

static void measure_peak(void *arg)
{
    peak_run *r = arg;

    for (int i = 0; i < PEAK_TRIES; i++) {
        double begin = now(), total = 0;
        team_run(r->g->team, r->jobs, peak_job, r);
        double seconds = now() - begin;
        for (int j = 0; j < r->jobs; j++)
            total += r->operations[j];
        if (total > r->best * seconds)
            r->best = total / seconds;
    }
}

double graph_peak(graph *g)
{
    peak_run r = {.g = g, .jobs = team_threads(g->team)};

    if (r.jobs > (int)(sizeof r.operations / sizeof *r.operations))
        r.jobs = sizeof r.operations / sizeof *r.operations;
    team_call(g->team, measure_peak, &r);
    return 1e-9 * r.best * team_threads(g->team) / r.jobs;
}
