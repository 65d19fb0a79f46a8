#include "nn/layers/winograd.h"

enum {
    ELEMENTS = 36,
    STAGE_BYTES = 6 << 20, /* of the tiles that the weights' gradient takes at a time */
};

bool winograd_fits(const vertex *v, const vertex *x)
{
    return v->kernel == 3 && v->stride == 1 && v->pad == 1 && x->H > 2 && x->W > 2;
}

static int tiles_of(const vertex *v)
{
    return ceil_div(v->H, 4) * ceil_div(v->W, 4);
}

/* The distance of a tile's elements: an odd number of cache lines, so that the 36 do not fall into one set of the cache. */
static size_t element_size(const graph *g, int blocks, int pitch)
{
    size_t lines = ((size_t)blocks * pitch * g->k->lanes + 15) / 16;

    return (lines | 1) * 16;
}

/*
 * Tiles that a thread takes at a time. Few channels: tiles
 * and products should stay in the second-level cache. Many: the weights (36 C K
 * floats) are read once for each block of tiles, so blocks must be larger.
 */
static int largest_block(const graph *g, const vertex *v, const vertex *x)
{
    int channels = v->C + x->C, want = channels <= 128 ? 28 : channels <= 256 ? 42 : 56;

    return ceil_div(want, g->k->tile) * g->k->tile;
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
    int tiles = STAGE_BYTES / (ELEMENTS * 4 * (v->C + x->C)) / 28 * 28;

    return tiles < 56 ? 56 : tiles > 448 ? 448 : tiles;
}

size_t winograd_scratch(const graph *g, const vertex *v, const vertex *x)
{
    int most = largest_block(g, v, x);

    return ELEMENTS * (element_size(g, v->blocks, most) + element_size(g, x->blocks, most));
}

size_t winograd_weights_size(const graph *g, const vertex *v, const vertex *x)
{
    size_t L = (size_t)g->k->lanes;

    return ELEMENTS * (size_t)v->blocks * x->blocks * L * L;
}

size_t winograd_shared(const graph *g, const vertex *v, const vertex *x)
{
    int stage = stage_tiles(v, x);

    return winograd_weights_size(g, v, x) + ELEMENTS * (element_size(g, v->blocks, stage) + element_size(g, x->blocks, stage));
}

/* ---- Forward, and backward to the data ------------------------------------------------------ */

typedef struct product {
    const winograd_pass *p;
    const graph *g;
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
            r->g->k->winograd_weights_transposed(r->weights + ((size_t)ib * r->out_blocks + ob) * 9 * square, out, element);
        else
            r->g->k->winograd_weights(r->weights + ((size_t)ob * r->in_blocks + ib) * 9 * square, out, element);
    }
}

static void product_job(void *arg, int job, int thread)
{
    const product *r = arg;
    const graph *g = r->g;
    int first = job * r->block, count = r->total - first < r->block ? r->total - first : r->block;
    size_t L = (size_t)g->k->lanes;
    winograd_args in = {.blocks = r->in_blocks, .H = r->p->v->H, .W = r->p->v->W, .pitch = r->block,
                        .element = element_size(g, r->in_blocks, r->block), .tiles = thread_scratch(g, thread),
                        .pre = r->p->pre};
    winograd_args out = {.blocks = r->out_blocks, .H = r->p->v->H, .W = r->p->v->W, .pitch = r->block,
                         .element = element_size(g, r->out_blocks, r->block), .tiles = in.tiles + ELEMENTS * in.element,
                         .out = r->p->out, .bias = r->p->bias, .add = r->p->add, .relu = r->p->relu,
                         .stats = r->p->stats ? r->p->stats + (size_t)job * r->out_blocks * STAT_ROWS * L : NULL};

    g->k->winograd_input(&in, r->p->src, first, count);
    for (int i = 0; i < ELEMENTS; i++)
        g->k->gemm(&(gemm_args){.a = in.tiles + i * in.element, .a_run = r->block * L, .runs = r->in_blocks,
                                .w = r->transformed + (size_t)i * r->in_blocks * r->out_blocks * L * L,
                                .w_block = r->in_blocks * L * L, .pixels = count, .blocks = r->out_blocks,
                                .out = out.tiles + i * out.element, .out_block = r->block * L});
    g->k->winograd_output(&out, first, count);
}

static void run_product(const winograd_pass *p, bool backward)
{
    product r = {.p = p, .g = p->g, .weights = p->weights, .in_blocks = backward ? p->v->blocks : p->x->blocks,
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
    product r = {.g = g, .weights = weights, .transformed = transformed, .in_blocks = x->blocks, .out_blocks = v->blocks};

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
    s->g->k->winograd_input(&x, s->p->src, s->first + first, count);
    s->g->k->winograd_gradient(&d, s->dy, s->first + first, count);
}

static void stage_product_job(void *arg, int job, int thread)
{
    const stage *s = arg;
    size_t L = (size_t)s->g->k->lanes, element = (size_t)s->x.blocks * s->d.blocks * L * L;
    int groups = ceil_div(s->x.blocks, JOB_RUNS), i = job / groups, run = job % groups * JOB_RUNS;

    (void)thread;
    s->g->k->wgrad(&(wgrad_args){.a = s->x.tiles + i * s->x.element, .a_run = s->x.pitch * L, .first = run,
                                 .runs = s->x.blocks - run < JOB_RUNS ? s->x.blocks - run : JOB_RUNS,
                                 .d = s->d.tiles + i * s->d.element, .d_block = s->d.pitch * L, .pixels = s->count,
                                 .blocks = s->d.blocks, .dw = s->sums + i * element, .dw_block = s->x.blocks * L * L,
                                 .accumulate = s->first > 0});
}

static void finish_job(void *arg, int kb, int thread)
{
    const stage *s = arg;
    size_t square = (size_t)s->g->k->lanes * s->g->k->lanes, element = (size_t)s->x.blocks * s->d.blocks * square;

    (void)thread;
    for (int cb = 0; cb < s->x.blocks; cb++) {
        size_t block = (size_t)kb * s->x.blocks + cb;
        s->g->k->winograd_weights_gradient(s->sums + block * square, s->dw + block * 9 * square, element);
    }
}

void winograd_backward_weights(const winograd_pass *p, const float *dy, float *dw)
{
    const graph *g = p->g;
    const vertex *v = p->v, *x = p->x;
    int pitch = stage_tiles(v, x);
    stage s = {.p = p, .g = g, .dy = dy, .dw = dw, .sums = g->shared, .total = p->rows * tiles_of(v)};

    s.x = (winograd_args){.blocks = x->blocks, .H = v->H, .W = v->W, .pitch = pitch,
                          .element = element_size(g, x->blocks, pitch), .tiles = s.sums + winograd_weights_size(g, v, x),
                          .pre = p->pre};
    s.d = (winograd_args){.blocks = v->blocks, .H = v->H, .W = v->W, .pitch = pitch,
                          .element = element_size(g, v->blocks, pitch), .tiles = s.x.tiles + ELEMENTS * s.x.element};
    for (; s.first < s.total; s.first += pitch) {
        s.count = s.total - s.first < pitch ? s.total - s.first : pitch;
        team_run(g->team, ceil_div(s.count, PACK_TILES), stage_pack_job, &s);
        team_run(g->team, ELEMENTS * ceil_div(x->blocks, JOB_RUNS), stage_product_job, &s);
    }
    team_run(g->team, v->blocks, finish_job, &s);
}
