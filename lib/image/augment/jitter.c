#include "image/augment/colour.h"
#include "image/augment/draw.h"

#include <string.h>

/* torchvision's ColorJitter. */

enum { BRIGHTNESS, CONTRAST, SATURATION, HUE, COUNT };

static const param params[] = {
    [BRIGHTNESS] = {"brightness", PARAM_SPREAD, "0", "factor; a single x means 1-x to 1+x", 0, 1e3, 1, NULL},
    [CONTRAST] = {"contrast", PARAM_SPREAD, "0", "factor, likewise", 0, 1e3, 1, NULL},
    [SATURATION] = {"saturation", PARAM_SPREAD, "0", "factor, likewise", 0, 1e3, 1, NULL},
    [HUE] = {"hue", PARAM_SPREAD, "0", "part of the circle; a single x means -x to x", -0.5, 0.5, 0, NULL},
    {0},
};

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    uint32_t order[COUNT] = {BRIGHTNESS, CONTRAST, SATURATION, HUE};
    double factor[COUNT];
    size_t n = (size_t)src->w * (size_t)src->h;
    const uint8_t *in = src->p;
    (void)scratch;

    rng_shuffle_u32(r, order, COUNT);
    for (int i = 0; i < COUNT; i++)
        factor[i] = draw_range(r, &a[i]);
    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    for (int i = 0; i < COUNT; i++) {
        double f = factor[order[i]];
        if (f == (order[i] == HUE ? 0 : 1))
            continue;
        switch (order[i]) {
        case BRIGHTNESS: colour_brightness(dst->p, in, n, src->c, (float)f); break;
        case CONTRAST: colour_contrast(dst->p, in, n, src->c, (float)f); break;
        case SATURATION: colour_saturation(dst->p, in, n, src->c, (float)f); break;
        case HUE: colour_hue(dst->p, in, n, src->c, f); break;
        }
        in = dst->p;
    }
    if (in == src->p)
        memcpy(dst->p, src->p, image_bytes(src));
    return 0;
}

const operation operation_jitter = {
    "jitter", "brightness, contrast, saturation and hue, in random order", "1", params, NULL, NULL, apply,
};
