#include "image/augment/operation.h"
#include "image/wide.h"

static const param params[] = {
    {"threshold", PARAM_INT, "128", "values from here up are inverted", 0, 256, 0, NULL},
    {0},
};

WIDE static void solarize(uint8_t *dst, const uint8_t *src, size_t n, int threshold)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] < threshold ? src[i] : (uint8_t)(255 - src[i]);
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    (void)r, (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    solarize(dst->p, src->p, image_bytes(src), (int)a[0].lo);
    return 0;
}

const operation operation_solarize = {"solarize", "bright values are inverted", "0.5", params, NULL, NULL, apply};
