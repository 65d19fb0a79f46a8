#include "image/augment/draw.h"
#include "image/augment/warp.h"

#include <math.h>

/* torchvision's RandomAffine, on PIL images. */

enum { DEGREES, X, Y, SCALE, SHEAR_X, SHEAR_Y, FILTER, FILL };

static const param params[] = {
    [DEGREES] = {"degrees", PARAM_SPREAD, NULL, "clockwise; a single x means -x to x", -360, 360, 0, NULL},
    [X] = {"x", PARAM_SPREAD, "0", "moved right by this part of the width; a single x means -x to x", -1, 1, 0, NULL},
    [Y] = {"y", PARAM_SPREAD, "0", "moved down, likewise", -1, 1, 0, NULL},
    [SCALE] = {"scale", PARAM_RANGE, "1", "factor of the size", 1e-3, 1e3, 0, NULL},
    [SHEAR_X] = {"shearx", PARAM_SPREAD, "0", "degrees, along x; a single x means -x to x", -89, 89, 0, NULL},
    [SHEAR_Y] = {"sheary", PARAM_SPREAD, "0", "degrees, along y, likewise", -89, 89, 0, NULL},
    [FILTER] = {"filter", PARAM_CHOICE, "nearest", "resampling", 0, 0, 0, WARP_NAMES},
    [FILL] = {"fill", PARAM_INT, "0", "grey level outside the image", 0, 255, 0, NULL},
    {0},
};

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    double degrees = draw_range(r, &a[DEGREES]);
    double x = rint(draw_range(r, &a[X]) * src->w), y = rint(draw_range(r, &a[Y]) * src->h);
    double scale = draw_range(r, &a[SCALE]), m[6];
    double shear[2];
    (void)scratch;

    shear[0] = draw_range(r, &a[SHEAR_X]);
    shear[1] = draw_range(r, &a[SHEAR_Y]);
    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    warp_matrix(m, src->w * 0.5, src->h * 0.5, degrees, x, y, scale, shear);
    warp_affine(dst, src, m, (enum warp)a[FILTER].lo, (int)a[FILL].lo);
    return 0;
}

const operation operation_affine = {
    "affine", "turned, moved, scaled and sheared, same size", "1", params, NULL, NULL, apply,
};
