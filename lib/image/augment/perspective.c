#include "image/augment/draw.h"
#include "image/augment/warp.h"

/* torchvision's RandomPerspective. */

enum { DISTORTION, FILTER, FILL };

static const param params[] = {
    [DISTORTION] = {"distortion", PARAM_RANGE, "0.5", "how far corners move in, at most, of half the sides", 0, 1, 0, NULL},
    [FILTER] = {"filter", PARAM_CHOICE, "bilinear", "resampling", 0, 0, 0, WARP_NAMES},
    [FILL] = {"fill", PARAM_INT, "0", "grey level outside the image", 0, 255, 0, NULL},
    {0},
};

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    static const bool right[] = {false, true, true, false}, below[] = {false, false, true, true}; /* clockwise */
    double most = draw_range(r, &a[DISTORTION]), to[4][2], m[8];
    uint64_t x = (uint64_t)(most * (src->w / 2)), y = (uint64_t)(most * (src->h / 2));
    (void)scratch;

    for (int i = 0; i < 4; i++) {
        double in = (double)rng_below(r, x + 1), down = (double)rng_below(r, y + 1);
        to[i][0] = right[i] ? src->w - 1 - in : in;
        to[i][1] = below[i] ? src->h - 1 - down : down;
    }
    if (warp_corners(m, src->w, src->h, to))
        return image_copy(dst, src, e); /* a single row or column */
    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    warp_perspective(dst, src, m, (enum warp)a[FILTER].lo, (int)a[FILL].lo);
    return 0;
}

const operation operation_perspective = {
    "perspective", "seen askew, same size", "0.5", params, NULL, NULL, apply,
};
