#include "image/augment/colour.h"
#include "image/augment/draw.h"

#include <string.h>

/* torchvision's RandomAdjustSharpness: Pillow's ImageEnhance.Sharpness. */

static const param params[] = {
    {"factor", PARAM_RANGE, NULL, "0 smooth, 1 unchanged, 2 sharp", 0, 1e3, 0, NULL},
    {0},
};

/* Pillow's SMOOTH: the mean over 3 x 3 with the centre counted five times, rounded; the outermost pixels stay. */
static void smooth(const image *src, image *dst)
{
    size_t c = (size_t)src->c, row = (size_t)src->w * c;

    memcpy(dst->p, src->p, image_bytes(src));
    for (int y = 1; y < src->h - 1; y++) {
        const uint8_t *in = src->p + (size_t)y * row, *up = in - row, *down = in + row;
        uint8_t *out = dst->p + (size_t)y * row;
        for (size_t i = c; i + c < row; i++) {
            unsigned sum = up[i - c] + up[i] + up[i + c] + in[i - c] + 5u * in[i] + in[i + c] + down[i - c] + down[i] + down[i + c];
            out[i] = (uint8_t)((sum + 6) / 13);
        }
    }
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    double factor = draw_range(r, &a[0]);
    (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    smooth(src, dst);
    colour_blend(dst->p, dst->p, src->p, image_bytes(src), (float)factor);
    return 0;
}

const operation operation_sharpness = {"sharpness", "from smooth to sharp", "0.5", params, NULL, NULL, apply};
