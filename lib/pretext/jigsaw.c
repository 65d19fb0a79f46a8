/*
 * Solve a puzzle: nine patches of an image are shown in another order; tell
 * which of a fixed set of permutations it was (Noroozi and Favaro,
 * "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles",
 * ECCV 2016).
 *
 *   image [H,W,C]   -> input [9,p,p,C],   target [1]: the permutation's number
 *   views [V,H,W,C] -> input [9 V,p,p,C], target [V]
 *
 * The image is cut into 3 x 3 cells, and a patch taken from each, smaller than
 * the cell (so that edges do not continue from one to the next) and at a
 * random place in it. Input i of a puzzle is the patch of cell places[t][i],
 * t the target; the header's objective has `places`.
 *
 * Shortcuts and their guards, each of which can be switched off: continuing
 * edges (patch: below the cell's size), fixed distances (jitter), chromatic
 * aberration (shift, gray, project), and the brightness common to neighbours (each
 * patch is normalised by itself, in the header's input transform).
 */
#include "pretext/patch.h"
#include "pretext/permutations.h"
#include "pretext/tasks.h"

#include <stdlib.h>

enum { GRID = 3, CELLS = GRID * GRID };

typedef struct jigsaw {
    int patch, shift;
    bool jitter;
    double gray, project;
    int n;
    uint8_t set[][PERMUTATION];
} jigsaw;

static int param_of(const pretext *p, const char *name)
{
    return (int)value_get_int(p->params, name, 0);
}

/* 64 of a cell of 85 pixels, as published. */
static int default_patch(int64_t cell)
{
    return (int)((cell * 64 + 42) / 85);
}

static int check_size(int patch, int64_t height, int64_t width, err *e)
{
    int64_t side = height < width ? height : width;

    if (side / GRID >= patch)
        return 0;
    return err_set(e, ERR_INPUT, "jigsaw: nine patches of %d pixels need an image of %dx%d, not %lldx%lld; "
                   "give larger images (ssl-load --size N) or jigsaw:patch=N", patch, GRID * patch, GRID * patch,
                   (long long)width, (long long)height);
}

/* What was left open takes its value from the images' size, and is recorded so. */
static int resolve(pretext *p, const int64_t shape[4], patch_task *t, err *e)
{
    int64_t side = shape[1] < shape[2] ? shape[1] : shape[2];
    int patch = param_of(p, "patch");

    if (patch == 0 && side < 1)
        return err_set(e, ERR_INPUT, "jigsaw: the images vary in size, and so would the patches; crop them before "
                       "(ssl-load --size N, ssl-augment crop:N), or use jigsaw:patch=N");
    if (patch == 0)
        patch = default_patch(side / GRID);
    if (patch < 8)
        return err_set(e, ERR_INPUT, "jigsaw: patches of %d pixels are below the 8 that it takes; give larger images "
                       "(ssl-load --size N)", patch);
    bool small = patch_is_small(patch);
    if (param_of(p, "shift") < 0)
        value_set(p->params, "shift", value_int(small ? 1 : 2));
    value_set(p->params, "patch", value_int(patch));
    *t = (patch_task){CELLS, 1, patch, param_of(p, "permutations"), small ? 64 : 512, small ? 512 : 4096, 1};
    return value_failed(p->params) ? err_nomem(e) : side > 0 ? check_size(patch, shape[1], shape[2], e) : 0;
}

static value *places(const jigsaw *j)
{
    value *v = value_array();

    for (int k = 0; k < j->n; k++) {
        value *one = value_array();
        for (int i = 0; i < CELLS; i++)
            value_push(one, value_int(j->set[k][i]));
        value_push(v, one);
    }
    return v;
}

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4];
    patch_task t;

    if (pretext_declared(h, shape, e) || resolve(p, shape, &t, e))
        return -1;
    jigsaw *j = malloc(sizeof *j + (size_t)t.classes * sizeof *j->set);
    if (!j)
        return err_nomem(e);
    p->state = j;
    *j = (jigsaw){.patch = t.patch, .shift = param_of(p, "shift"), .jitter = param_of(p, "jitter"),
                  .gray = value_get_float(p->params, "gray", 0),
                  .project = value_get_float(p->params, "project", 0), .n = t.classes};
    if (permutations_make(j->set, j->n, e))
        return -1;
    value *o = patch_declare(p, h, shape, &t, e);
    if (!o)
        return -1;
    value_set(o, "places", places(j));
    return value_failed(o) ? err_nomem(e) : 0;
}

