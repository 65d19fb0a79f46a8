#include "nn/layers/winograd.h"

enum {
    ELEMENTS = 36,
    STAGE_BYTES = 6 << 20, /* of the tiles that the weights' gradient takes at a time */
};

static int tiles_of(const vertex *v)
{
    return ceil_div(v->H, 4) * ceil_div(v->W, 4);
}

bool winograd_fits(const vertex *v, const vertex *x)
{
    if (v->kernel != 3 || v->pad != 1 || v->stride > 2)
        return false;
    /* Of stride 2 the gain is smaller: 81 products a tile must be well below 9 a pixel, and outweigh the transforms. */
    return v->stride == 1 ? x->H > 2 && x->W > 2 : x->C >= 32 && 81 * tiles_of(v) < 8 * v->pixels;
}

static const winograd_form *form_of(const graph *g, const vertex *v)
{
    return &g->k->winograd[v->stride - 1];
}

/* How many pixels of a product each tile has in element i: see kernels/polyphase.h. */
static int pixels_of(const vertex *v, int i)
{
    return v->stride == 1 || i < 25 ? 1 : i < 35 ? 4 : 16;
}

/* Which of the 36 weights element i, in the order of memory, is multiplied by. */
static int weights_of(const vertex *v, int i)
{
    if (v->stride == 1)
        return i;
    return i < 25 ? i / 5 * 6 + i % 5 : i < 30 ? (i - 25) * 6 + 5 : i;
}

/* The distance of a tile's elements: an odd number of cache lines, so that they do not fall into one set of the cache. */
static size_t element_size(const graph *g, int blocks, int pitch)
{
    size_t lines = ((size_t)blocks * pitch * g->k->lanes + 15) / 16;

    return (lines | 1) * 16;
}

/* Lays out tiles of a map at `tiles`; returns where they end. */
static float *lay_out(winograd_args *w, const graph *g, const vertex *v, const vertex *map, int pitch, float *tiles)
{
    *w = (winograd_args){.blocks = map->blocks, .H = map->H, .W = map->W, .down = ceil_div(v->H, 4),
                         .across = ceil_div(v->W, 4), .tiles = tiles, .pitch = pitch,
                         .element = element_size(g, map->blocks, pitch), .element4 = element_size(g, map->blocks, 4 * pitch)};
    if (v->stride == 1)
        return tiles + ELEMENTS * w->element;
    return tiles + 25 * w->element + 10 * w->element4 + element_size(g, map->blocks, 16 * pitch);
}

static float *element_at(const winograd_args *w, const vertex *v, int i)
{
    if (v->stride == 1 || i < 25)
        return w->tiles + i * w->element;
    return w->tiles + 25 * w->element + (i - 25) * w->element4;
}

static size_t tiles_size(const graph *g, const vertex *v, const vertex *map, int pitch)
{
    winograd_args w;
    float *none = NULL;

    return (size_t)(lay_out(&w, g, v, map, pitch, none) - none);
}

/*
 * Tiles that a thread takes at a time. Few channels: tiles
 * and products should stay in the second-level cache. Many: the weights (36 C K
 * floats) are read once for each block of tiles, so blocks must be larger.
 */
static int largest_block(const graph *g, const vertex *v, const vertex *x)
{
    int channels = v->C + x->C, want = channels <= 128 ? 28 : channels <= 256 ? 42 : 56;

    return ceil_div(v->stride == 1 ? want : want / 2, g->k->tile) * g->k->tile;
}

static int pass_block(const graph *g, const vertex *v, const vertex *x, int rows)
{
    int most = largest_block(g, v, x), tiles = rows * tiles_of(v), jobs = ceil_div(tiles, most);

    /* An even number of equal blocks. */
    jobs += jobs & 1;
    return ceil_div(tiles, jobs);
}

int winograd_jobs(const graph *g, const vertex *v, const vertex *x, int rows)
{
    return ceil_div(rows * tiles_of(v), pass_block(g, v, x, rows));
}

