#include "base/portable.h"
#include "image/augment/draw.h"
#include "image/augment/warp.h"

#include <math.h>
#include <string.h>

/* torchvision's RandomRotation: Pillow's rotate() without expanding. */

enum { DEGREES, FILTER, FILL };

static const param params[] = {
    [DEGREES] = {"degrees", PARAM_SPREAD, NULL, "anticlockwise; a single x means -x to x", -360, 360, 0, NULL},
    [FILTER] = {"filter", PARAM_CHOICE, "nearest", "resampling", 0, 0, 0, WARP_NAMES},
    [FILL] = {"fill", PARAM_INT, "0", "grey level outside the image", 0, 255, 0, NULL},
    {0},
};

/* Source coordinates of output (x, y): m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]; pixel centres are at 0.5. */
static void matrix(double degrees, int w, int h, double m[6])
{
    double angle = -degrees * (3.14159265358979323846 / 180.0);
    double c = rint(portable_cos(angle) * 1e15) / 1e15, s = rint(portable_sin(angle) * 1e15) / 1e15;
    double cx = w / 2.0, cy = h / 2.0;

    m[0] = c;
    m[1] = s;
    m[3] = -s;
    m[4] = c;
    m[2] = m[0] * -cx + m[1] * -cy + cx;
    m[5] = m[3] * -cx + m[4] * -cy + cy;
}

/* A whole number of quarter turns moves pixels without touching them. */
static void quarters(const image *src, image *dst, int turns)
{
    ptrdiff_t c = src->c, row = (ptrdiff_t)src->w * c, right = row - c, bottom = (src->h - 1) * row;
    ptrdiff_t start = turns == 1 ? right : turns == 2 ? right + bottom : turns == 3 ? bottom : 0;
    ptrdiff_t dx = turns == 1 ? row : turns == 2 ? -c : turns == 3 ? -row : c;
    ptrdiff_t dy = turns == 1 ? -c : turns == 2 ? -row : turns == 3 ? c : row;
    uint8_t *out = dst->p;

    for (int y = 0; y < dst->h; y++)
        for (int x = 0; x < dst->w; x++, out += c)
            memcpy(out, src->p + start + y * dy + x * dx, (size_t)c);
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    double degrees = fmod(draw_range(r, &a[DEGREES]), 360.0), m[6];
    (void)scratch;

    degrees = degrees < 0 ? degrees + 360.0 : degrees;
    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    if (degrees == 0 || degrees == 180 || (src->w == src->h && (degrees == 90 || degrees == 270))) {
        quarters(src, dst, (int)degrees / 90);
        return 0;
    }
    matrix(degrees, src->w, src->h, m);
    warp_affine(dst, src, m, (enum warp)a[FILTER].lo, (int)a[FILL].lo);
    return 0;
}

const operation operation_rotate = {"rotate", "turned about the centre, same size", "1", params, NULL, NULL, apply};