/*
 * Pixels by which a patch may move in its cell. Its channels move by up to `shift` more: were there no room
 * for that, patches at the image's border would move less than others, and so tell where they were.
 */
static int room(const jigsaw *j, int cell)
{
    int n = cell - j->patch - j->shift;

    return n > 0 ? n : 0;
}

/* One puzzle from one image. Returns the permutation's number. */
static int puzzle(const jigsaw *j, const uint8_t *image, int h, int w, int c, rng *r, uint8_t *input)
{
    int cell_h = h / GRID, cell_w = w / GRID, chosen = (int)rng_below(r, (uint64_t)j->n);
    size_t bytes = (size_t)j->patch * (size_t)j->patch * (size_t)c;
    bool gray = rng_uniform(r) < j->gray, project = j->project > 0 && rng_uniform(r) < j->project;
    int at[CELLS][2];

    /* Where in its cell each patch lies: drawn by cell, so that the order does not move them. */
    for (int k = 0; k < CELLS; k++) {
        int free_y = room(j, cell_h), free_x = room(j, cell_w);
        int y = j->jitter ? (int)rng_below(r, (uint64_t)free_y + 1) : free_y / 2;
        int x = j->jitter ? (int)rng_below(r, (uint64_t)free_x + 1) : free_x / 2;
        at[k][0] = k / GRID * cell_h + y;
        at[k][1] = k % GRID * cell_w + x;
    }
    for (int i = 0; i < CELLS; i++) {
        int cell = j->set[chosen][i];
        uint8_t *dst = input + (size_t)i * bytes;
        patch_cut(dst, j->patch, image, h, w, c, at[cell][0], at[cell][1], j->shift, r);
        if (gray)
            patch_gray(dst, j->patch * j->patch, c);
        else if (project)
            patch_project_colour(dst, j->patch * j->patch, c);
    }
    return chosen;
}

static int jigsaw_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    const jigsaw *j = p->state;
    pretext_images x;

    (void)worker;
    if (pretext_get_images(in, &x, e) || check_size(j->patch, x.height, x.width, e))
        return -1;
    int64_t shape[4] = {x.n * CELLS, j->patch, j->patch, x.channels};
    int64_t bytes = x.height * x.width * x.channels, puzzle_bytes = (int64_t)CELLS * j->patch * j->patch * x.channels;
    uint8_t *input = frame_tensor(out, "input", DT_U1, 4, shape);
    int chosen[64];

    if (x.n > (int64_t)(sizeof chosen / sizeof *chosen))
        return err_set(e, ERR_INPUT, "jigsaw: more than %zu views of one image", sizeof chosen / sizeof *chosen);
    for (int64_t v = 0; input && v < x.n; v++) {
        rng r = pretext_rng(p, in, (int)v);
        chosen[v] = puzzle(j, x.data + v * bytes, (int)x.height, (int)x.width, (int)x.channels, &r, input + v * puzzle_bytes);
    }
    uint8_t *target = frame_tensor(out, "target", DT_I4, 1, &x.n);
    for (int64_t v = 0; input && target && v < x.n; v++)
        pretext_store_i4(target + 4 * v, chosen[v]);
    return 0;
}

static void clear(pretext *p)
{
    free(p->state);
}

static const pretext_param params[] = {
    {"permutations", PRETEXT_INT, "1000", 2, PERMUTATIONS_MAX, NULL, "orders to tell apart"},
    {"patch", PRETEXT_INT, "0", 0, 4096, NULL, "pixels of a patch's side; 0: 64 for each 85 of a cell's"},
    {"jitter", PRETEXT_INT, "1", 0, 1, NULL, "1: patches at random places in their cells; 0: in the middle"},
    {"shift", PRETEXT_INT, "-1", -1, 16, NULL, "pixels by which channels are moved apart at most; -1: 2, of patches below 32 pixels 1"},
    {"gray", PRETEXT_REAL, "0.3", 0, 1, NULL, "how often a puzzle loses its colour"},
    {"project", PRETEXT_REAL, "0", 0, 1, NULL, "how often it loses what differs between green and magenta alone"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_jigsaw = {
    .name = "jigsaw",
    .help = "put nine patches of an image in order",
    .params = params,
    .declare = declare,
    .sample = jigsaw_sample,
    .clear = clear,
};