static int stage_tiles(const vertex *v, const vertex *x)
{
    int products = v->stride == 1 ? ELEMENTS : 81, tiles = STAGE_BYTES / (products * 4 * (v->C + x->C)) / 28 * 28;

    return tiles < 56 ? 56 : tiles > 448 ? 448 : tiles;
}

size_t winograd_scratch(const graph *g, const vertex *v, const vertex *x)
{
    int most = largest_block(g, v, x);

    return tiles_size(g, v, v, most) + tiles_size(g, v, x, most);
}

size_t winograd_weights_size(const graph *g, const vertex *v, const vertex *x)
{
    size_t L = (size_t)g->k->lanes;

    return ELEMENTS * (size_t)v->blocks * x->blocks * L * L;
}

size_t winograd_shared(const graph *g, const vertex *v, const vertex *x)
{
    int stage = stage_tiles(v, x);

    return winograd_weights_size(g, v, x) + tiles_size(g, v, v, stage) + tiles_size(g, v, x, stage);
}

/* ---- Forward, and backward to the data ------------------------------------------------------ */

typedef struct product {
    const winograd_pass *p;
    const graph *g;
    const winograd_form *form;
    const float *weights; /* the arena's */
    float *transformed;
    int in_blocks, out_blocks;
    int block, total; /* tiles */
    bool backward;
} product;

/* Transforms the weights that lead to one block of outputs. */
static void weights_job(void *arg, int ob, int thread)
{
    const product *r = arg;
    size_t square = (size_t)r->g->k->lanes * r->g->k->lanes, element = (size_t)r->in_blocks * r->out_blocks * square;

    (void)thread;
    for (int ib = 0; ib < r->in_blocks; ib++) {
        float *out = r->transformed + ((size_t)ob * r->in_blocks + ib) * square;
        if (r->backward)
            r->form->weights_transposed(r->weights + ((size_t)ib * r->out_blocks + ob) * 9 * square, out, element);
        else
            r->form->weights(r->weights + ((size_t)ob * r->in_blocks + ib) * 9 * square, out, element);
    }
}

static void product_job(void *arg, int job, int thread)
{
    const product *r = arg;
    const graph *g = r->g;
    const winograd_pass *p = r->p;
    int first = job * r->block, count = r->total - first < r->block ? r->total - first : r->block;
    size_t L = (size_t)g->k->lanes;
    winograd_args in, out;

    lay_out(&out, g, p->v, r->backward ? p->x : p->v, count,
            lay_out(&in, g, p->v, r->backward ? p->v : p->x, count, thread_scratch(g, thread)));
    in.pre = p->pre;
    out.out = p->out;
    out.bias = p->bias;
    out.add = p->add;
    out.relu = p->relu;
    out.stats = p->stats ? p->stats + (size_t)job * r->out_blocks * STAT_ROWS * L : NULL;

    (r->backward ? r->form->data_input : r->form->input)(&in, p->src, first, count);
    for (int i = 0; i < ELEMENTS; i++) {
        int pixels = count * pixels_of(p->v, i);
        g->k->gemm(&(gemm_args){.a = element_at(&in, p->v, i), .a_run = pixels * L, .runs = r->in_blocks,
                                .w = r->transformed + (size_t)weights_of(p->v, i) * r->in_blocks * r->out_blocks * L * L,
                                .w_block = r->in_blocks * L * L, .pixels = pixels, .blocks = r->out_blocks,
                                .out = element_at(&out, p->v, i), .out_block = pixels * L});
    }
    (r->backward ? r->form->data_output : r->form->output)(&out, first, count);
}

static void run_product(const winograd_pass *p, bool backward)
{
    product r = {.p = p, .g = p->g, .form = form_of(p->g, p->v), .weights = p->weights, .in_blocks = backward ? p->v->blocks : p->x->blocks,
                 .out_blocks = backward ? p->x->blocks : p->v->blocks, .total = p->rows * tiles_of(p->v),
                 .backward = backward};

    r.block = pass_block(p->g, p->v, p->x, p->rows);
    /* The cast: weights_job, which writes, is not run on weights that are transformed already. */
    r.transformed = p->transformed ? (float *)p->transformed : p->g->shared;
    if (!p->transformed)
        team_run(p->g->team, r.out_blocks, weights_job, &r);
    team_run(p->g->team, ceil_div(r.total, r.block), product_job, &r);
}

