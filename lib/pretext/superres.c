/*
 * Restore an image that was made smaller (super-resolution, as SRGAN's
 * generator is pre-trained: Ledig et al., "Photo-Realistic Single Image
 * Super-Resolution Using a Generative Adversarial Network", CVPR 2017; no
 * adversarial and no perceptual loss, whose network would bring in labels).
 *
 *   image [H,W,C]   -> input [1,H/f,W/f,C] (enlarge=0) or [1,H,W,C], target [1,H,W,C]
 *   views [V,H,W,C] -> the same with V
 *
 * The image is reduced by the factor f with Pillow's bicubic filter. With
 * enlarge=0 the network sees the small image; with enlarge=1 it sees it
 * enlarged again to its old size, bicubically (as in SRCNN: Dong et al., ECCV
 * 2014), so that an encoder sees details at the scale at which it will be used.
 */
#include "pretext/rebuild.h"
#include "pretext/tasks.h"

#include "image/resize.h"

#include <string.h>

static int factor_of(const pretext *p)
{
    return (int)value_get_int(p->params, "factor", 0);
}

static bool enlarges(const pretext *p)
{
    return value_get_int(p->params, "enlarge", 0);
}

static int check_size(const pretext *p, int64_t height, int64_t width, err *e)
{
    int f = factor_of(p);

    if (height % f == 0 && width % f == 0)
        return 0;
    return err_set(e, ERR_INPUT, "superres: an image of %lldx%lld cannot be made %d times smaller; crop it before "
                   "(ssl-load --size N, ssl-augment crop:N)", (long long)width, (long long)height, f);
}

static int declare(pretext *p, header *h, err *e)
{
    int64_t shape[4];
    int f = factor_of(p);

    if (pretext_declared(h, shape, e))
        return -1;
    bool known = shape[1] > 0 && shape[2] > 0;
    if (known && check_size(p, shape[1], shape[2], e))
        return -1;
    if (header_set_field(h, "target", "|u1", 4, shape, e))
        return -1;
    if (!enlarges(p) && known) {
        value *size = value_array();
        value_push(size, value_int(shape[1]));
        value_push(size, value_int(shape[2]));
        value_set(h->input_transform, "size", size);
        shape[1] /= f;
        shape[2] /= f;
    }
    if (header_set_field(h, "input", "|u1", 4, shape, e))
        return -1;
    rebuild_task t = {.up = enlarges(p) ? 1 : f, .down = 1, .show = "rgb", .channels = (int)shape[3]};
    return rebuild_declare(p, h, &t, e) && !value_failed(h->input_transform) ? 0 : -1;
}

/* One image [h, w, c] made smaller, and with `enlarge` larger again, into dst. */
static int degrade(const uint8_t *src, int h, int w, int c, int f, bool enlarge, uint8_t *dst, err *e)
{
    image full = {0}, low = {0};
    int rc = -1;

    if (image_shape(&full, h, w, c, e))
        goto out;
    memcpy(full.p, src, image_bytes(&full));
    if (image_resize(&full, 0, 0, w, h, w / f, h / f, RESAMPLE_BICUBIC, &low, e))
        goto out;
    if (enlarge && image_resize(&low, 0, 0, low.w, low.h, w, h, RESAMPLE_BICUBIC, &full, e))
        goto out;
    memcpy(dst, enlarge ? full.p : low.p, image_bytes(enlarge ? &full : &low));
    rc = 0;
out:
    image_free(&full);
    image_free(&low);
    return rc;
}

static int superres_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    pretext_images x;
    bool enlarge = enlarges(p);
    int f = factor_of(p);

    (void)worker;
    if (pretext_get_images(in, &x, e) || check_size(p, x.height, x.width, e))
        return -1;
    int64_t shape[4] = {x.n, x.height, x.width, x.channels}, bytes = x.height * x.width * x.channels;
    int64_t small[4] = {x.n, enlarge ? x.height : x.height / f, enlarge ? x.width : x.width / f, x.channels};
    int64_t small_bytes = small[1] * small[2] * small[3];
    uint8_t *input = frame_tensor(out, "input", DT_U1, 4, small);
    for (int64_t v = 0; input && v < x.n; v++)
        if (degrade(x.data + v * bytes, (int)x.height, (int)x.width, (int)x.channels, f, enlarge, input + v * small_bytes, e))
            return -1;
    uint8_t *target = frame_tensor(out, "target", DT_U1, 4, shape);
    if (target)
        memcpy(target, x.data, (size_t)(x.n * bytes));
    return 0;
}

static const pretext_param params[] = {
    {"factor", PRETEXT_INT, "4", 2, 4, "2|4", "how many times smaller the image is made"},
    {"enlarge", PRETEXT_INT, "0", 0, 1, NULL, "1: the small image is shown at the old size, enlarged bicubically"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_superres = {
    .name = "superres",
    .help = "restore an image that was made smaller",
    .params = params,
    .declare = declare,
    .sample = superres_sample,
};
