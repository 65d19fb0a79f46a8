#include "image/augment/draw.h"

#include <string.h>

/* Zhong et al., "Random erasing data augmentation", AAAI 2020; torchvision's RandomErasing, on grey levels. */

enum { SCALE, RATIO, VALUE };

static const param params[] = {
    [SCALE] = {"scale", PARAM_RANGE, "0.02-0.33", "part of the image's area", 0, 1, 0, NULL},
    [RATIO] = {"ratio", PARAM_RANGE, "0.3-3.3", "of its height to its width", 1e-3, 1e3, 0, NULL},
    [VALUE] = {"value", PARAM_INT, "0", "grey level, or random for noise", 0, 255, 0, "random"},
    {0},
};

static void fill(uint8_t *p, size_t n, int value, rng *r)
{
    if (value >= 0) {
        memset(p, value, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(rng_u64(r) >> 56);
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    int w, h;
    (void)scratch;

    if (image_copy(dst, src, e))
        return -1;
    for (int i = 0; i < 10; i++) {
        draw_sides(r, (double)src->w * src->h, &a[SCALE], &a[RATIO], &h, &w);
        if (h >= src->h || w >= src->w)
            continue;
        int y = (int)rng_below(r, (uint64_t)(src->h - h + 1)), x = (int)rng_below(r, (uint64_t)(src->w - w + 1));
        size_t c = (size_t)src->c, row = (size_t)src->w * c;
        for (int j = 0; j < h; j++)
            fill(dst->p + (size_t)(y + j) * row + (size_t)x * c, (size_t)w * c, (int)a[VALUE].lo, r);
        break;
    }
    return 0; /* after ten tries that do not fit, unchanged */
}

const operation operation_erase = {"erase", "a random rectangle is blanked", "0.5", params, NULL, NULL, apply};