void winograd_transform(const graph *g, const vertex *v, const vertex *x, const float *weights, float *transformed)
{
    product r = {.g = g, .form = form_of(g, v), .weights = weights, .transformed = transformed, .in_blocks = x->blocks, .out_blocks = v->blocks};

    team_run(g->team, r.out_blocks, weights_job, &r);
}

void winograd_forward(const winograd_pass *p)
{
    run_product(p, false);
}

void winograd_backward_data(const winograd_pass *p)
{
    run_product(p, true);
}

/* ---- Backward to the weights ------------------------------------------------------------------- */

typedef struct stage {
    const winograd_pass *p;
    const graph *g;
    const float *dy;
    float *dw, *sums;         /* sums [36][K/L][C][L] */
    winograd_args x, d;       /* the stage's tiles */
    int first, count, total;
} stage;

enum { PACK_TILES = 28, JOB_RUNS = 4 };

static void stage_pack_job(void *arg, int job, int thread)
{
    const stage *s = arg;
    int first = job * PACK_TILES, count = s->count - first < PACK_TILES ? s->count - first : PACK_TILES;
    winograd_args x = s->x, d = s->d;

    (void)thread;
    x.tiles += (size_t)first * s->g->k->lanes;
    d.tiles += (size_t)first * s->g->k->lanes;
    form_of(s->g, s->p->v)->input(&x, s->p->src, s->first + first, count);
    form_of(s->g, s->p->v)->gradient(&d, s->dy, s->first + first, count);
}

static void stage_product_job(void *arg, int job, int thread)
{
    const stage *s = arg;
    size_t L = (size_t)s->g->k->lanes, element = (size_t)s->x.blocks * s->d.blocks * L * L;
    int groups = ceil_div(s->x.blocks, JOB_RUNS), i = job / groups, run = job % groups * JOB_RUNS;

    (void)thread;
    int pixels = s->count * pixels_of(s->p->v, i);
    s->g->k->wgrad(&(wgrad_args){.a = element_at(&s->x, s->p->v, i), .a_run = pixels * L, .first = run,
                                 .runs = s->x.blocks - run < JOB_RUNS ? s->x.blocks - run : JOB_RUNS,
                                 .d = element_at(&s->d, s->p->v, i), .d_block = pixels * L, .pixels = pixels,
                                 .blocks = s->d.blocks, .dw = s->sums + weights_of(s->p->v, i) * element,
                                 .dw_block = s->x.blocks * L * L, .accumulate = s->first > 0});
}

static void finish_job(void *arg, int kb, int thread)
{
    const stage *s = arg;
    size_t square = (size_t)s->g->k->lanes * s->g->k->lanes, element = (size_t)s->x.blocks * s->d.blocks * square;

    (void)thread;
    for (int cb = 0; cb < s->x.blocks; cb++) {
        size_t block = (size_t)kb * s->x.blocks + cb;
        form_of(s->g, s->p->v)->weights_gradient(s->sums + block * square, s->dw + block * 9 * square, element);
    }
}

void winograd_backward_weights(const winograd_pass *p, const float *dy, float *dw)
{
    const graph *g = p->g;
    const vertex *v = p->v, *x = p->x;
    int most = stage_tiles(v, x);
    stage s = {.p = p, .g = g, .dy = dy, .dw = dw, .sums = g->shared, .total = p->rows * tiles_of(v)};

    for (; s.first < s.total; s.first += most) {
        s.count = s.total - s.first < most ? s.total - s.first : most;
        lay_out(&s.d, g, v, v, s.count, lay_out(&s.x, g, v, x, s.count, s.sums + winograd_weights_size(g, v, x)));
        s.x.pre = p->pre;
        team_run(g->team, ceil_div(s.count, PACK_TILES), stage_pack_job, &s);
        team_run(g->team, ELEMENTS * ceil_div(x->blocks, JOB_RUNS), stage_product_job, &s);
    }
    team_run(g->team, v->blocks, finish_job, &s);
}
