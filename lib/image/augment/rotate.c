#include "base/portable.h"
#include "image/augment/draw.h"

#include <math.h>
#include <string.h>

/* torchvision's RandomRotation: Pillow's rotate() without expanding. */

enum { DEGREES, FILTER, FILL };
enum { NEAREST, BILINEAR };

static const param params[] = {
    [DEGREES] = {"degrees", PARAM_SPREAD, NULL, "anticlockwise; a single x means -x to x", -360, 360, 0, NULL},
    [FILTER] = {"filter", PARAM_CHOICE, "nearest", "resampling", 0, 0, 0, "nearest|bilinear"},
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

/* In 16.16 fixed point, as Pillow. */
static void nearest(const image *src, image *dst, const double m[6])
{
    int64_t f[6];
    size_t c = (size_t)src->c;
    uint8_t *out = dst->p;

    for (int i = 0; i < 6; i++) {
        double v = i % 3 == 2 ? m[i] + m[i - 2] * 0.5 + m[i - 1] * 0.5 : m[i];
        f[i] = (int64_t)floor(v * 65536.0 + 0.5);
    }
    for (int y = 0; y < dst->h; y++, f[2] += f[1], f[5] += f[4]) {
        int64_t xx = f[2], yy = f[5];
        for (int x = 0; x < dst->w; x++, out += c, xx += f[0], yy += f[3]) {
            int64_t sx = xx >> 16, sy = yy >> 16;
            if (sx >= 0 && sx < src->w && sy >= 0 && sy < src->h)
                memcpy(out, src->p + (size_t)(sy * src->w + sx) * c, c);
        }
    }
}

static int clamp(int v, int n)
{
    return v < 0 ? 0 : v >= n ? n - 1 : v;
}

/* Truncated, as Pillow does. */
static void bilinear(const image *src, image *dst, const double m[6])
{
    size_t c = (size_t)src->c, row = (size_t)src->w * c;
    uint8_t *out = dst->p;

    for (int y = 0; y < dst->h; y++)
        for (int x = 0; x < dst->w; x++, out += c) {
            double u = x + 0.5, v = y + 0.5;
            double sx = m[0] * u + m[1] * v + m[2], sy = m[3] * u + m[4] * v + m[5];
            if (!(sx >= 0 && sx < src->w && sy >= 0 && sy < src->h))
                continue;
            sx -= 0.5;
            sy -= 0.5;
            int ix = (int)floor(sx), iy = (int)floor(sy);
            double dx = sx - ix, dy = sy - iy;
            const uint8_t *top = src->p + (size_t)clamp(iy, src->h) * row;
            const uint8_t *low = iy + 1 < src->h ? src->p + (size_t)(iy + 1) * row : top;
            size_t left = (size_t)clamp(ix, src->w) * c, right = (size_t)clamp(ix + 1, src->w) * c;
            for (size_t k = 0; k < c; k++) {
                double a = top[left + k] + (top[right + k] - top[left + k]) * dx;
                double b = low[left + k] + (low[right + k] - low[left + k]) * dx;
                out[k] = (uint8_t)(a + (b - a) * dy);
            }
        }
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
    memset(dst->p, (int)a[FILL].lo, image_bytes(dst));
    matrix(degrees, src->w, src->h, m);
    (a[FILTER].lo == NEAREST ? nearest : bilinear)(src, dst, m);
    return 0;
}

const operation operation_rotate = {"rotate", "turned about the centre, same size", "1", params, NULL, NULL, apply};
