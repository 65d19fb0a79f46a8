#include "image/augment/operation.h"

#include <string.h>

static const param none[] = {{0}};

static void mirror_gray(uint8_t *out, const uint8_t *in, size_t w)
{
    for (size_t i = 0; i < w; i++)
        out[i] = in[w - 1 - i];
}

static void mirror_rgb(uint8_t *out, const uint8_t *in, size_t w)
{
    for (size_t i = 0; i < w; i++)
        for (size_t k = 0; k < 3; k++)
            out[3 * i + k] = in[3 * (w - 1 - i) + k];
}

static int flip(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    size_t w = (size_t)src->w, row = w * (size_t)src->c;
    (void)a, (void)r, (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    for (size_t y = 0; y < (size_t)src->h; y++)
        (src->c == 3 ? mirror_rgb : mirror_gray)(dst->p + y * row, src->p + y * row, w);
    return 0;
}

static int vflip(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    size_t row = (size_t)src->w * (size_t)src->c, h = (size_t)src->h;
    (void)a, (void)r, (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    for (size_t y = 0; y < h; y++)
        memcpy(dst->p + y * row, src->p + (h - 1 - y) * row, row);
    return 0;
}

const operation operation_flip = {"flip", "left and right change places", "0.5", none, NULL, NULL, flip};
const operation operation_vflip = {"vflip", "top and bottom change places", "0.5", none, NULL, NULL, vflip};
