/*
 * Tell where one patch lies from another: one of the eight positions round it
 * (Doersch, Gupta and Efros, "Unsupervised Visual Representation Learning by
 * Context Prediction", ICCV 2015).
 *
 *   image [H,W,C]   -> input [2 K,p,p,C],   target [K]: the position, K pairs
 *   views [V,H,W,C] -> input [2 K V,p,p,C], target [K V]
 *
 * Positions are numbered row by row, the middle left out. Of each pair the
 * first patch is the one in the middle; between the two is a gap of half a
 * patch, and both are moved by the jitter.
 *
 * Guards, each of which can be switched off: gap and jitter against edges that
 * continue, drop (or gray, or project) against chromatic aberration, degrade against
 * sharpness that neighbours share, normalisation of each patch by itself.
 */
#include "pretext/patch.h"
#include "pretext/tasks.h"

#include <stdlib.h>

enum { POSITIONS = 8, MIDDLE = 4 };

typedef struct context {
    int pairs, patch, gap, jitter, least;
    double degrade, drop, gray, project;
} context;

static int param_of(const pretext *p, const char *name)
{
    return (int)value_get_int(p->params, name, 0);
}

/* The side that a pair takes with all that may move: image sides are at least that. */
static int extent(const context *c)
{
    return 2 * c->patch + c->gap + 2 * c->jitter;
}

static int check_size(const context *c, int64_t height, int64_t width, err *e)
{
    if (height >= extent(c) && width >= extent(c))
        return 0;
    return err_set(e, ERR_INPUT, "context: two patches of %d pixels, a gap of %d and a jitter of %d need images of %dx%d, "
                   "not %lldx%lld; give larger ones (ssl-load --size N) or context:patch=N", c->patch, c->gap, c->jitter,
                   extent(c), extent(c), (long long)width, (long long)height);
}

static int or_else(pretext *p, const char *name, int otherwise)
{
    if (param_of(p, name) < 0)
        value_set(p->params, name, value_int(otherwise));
    return param_of(p, name);
}

/* What was left open takes its value from the images' size, and is recorded so. */
static int resolve(pretext *p, context *c, int64_t side, err *e)
{
    int patch = param_of(p, "patch");

    if (patch == 0 && side < 0)
        return err_set(e, ERR_INPUT, "context: the images vary in size, and so would the patches; crop them before "
                       "(ssl-load --size N, ssl-augment crop:N), or use context:patch=N");
    if (patch == 0)
        patch = (int)(side * 96 / 256);
    if (patch < 8)
        return err_set(e, ERR_INPUT, "context: patches of %d pixels are below the 8 that it takes; give larger images "
                       "(ssl-load --size N)", patch);
    *c = (context){.pairs = param_of(p, "pairs"), .patch = patch, .degrade = value_get_float(p->params, "degrade", 0),
                   .drop = value_get_float(p->params, "drop", 0), .gray = value_get_float(p->params, "gray", 0),
                   .project = value_get_float(p->params, "project", 0)};
    value_set(p->params, "patch", value_int(patch));
    c->gap = or_else(p, "gap", patch / 2);
    c->jitter = or_else(p, "jitter", (patch * 7 + 48) / 96);
    /* 100 pixels of 9216, as published, would be one or two of a small patch. */
    c->least = or_else(p, "least", patch_is_small(patch) ? patch * patch / 4 : 100);
    return value_failed(p->params) ? err_nomem(e) : 0;
}

/* Cells of a 3 x 3 grid: the first patch in the middle, the second round it. */
static value *places(void)
{
    value *v = value_array();

    for (int k = 0; k < POSITIONS; k++) {
        value *one = value_array();
        value_push(one, value_int(MIDDLE));
        value_push(one, value_int(k < MIDDLE ? k : k + 1));
        value_push(v, one);
    }
    return v;
}

static value *names(void)
{
    static const char *const name[POSITIONS] = {
        "above left", "above", "above right", "left", "right", "below left", "below", "below right"};
    value *v = value_array();

    for (int k = 0; k < POSITIONS; k++)
        value_push(v, value_str(name[k]));
    return v;
}

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4];

    context *c = calloc(1, sizeof *c);
    p->state = c;
    if (!c)
        return err_nomem(e);
    if (pretext_declared(h, shape, e) || resolve(p, c, shape[1] < shape[2] ? shape[1] : shape[2], e) ||
        (shape[1] > 0 && shape[2] > 0 && check_size(c, shape[1], shape[2], e)))
        return -1;
    bool small = patch_is_small(c->patch);
    value *o = patch_declare(p, h, shape, &(patch_task){2, c->pairs, c->patch, POSITIONS, 0, small ? 256 : 4096, 2}, e);
    if (!o)
        return -1;
    value_set(o, "names", names());
    value_set(o, "places", places());
    return value_failed(o) ? err_nomem(e) : 0;
}

