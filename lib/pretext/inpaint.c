/*
 * Fill in what is hidden (Pathak, Krahenbuhl, Donahue, Darrell and Efros,
 * "Context Encoders: Feature Learning by Inpainting", CVPR 2016; the released
 * feature model: the L2 loss alone).
 *
 *   image [H,W,C]   -> input [1,H,W,C], target [1,H,W,C], weight [1,H,W]
 *   views [V,H,W,C] -> the same with V
 *
 * The input is the image with its hidden pixels in ImageNet's mean colour, the
 * target the whole image, the weight 0 where nothing is asked. See mask.h.
 */
#include "pretext/mask.h"
#include "pretext/rebuild.h"
#include "pretext/tasks.h"

#include <stdlib.h>
#include <string.h>

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4];

    if (pretext_declared(h, shape, e))
        return -1;
    if (value_get_int(p->params, "overlap", 0) < 0) {
        int64_t side = shape[1] < shape[2] ? shape[1] : shape[2];
        value_set(p->params, "overlap", value_int(side > 0 && side < 128 ? (side + 16) / 32 : 4));
    }
    if (value_failed(p->params))
        return err_nomem(e);
    if (header_set_field(h, "input", "|u1", 4, shape, e) || header_set_field(h, "target", "|u1", 4, shape, e) ||
        header_set_field(h, "weight", "|u1", 3, shape, e))
        return -1;
    return rebuild_declare(p, h, &(rebuild_task){.up = 1, .down = 1, .show = "rgb", .channels = (int)shape[3]}, e) ? 0 : -1;
}

static int hide(const pretext *p, uint8_t *hidden, uint8_t *weight, int h, int w, rng *r, err *e)
{
    const char *mask = value_get_str(p->params, "mask", "");
    double area = value_get_float(p->params, "area", 0);

    if (strcmp(mask, "centre") == 0) {
        if (!mask_centre(hidden, weight, h, w, value_get_float(p->params, "hole", 0), (int)value_get_int(p->params, "overlap", 0),
                         (int)value_get_int(p->params, "band", 0)))
            return err_set(e, ERR_INPUT, "inpaint: of an image of %dx%d this hole, without its overlap, hides nothing; "
                           "give a larger hole, or a smaller overlap", w, h);
        return 0;
    }
    if (strcmp(mask, "blocks") == 0)
        mask_blocks(hidden, h, w, value_get_float(p->params, "block", 0), area, r);
    else if (mask_regions(hidden, h, w, area, r, e))
        return -1;
    memcpy(weight, hidden, (size_t)h * (size_t)w);
    return 0;
}

static int inpaint_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    pretext_images x;

    (void)worker;
    if (pretext_get_images(in, &x, e))
        return -1;
    int64_t shape[4] = {x.n, x.height, x.width, x.channels};
    size_t pixels = (size_t)(x.height * x.width), C = (size_t)x.channels;
    uint8_t *masks = malloc(2 * (size_t)x.n * pixels), *weight = masks + (size_t)x.n * pixels;
    if (!masks)
        return err_nomem(e);
    int rc = 0;
    for (int64_t v = 0; rc == 0 && v < x.n; v++) {
        rng r = pretext_rng(p, in, (int)v);
        rc = hide(p, masks + (size_t)v * pixels, weight + (size_t)v * pixels, (int)x.height, (int)x.width, &r, e);
    }
    uint8_t *input = rc ? NULL : frame_tensor(out, "input", DT_U1, 4, shape);
    for (size_t i = 0; input && i < (size_t)x.n * pixels; i++)
        for (size_t c = 0; c < C; c++)
            input[i * C + c] = !masks[i] ? x.data[i * C + c] : C == 3 ? rebuild_mean[c] : REBUILD_MEAN_GRAY;
    uint8_t *target = rc ? NULL : frame_tensor(out, "target", DT_U1, 4, shape);
    if (target)
        memcpy(target, x.data, (size_t)x.n * pixels * C);
    uint8_t *w = rc ? NULL : frame_tensor(out, "weight", DT_U1, 3, shape);
    if (w)
        memcpy(w, weight, (size_t)x.n * pixels);
    free(masks);
    return rc;
}

static const pretext_param params[] = {
    {"mask", PRETEXT_WORD, "centre", 0, 0, "centre|regions|blocks", "what is hidden: the middle, regions of any shape, or blocks"},
    {"hole", PRETEXT_REAL, "0.5", 0.05, 0.95, NULL, "centre: its part of each side"},
    {"overlap", PRETEXT_INT, "-1", -1, 64, NULL, "centre: pixels of its border that stay visible; -1: 4, of images below 128\n"
     "                 pixels a 32nd of the side"},
    {"band", PRETEXT_INT, "10", 0, 255, NULL, "centre: how much a pixel of that border counts"},
    {"area", PRETEXT_REAL, "0.25", 0.01, 0.9, NULL, "regions, blocks: the part of the image that is hidden (of blocks, at least)"},
    {"block", PRETEXT_REAL, "0.25", 0.02, 0.9, NULL, "blocks: the part of the image's side that one takes"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_inpaint = {
    .name = "inpaint",
    .help = "fill in what is hidden (Context Encoders)",
    .params = params,
    .declare = declare,
    .sample = inpaint_sample,
};
