/*
 * Tell an image by its own patches (Misra and van der Maaten, "Self-supervised
 * learning of pretext-invariant representations", CVPR 2020): the image, and
 * nine patches of it in a random order, are to have the same embedding.
 *
 *   image [H,W,C]      -> input [1,H,W,C], patches [9,patch,patch,C] of the same
 *   views [2 A,H,W,C]  -> A must be 1: input is the first view, patches are of the second
 */
#include "pretext/patch.h"
#include "pretext/tasks.h"

#include <string.h>

enum { GRID = 3, CELLS = GRID * GRID };

static int check_size(int patch, int64_t h, int64_t w, err *e)
{
    if (h / GRID >= patch && w / GRID >= patch)
        return 0;
    return err_set(e, ERR_INPUT, "pirl: patches of %d pixels are larger than a ninth of an image of %lld x %lld", patch, (long long)w,
                   (long long)h);
}

static int check_views(int64_t n, err *e)
{
    return n <= 2 ? 0 : err_set(e, ERR_INPUT, "pirl: %lld views of an image; it takes the image, or two views", (long long)n);
}

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4], patches[4] = {CELLS};
    int patch = (int)value_get_int(p->params, "patch", 0);

    if (pretext_declared(h, shape, e) || check_views(shape[0], e))
        return -1;
    int64_t side = shape[1] < shape[2] ? shape[1] : shape[2];
    if (patch == 0 && side < 1)
        return err_set(e, ERR_INPUT, "pirl: the images vary in size, and so would the patches; crop them before, or use pirl:patch=N");
    if (patch == 0)
        patch = side / GRID >= 32 ? (int)(side / GRID * 64 / 85) : (int)(side / GRID);
    if (patch < 8)
        return err_set(e, ERR_INPUT, "pirl: patches of %d pixels are below the 8 that it takes; give larger images (ssl-load --size N)", patch);
    value_set(p->params, "patch", value_int(patch));
    if (value_failed(p->params))
        return err_nomem(e);
    if (side > 0 && check_size(patch, shape[1], shape[2], e))
        return -1;
    shape[0] = 1;
    patches[1] = patches[2] = patch;
    patches[3] = shape[3];
    if (header_set_field(h, "input", "|u1", 4, shape, e) || header_set_field(h, "patches", "|u1", 4, patches, e))
        return -1;
    value *o = pretext_objective(p, h, "nce-bank", e);
    if (!o)
        return -1;
    value_set(o, "parameters", value_map());
    return value_failed(o) ? err_nomem(e) : 0;
}

static int pirl_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    int patch = (int)value_get_int(p->params, "patch", 0);
    pretext_images x;

    (void)worker;
    if (pretext_get_images(in, &x, e) || check_views(x.n, e) || check_size(patch, x.height, x.width, e))
        return -1;
    const uint8_t *second = x.data + (x.n - 1) * x.height * x.width * x.channels;
    x.n = 1;
    pretext_put_input(out, &x);

    int64_t shape[4] = {CELLS, patch, patch, x.channels};
    int cell_h = (int)x.height / GRID, cell_w = (int)x.width / GRID;
    uint8_t *to = frame_tensor(out, "patches", DT_U1, 4, shape);
    uint32_t order[CELLS];
    rng r = pretext_rng(p, in, 0);
    for (uint32_t i = 0; i < CELLS; i++)
        order[i] = i;
    rng_shuffle_u32(&r, order, CELLS);
    for (int i = 0; to && i < CELLS; i++, to += patch * patch * x.channels) {
        int y = (int)order[i] / GRID * cell_h + (int)rng_below(&r, (uint64_t)(cell_h - patch) + 1);
        int at = (int)order[i] % GRID * cell_w + (int)rng_below(&r, (uint64_t)(cell_w - patch) + 1);
        patch_cut(to, patch, second, (int)x.height, (int)x.width, (int)x.channels, y, at, 0, &r);
    }
    return 0;
}

static const pretext_param params[] = {
    {"patch", PRETEXT_INT, "0", 0, 4096, NULL, "pixels of a patch's side; 0: a third of the image's, less a gap if that is 32 or more"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_pirl = {
    .name = "pirl",
    .help = "tell an image by nine shuffled patches of it (PIRL)",
    .params = params,
    .declare = declare,
    .sample = pirl_sample,
};