/* Along one axis of length n: where the first patch goes when the second is `step` away, both with their jitter. */
static int first_at(const context *c, int n, int step, rng *r)
{
    int reach = step ? c->patch + c->gap : 0;
    int room = n - c->patch - reach - 2 * c->jitter;

    return c->jitter + (step < 0 ? reach : 0) + (int)rng_below(r, (uint64_t)room + 1);
}

static int jittered(const context *c, rng *r)
{
    return c->jitter ? (int)rng_below(r, 2 * (uint64_t)c->jitter + 1) - c->jitter : 0;
}

static int guard(const context *c, uint8_t *patch, int channels, rng *r, err *e)
{
    int n = c->patch * c->patch;

    if (rng_uniform(r) < c->degrade && patch_degrade(patch, c->patch, channels, c->least, r, e))
        return -1;
    if (rng_uniform(r) < c->gray)
        patch_gray(patch, n, channels);
    if (rng_uniform(r) < c->drop)
        patch_drop_colour(patch, n, channels, r);
    if (c->project > 0 && rng_uniform(r) < c->project)
        patch_project_colour(patch, n, channels);
    return 0;
}

/* One pair; returns the position of the second patch, or -1. */
static int pair(const context *c, const uint8_t *image, int h, int w, int channels, rng *r, uint8_t *input, err *e)
{
    size_t bytes = (size_t)c->patch * (size_t)c->patch * (size_t)channels;
    int position = (int)rng_below(r, POSITIONS), cell = position < MIDDLE ? position : position + 1;
    int down = cell / 3 - 1, along = cell % 3 - 1;
    int y = first_at(c, h, down, r), x = first_at(c, w, along, r);

    for (int k = 0; k < 2; k++) {
        int at_y = y + k * down * (c->patch + c->gap) + jittered(c, r);
        int at_x = x + k * along * (c->patch + c->gap) + jittered(c, r);
        patch_cut(input + (size_t)k * bytes, c->patch, image, h, w, channels, at_y, at_x, 0, r);
        if (guard(c, input + (size_t)k * bytes, channels, r, e))
            return -1;
    }
    return position;
}

static int context_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    const context *c = p->state;
    pretext_images x;
    int32_t chosen[1024];

    (void)worker;
    if (pretext_get_images(in, &x, e) || check_size(c, x.height, x.width, e))
        return -1;
    int64_t n = x.n * c->pairs, shape[4] = {2 * n, c->patch, c->patch, x.channels};
    int64_t bytes = x.height * x.width * x.channels, pair_bytes = (int64_t)2 * c->patch * c->patch * x.channels;
    if (n > (int64_t)(sizeof chosen / sizeof *chosen))
        return err_set(e, ERR_INPUT, "context: more than %zu pairs of one image", sizeof chosen / sizeof *chosen);
    uint8_t *input = frame_tensor(out, "input", DT_U1, 4, shape);
    for (int64_t k = 0; input && k < n; k++) {
        rng r = pretext_rng(p, in, (int)k);
        chosen[k] = pair(c, x.data + k / c->pairs * bytes, (int)x.height, (int)x.width, (int)x.channels, &r,
                         input + k * pair_bytes, e);
        if (chosen[k] < 0)
            return -1;
    }
    uint8_t *target = frame_tensor(out, "target", DT_I4, 1, &n);
    for (int64_t k = 0; input && target && k < n; k++)
        pretext_store_i4(target + 4 * k, chosen[k]);
    return 0;
}

static void clear(pretext *p)
{
    free(p->state);
}

static const pretext_param params[] = {
    {"pairs", PRETEXT_INT, "1", 1, 64, NULL, "pairs of patches of one image"},
    {"patch", PRETEXT_INT, "0", 0, 4096, NULL, "pixels of a patch's side; 0: 96 for each 256 of the image's"},
    {"gap", PRETEXT_INT, "-1", -1, 4096, NULL, "pixels between the two; -1: half a patch"},
    {"jitter", PRETEXT_INT, "-1", -1, 1024, NULL, "pixels by which each is moved at most; -1: 7 for each 96 of a patch"},
    {"degrade", PRETEXT_REAL, "0.33", 0, 1, NULL, "how often a patch is scaled down and up again"},
    {"least", PRETEXT_INT, "-1", -1, 1 << 24, NULL, "pixels in all that it is scaled down to at most; -1: 100, of patches\n"
     "                 below 32 pixels a quarter"},
    {"drop", PRETEXT_REAL, "0.66", 0, 1, NULL, "how often a patch keeps one colour channel only"},
    {"gray", PRETEXT_REAL, "0", 0, 1, NULL, "how often a patch loses its colour"},
    {"project", PRETEXT_REAL, "0", 0, 1, NULL, "how often it loses what differs between green and magenta alone"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_context = {
    .name = "context",
    .help = "tell where one patch of an image lies from another",
    .params = params,
    .declare = declare,
    .sample = context_sample,
    .clear = clear,
};
