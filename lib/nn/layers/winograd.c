#include "nn/layers/winograd.h"

enum {
    ELEMENTS = 36,
    JOB_RUNS = 4, JOB_BLOCKS = 2,
    MAX_BRIEF = 64,  /* tiles: see winograd_is_brief() */
    MAX_SHARED = 16, /* tiles: see shares_outputs() */
    /* Of the weights' gradient. */
    STAGE = 48, MAX_SINGLE_STAGE = 128, /* tiles that are transformed and multiplied at a time */
    SMALL_SUMS = 36 * 96 * 96,
    SUMS_FLOATS = 19 << 18,             /* of all slices: 19 MB, two slices of 256 channels */
    MAX_GRADIENT_SLICES = 16, MIN_SLICE = 56 /* tiles */
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

bool winograd_is_brief(const vertex *v, int rows)
{
    return rows * tiles_of(v) <= MAX_BRIEF;
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
    *w = (winograd_args){.blocks = map->blocks, .map_blocks = map->blocks, .H = map->H, .W = map->W, .down = ceil_div(v->H, 4),
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
 * How far the products' memory must begin before the tiles' so that those of element i end where tiles i begin: by the
 * largest element, and by what the elements up to there are larger.
 */
static size_t products_lead(const graph *g, const vertex *v, const vertex *from, const vertex *to, int count)
{
    size_t size = tiles_size(g, v, to, count), smaller = tiles_size(g, v, from, count);

    return element_size(g, to->blocks, count * (v->stride == 1 ? 1 : 16)) + (size > smaller ? size - smaller : 0);
}

/*
 * Tiles that a thread takes at a time. Few channels: tiles and products should
 * stay in the second-level cache. Many: the weights (36 C K floats) are read
 * once for each block of tiles, so blocks must be larger.
 */
static int largest_block(const graph *g, const vertex *v, const vertex *x)
{
    int channels = v->C + x->C, want = channels <= 128 ? 28 : channels <= 256 ? 42 : channels <= 512 ? 84 : 64;

    return ceil_div(v->stride == 1 ? want : want / 2, g->k->tile) * g->k->tile;
}

/* So few tiles that it is the weights which are better read only once: all tiles are one block, and the jobs share the outputs. */
static bool shares_outputs(const vertex *v, const vertex *x, int tiles)
{
    return tiles <= MAX_SHARED / v->stride && tiles < v->C && tiles < x->C;
}

static int pass_block(const graph *g, const vertex *v, const vertex *x, int rows)
{
    int most = largest_block(g, v, x), tiles = rows * tiles_of(v), jobs = ceil_div(tiles, most);

    if (shares_outputs(v, x, tiles))
        return tiles;
    /* An even number of equal blocks. */
    jobs += jobs & 1;
    return ceil_div(tiles, jobs);
}

int winograd_jobs(const graph *g, const vertex *v, const vertex *x, int rows)
{
    return ceil_div(rows * tiles_of(v), pass_block(g, v, x, rows));
}

/* Of the weights' gradient, below. */
static size_t gradient_scratch(const graph *g, const vertex *v, const vertex *x);
static size_t gradient_shared(const graph *g, const vertex *v, const vertex *x);

size_t winograd_scratch(const graph *g, const vertex *v, const vertex *x)
{
    int most = largest_block(g, v, x);
    bool infer = g->use == GRAPH_INFER;
    /* In a brief pass each job transforms its weights itself. */
    size_t brief = infer ? ELEMENTS * JOB_BLOCKS * (size_t)x->blocks * g->k->lanes * g->k->lanes : 0;

    for (int rows = 1; rows <= g->batch / v->div; rows++)
        if (shares_outputs(v, x, rows * tiles_of(v)) || (infer && winograd_is_brief(v, rows)))
            most = rows * tiles_of(v) > most ? rows * tiles_of(v) : most;
    size_t product = larger(products_lead(g, v, x, v, most) + tiles_size(g, v, x, most),
                            products_lead(g, v, v, x, most) + tiles_size(g, v, v, most));
    size_t gradient = g->use == GRAPH_TRAIN ? gradient_scratch(g, v, x) : 0;

    return larger(product + brief, gradient);
}

size_t winograd_weights_size(const graph *g, const vertex *v, const vertex *x)
{
    size_t L = (size_t)g->k->lanes;

    return ELEMENTS * (size_t)v->blocks * x->blocks * L * L;
}

size_t winograd_shared(const graph *g, const vertex *v, const vertex *x)
{
    size_t weights = winograd_weights_size(g, v, x), gradient = gradient_shared(g, v, x);

    return larger(weights, gradient);
}

/* How many blocks of a map each of `groups` jobs takes: pairs, which the products are fastest on. */
static int group_blocks(const vertex *map, int groups)
{
    int pairs = ceil_div(map->blocks, JOB_BLOCKS), blocks = ceil_div(pairs, groups < pairs ? groups : pairs) * JOB_BLOCKS;

    return blocks < map->blocks ? blocks : map->blocks;
}

/* ---- Forward, and backward to the data ------------------------------------------------------ */

typedef struct product {
    const winograd_pass *p;
    const graph *g;
    const winograd_form *form;
    const float *weights; /* the arena's */
    float *transformed;
    int in_blocks, out_blocks;
    int block, total;         /* tiles */
    int groups, group_blocks; /* of output blocks */
    bool brief;               /* each job transforms its weights itself, into its scratch */
    bool backward;
} product;

/* Transforms the weights that lead to one block of outputs: to [C/L][L][L], element i at i times the distance. */
static void transform_block(const product *r, int ob, float *to, size_t element)
{
    size_t square = (size_t)r->g->k->lanes * r->g->k->lanes;

    for (int ib = 0; ib < r->in_blocks; ib++, to += square)
        if (r->backward)
            r->form->weights_transposed(r->weights + ((size_t)ib * r->out_blocks + ob) * 9 * square, to, element);
        else
            r->form->weights(r->weights + ((size_t)ob * r->in_blocks + ib) * 9 * square, to, element);
}

static void weights_job(void *arg, int ob, int thread)
{
    const product *r = arg;
    size_t block = (size_t)r->in_blocks * r->g->k->lanes * r->g->k->lanes;

    (void)thread;
    transform_block(r, ob, r->transformed + ob * block, r->out_blocks * block);
}

static void product_job(void *arg, int job, int thread)
{
    const product *r = arg;
    const graph *g = r->g;
    const winograd_pass *p = r->p;
    int block = job / r->groups, first = block * r->block, count = r->total - first < r->block ? r->total - first : r->block;
    int kb = job % r->groups * r->group_blocks;
    const vertex *from = r->backward ? p->v : p->x, *to = r->backward ? p->x : p->v;
    size_t L = (size_t)g->k->lanes, begin = (size_t)kb * to->pixels * L, w_block = r->in_blocks * L * L;
    const float *weights = r->transformed + kb * w_block;
    size_t w_element = r->out_blocks * w_block;
    vertex group = *to;
    winograd_args in, out;

    group.blocks = to->blocks - kb < r->group_blocks ? to->blocks - kb : r->group_blocks;
    /* Each element's products overwrite what the elements before it were made of: half the cache is enough. */
    float *end = lay_out(&in, g, p->v, from, count, thread_scratch(g, thread) + products_lead(g, p->v, from, &group, count));
    lay_out(&out, g, p->v, &group, count, thread_scratch(g, thread));
    in.pre = p->pre;
    out.map_blocks = to->blocks;
    out.out = p->out + begin;
    out.bias = p->bias ? p->bias + kb * L : NULL;
    out.add = p->add ? p->add + begin : NULL;
    out.relu = p->relu;
    out.stream = streams(p->rows * row_size(g, to));
    out.stats = p->stats ? p->stats + ((size_t)block * r->out_blocks + kb) * STAT_ROWS * L : NULL;

    if (r->brief) {
        weights = end;
        w_element = group.blocks * w_block;
        for (int k = 0; k < group.blocks; k++)
            transform_block(r, kb + k, end + k * w_block, w_element);
    }
    (r->backward ? r->form->data_input : r->form->input)(&in, p->src, first, count);
    for (int i = 0; i < ELEMENTS; i++) {
        int pixels = count * pixels_of(p->v, i);
        g->k->gemm(&(gemm_args){.a = element_at(&in, p->v, i), .a_run = pixels * L, .runs = r->in_blocks,
                                .w = weights + weights_of(p->v, i) * w_element, .w_block = w_block, .pixels = pixels,
                                .blocks = group.blocks,
                                .out = element_at(&out, p->v, i), .out_block = pixels * L});
    }
    (r->backward ? r->form->data_output : r->form->output)(&out, first, count);
}

static void run_product(const winograd_pass *p, bool backward)
{
    const vertex *from = backward ? p->v : p->x, *to = backward ? p->x : p->v;
    product r = {.p = p, .g = p->g, .form = form_of(p->g, p->v), .weights = p->weights, .in_blocks = from->blocks,
                 .out_blocks = to->blocks, .total = p->rows * tiles_of(p->v), .backward = backward};

    r.brief = p->g->use == GRAPH_INFER && !p->transformed;
    r.block = r.brief ? r.total : pass_block(p->g, p->v, p->x, p->rows);
    r.group_blocks = to->blocks;
    if (r.brief)
        r.group_blocks = JOB_BLOCKS;
    else if (shares_outputs(p->v, p->x, r.total))
        r.group_blocks = group_blocks(to, team_threads(p->g->team));
    r.groups = ceil_div(to->blocks, r.group_blocks);
    /* The cast: weights_job, which writes, is not run on weights that are transformed already. */
    r.transformed = p->transformed ? (float *)p->transformed : p->g->shared;
    if (!p->transformed && !r.brief)
        team_run(p->g->team, r.out_blocks, weights_job, &r);
    team_run(p->g->team, ceil_div(r.total, r.block) * r.groups, product_job, &r);
}

void winograd_transform(const graph *g, const vertex *v, const vertex *x, const float *weights, float *transformed, int kb)
{
    product r = {.g = g, .form = form_of(g, v), .weights = weights, .transformed = transformed, .in_blocks = x->blocks,
                 .out_blocks = v->blocks};

    weights_job(&r, kb, 0);
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

/*
 * A job is a slice of the tiles and a group of the output's channel blocks: it
 * transforms its tiles of x and dy and multiplies them itself, so that nothing
 * but the slices' sums goes from one processor's caches to another's. A slice
 * goes through its tiles in stages. The slices depend on the shape alone, the
 * groups on the number of threads, which changes no sum.
 */
typedef struct gradient {
    const winograd_pass *p;
    const graph *g;
    const float *dy;
    float *dw, *sums; /* sums [slices][36][K/L][C/L][L][L] */
    int slices, groups, group_blocks, stage, total;
} gradient;

static size_t sums_size(const graph *g)
{
    return ELEMENTS * (size_t)g->k->lanes * g->k->lanes;
}

/* What is planned for a full batch also serves fewer rows. */
static gradient gradient_of(const graph *g, const vertex *v, const vertex *x)
{
    gradient r = {.g = g, .total = g->batch / v->div * tiles_of(v)};
    int slices = (int)(SUMS_FLOATS / winograd_weights_size(g, v, x));

    if (slices > MAX_GRADIENT_SLICES)
        slices = MAX_GRADIENT_SLICES;
    if (slices > ceil_div(r.total, MIN_SLICE))
        slices = ceil_div(r.total, MIN_SLICE);
    r.slices = slices < 1 ? 1 : slices;
    r.group_blocks = group_blocks(v, ceil_div(team_threads(g->team), r.slices));
    r.groups = ceil_div(v->blocks, r.group_blocks);
    /* Few channels: tiles and sums should stay in the second-level cache. Many: sums are read and written once a stage. */
    r.stage = winograd_weights_size(g, v, x) > SMALL_SUMS ? MAX_SINGLE_STAGE / v->stride : STAGE;
    if (r.slices == 1 && r.total <= MAX_SINGLE_STAGE)
        r.stage = r.total;
    return r;
}

static int slice_tiles(const gradient *r, int slice)
{
    return (int)(((int64_t)r->total * slice + r->slices - 1) / r->slices);
}

/* A slice that is alone and takes one stage keeps no sums: each block is finished while it is at hand. */
static bool finishes(const gradient *r)
{
    return r->slices == 1 && r->stage >= r->total;
}

static size_t gradient_scratch(const graph *g, const vertex *v, const vertex *x)
{
    gradient r = gradient_of(g, v, x);
    vertex group = *v;

    group.blocks = r.group_blocks;
    return tiles_size(g, v, x, r.stage) + tiles_size(g, v, &group, r.stage) + JOB_BLOCKS * JOB_RUNS * sums_size(g);
}

static size_t gradient_shared(const graph *g, const vertex *v, const vertex *x)
{
    gradient r = gradient_of(g, v, x);

    return finishes(&r) ? 0 : r.slices * winograd_weights_size(g, v, x);
}

/* Some blocks of outputs times some of inputs, of element i, into sums [blocks] at distance sums_block of [C/L] squares. */
static void gradient_product(const gradient *r, const winograd_args *x, const winograd_args *d, int count, int i, int kb, int run,
                             float *sums, size_t sums_block, taps_used used, bool accumulate)
{
    int pixels = count * pixels_of(r->p->v, i);
    size_t block = pixels * (size_t)r->g->k->lanes;

    r->g->k->wgrad(&(wgrad_args){.a = element_at(x, r->p->v, i) + run * block, .a_run = block,
                                 .runs = x->blocks - run < JOB_RUNS ? x->blocks - run : JOB_RUNS,
                                 .d = element_at(d, r->p->v, i) + kb * block, .d_block = block, .pixels = pixels,
                                 .blocks = d->blocks - kb < JOB_BLOCKS ? d->blocks - kb : JOB_BLOCKS, .dw = sums,
                                 .dw_block = sums_block, .used = used, .accumulate = accumulate});
}

/* From 36 squares at a distance to the weights of one pair of blocks. */
static void finish(const gradient *r, const float *sums, size_t element, int kb, int cb)
{
    size_t square = (size_t)r->g->k->lanes * r->g->k->lanes;

    form_of(r->g, r->p->v)->weights_gradient(sums, r->dw + ((size_t)kb * r->p->x->blocks + cb) * 9 * square, element);
}

/* All elements of a few blocks, which are then finished: their sums [JOB_BLOCKS][JOB_RUNS][36][L][L] stay in the cache. */
static void gradient_at_once(const gradient *r, const winograd_args *x, const winograd_args *d, int count, int first_block,
                             float *sums)
{
    size_t square = (size_t)r->g->k->lanes * r->g->k->lanes, size = ELEMENTS * square;

    for (int kb = 0; kb < d->blocks; kb += JOB_BLOCKS)
        for (int run = 0; run < x->blocks; run += JOB_RUNS) {
            for (int i = 0; i < ELEMENTS; i++) {
                int to = weights_of(r->p->v, i);
                gradient_product(r, x, d, count, i, kb, run, sums, JOB_RUNS * size, (taps_used){&to, 1, ELEMENTS}, false);
            }
            for (int k = 0; k < JOB_BLOCKS && kb + k < d->blocks; k++)
                for (int c = 0; c < JOB_RUNS && run + c < x->blocks; c++)
                    finish(r, sums + (size_t)(k * JOB_RUNS + c) * size, square, first_block + kb + k, run + c);
        }
}

/* One element after the other, whose tiles then stay in the cache, into sums [36][K/L][C/L][L][L]. */
static void gradient_stage(const gradient *r, const winograd_args *x, const winograd_args *d, int count, int first_block,
                           float *sums, bool accumulate)
{
    size_t square = (size_t)r->g->k->lanes * r->g->k->lanes, row = x->blocks * square, element = r->p->v->blocks * row;

    for (int i = 0; i < ELEMENTS; i++)
        for (int kb = 0; kb < d->blocks; kb += JOB_BLOCKS)
            for (int run = 0; run < x->blocks; run += JOB_RUNS)
                gradient_product(r, x, d, count, i, kb, run,
                                 sums + weights_of(r->p->v, i) * element + (first_block + kb) * row + run * square, row,
                                 (taps_used){0}, accumulate);
}

static void gradient_job(void *arg, int job, int thread)
{
    const gradient *r = arg;
    const graph *g = r->g;
    const vertex *v = r->p->v;
    int slice = job / r->groups, first_block = job % r->groups * r->group_blocks;
    int first = slice_tiles(r, slice), end = slice_tiles(r, slice + 1);
    float *sums = r->sums + slice * winograd_weights_size(g, v, r->p->x);
    vertex group = *v;

    group.blocks = v->blocks - first_block < r->group_blocks ? v->blocks - first_block : r->group_blocks;
    for (int at = first; at < end; at += r->stage) {
        int count = end - at < r->stage ? end - at : r->stage;
        winograd_args x, d;
        float *scratch = lay_out(&d, g, v, &group, count, lay_out(&x, g, v, r->p->x, count, thread_scratch(g, thread)));
        x.pre = r->p->pre;
        d.map_blocks = v->blocks;
        form_of(g, v)->input(&x, r->p->src, at, count);
        form_of(g, v)->gradient(&d, r->dy + (size_t)first_block * v->pixels * g->k->lanes, at, count);
        if (finishes(r))
            gradient_at_once(r, &x, &d, count, first_block, scratch);
        else
            gradient_stage(r, &x, &d, count, first_block, sums, at > first);
    }
}

/* Adds the slices' sums, of one block of outputs, in their order. */
static void join_job(void *arg, int kb, int thread)
{
    const gradient *r = arg;
    size_t slice = winograd_weights_size(r->g, r->p->v, r->p->x), square = (size_t)r->g->k->lanes * r->g->k->lanes;
    size_t element = slice / ELEMENTS, row = r->p->x->blocks * square;
    float *sums = r->sums + kb * row;

    (void)thread;
    for (int s = 1; s < r->slices; s++)
        for (int i = 0; i < ELEMENTS && slice_tiles(r, s) < slice_tiles(r, s + 1); i++)
            r->g->k->add(sums + i * element, sums + i * element, sums + s * slice + i * element, row);
    for (int cb = 0; cb < r->p->x->blocks; cb++)
        finish(r, sums + cb * square, element, kb, cb);
}

void winograd_backward_weights(const winograd_pass *p, const float *dy, float *dw)
{
    gradient r = gradient_of(p->g, p->v, p->x);

    r.p = p;
    r.dy = dy;
    r.dw = dw;
    r.total = p->rows * tiles_of(p->v);
    r.sums = p->g->shared;
    team_run(p->g->team, r.slices * r.groups, gradient_job, &r);
    if (!finishes(&r))
        team_run(p->g->team, p->v->blocks, join_job, &r);
}
