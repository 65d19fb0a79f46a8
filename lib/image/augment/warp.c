#include "image/augment/warp.h"

#include "base/portable.h"
#include "image/wide.h"

#include <math.h>
#include <string.h>

static int clamp(int v, int n)
{
    return v < 0 ? 0 : v >= n ? n - 1 : v;
}

/* ---- One pixel of c channels ------------------------------------------------------ */

INLINE void copy(uint8_t *out, const uint8_t *in, size_t c)
{
    for (size_t k = 0; k < c; k++)
        out[k] = in[k];
}

INLINE void take_nearest(uint8_t *out, const image *src, double x, double y, size_t c)
{
    copy(out, src->p + ((size_t)y * (size_t)src->w + (size_t)x) * c, c);
}

/* Truncated, as Pillow does. */
INLINE void take_bilinear(uint8_t *out, const image *src, double x, double y, size_t c)
{
    size_t row = (size_t)src->w * c;

    x -= 0.5;
    y -= 0.5;
    int ix = (int)x - (x < 0), iy = (int)y - (y < 0); /* floor() */
    double dx = x - ix, dy = y - iy;
    const uint8_t *top = src->p + (size_t)clamp(iy, src->h) * row;
    const uint8_t *low = iy + 1 < src->h ? src->p + (size_t)(iy + 1) * row : top;
    size_t left = (size_t)clamp(ix, src->w) * c, right = (size_t)clamp(ix + 1, src->w) * c;
    for (size_t k = 0; k < c; k++) {
        double a = top[left + k] + (top[right + k] - top[left + k]) * dx;
        double b = low[left + k] + (low[right + k] - low[left + k]) * dx;
        out[k] = (uint8_t)(a + (b - a) * dy);
    }
}

INLINE void take(uint8_t *out, const image *src, double x, double y, enum warp filter, size_t c)
{
    if (!(x >= 0 && x < src->w && y >= 0 && y < src->h))
        return; /* outside, or NaN */
    if (filter == WARP_NEAREST)
        take_nearest(out, src, x, y, c);
    else
        take_bilinear(out, src, x, y, c);
}

/* Compiled for each number of channels. */
#define BY_CHANNELS(loop, dst, src, m) ((src)->c == 3 ? loop(dst, src, m, 3) : loop(dst, src, m, 1))

/* ---- Affine ---------------------------------------------------------------------- */

/* Without turn or shear, rows and columns are found apart, each by summing steps. */
INLINE void nearest_scaled(image *dst, const image *src, const double m[6], size_t c)
{
    uint8_t *out = dst->p;
    double sy = m[5] + m[4] * 0.5;

    for (int y = 0; y < dst->h; y++, sy += m[4]) {
        double sx = m[2] + m[0] * 0.5;
        for (int x = 0; x < dst->w; x++, out += c, sx += m[0])
            take(out, src, sx, sy, WARP_NEAREST, c);
    }
}

/* In 16.16 fixed point, as Pillow. */
INLINE void nearest_turned(image *dst, const image *src, const double m[6], size_t c)
{
    int64_t f[6];
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
                copy(out, src->p + (size_t)(sy * src->w + sx) * c, c);
        }
    }
}

INLINE void affine_bilinear(image *dst, const image *src, const double m[6], size_t c)
{
    uint8_t *out = dst->p;

    for (int y = 0; y < dst->h; y++)
        for (int x = 0; x < dst->w; x++, out += c) {
            double u = x + 0.5, v = y + 0.5;
            take(out, src, m[0] * u + m[1] * v + m[2], m[3] * u + m[4] * v + m[5], WARP_BILINEAR, c);
        }
}

void warp_affine(image *dst, const image *src, const double m[6], enum warp filter, int fill)
{
    memset(dst->p, fill, image_bytes(dst));
    if (filter == WARP_BILINEAR)
        BY_CHANNELS(affine_bilinear, dst, src, m);
    else if (m[1] == 0 && m[3] == 0)
        BY_CHANNELS(nearest_scaled, dst, src, m);
    else
        BY_CHANNELS(nearest_turned, dst, src, m);
}

void warp_matrix(double m[6], double cx, double cy, double degrees, double x, double y, double scale, const double shear[2])
{
    const double radian = 3.14159265358979323846 / 180.0;
    double turn = degrees * radian, sx = shear[0] * radian, sy = shear[1] * radian;
    double tan_x = portable_sin(sx) / portable_cos(sx), cos_y = portable_cos(sy);
    double cos_turn = portable_cos(turn - sy) / cos_y, sin_turn = portable_sin(turn - sy) / cos_y;

    m[0] = (-sin_turn * tan_x + portable_cos(turn)) / scale;
    m[1] = (cos_turn * tan_x + portable_sin(turn)) / scale;
    m[3] = -sin_turn / scale;
    m[4] = cos_turn / scale;
    m[2] = m[0] * (-cx - x) + m[1] * (-cy - y) + cx;
    m[5] = m[3] * (-cx - x) + m[4] * (-cy - y) + cy;
}

/* ---- Perspective ------------------------------------------------------------------- */

INLINE void perspective(image *dst, const image *src, const double m[8], enum warp filter, size_t c)
{
    uint8_t *out = dst->p;

    for (int y = 0; y < dst->h; y++)
        for (int x = 0; x < dst->w; x++, out += c) {
            double u = x + 0.5, v = y + 0.5, depth = m[6] * u + m[7] * v + 1;
            take(out, src, (m[0] * u + m[1] * v + m[2]) / depth, (m[3] * u + m[4] * v + m[5]) / depth, filter, c);
        }
}

INLINE void perspective_nearest(image *dst, const image *src, const double m[8], size_t c)
{
    perspective(dst, src, m, WARP_NEAREST, c);
}

INLINE void perspective_bilinear(image *dst, const image *src, const double m[8], size_t c)
{
    perspective(dst, src, m, WARP_BILINEAR, c);
}

void warp_perspective(image *dst, const image *src, const double m[8], enum warp filter, int fill)
{
    memset(dst->p, fill, image_bytes(dst));
    if (filter == WARP_BILINEAR)
        BY_CHANNELS(perspective_bilinear, dst, src, m);
    else
        BY_CHANNELS(perspective_nearest, dst, src, m);
}

/* Solve the n equations a x = b, b being column n of a: elimination with the largest pivot of each column. */
enum { UNKNOWNS = 8 };
static int solve(double a[UNKNOWNS][UNKNOWNS + 1], double x[UNKNOWNS])
{
    for (int k = 0; k < UNKNOWNS; k++) {
        int pivot = k;
        for (int i = k + 1; i < UNKNOWNS; i++)
            pivot = fabs(a[i][k]) > fabs(a[pivot][k]) ? i : pivot;
        if (fabs(a[pivot][k]) < 1e-9)
            return -1;
        for (int j = 0; j <= UNKNOWNS; j++) {
            double t = a[k][j];
            a[k][j] = a[pivot][j];
            a[pivot][j] = t;
        }
        for (int i = k + 1; i < UNKNOWNS; i++) {
            double factor = a[i][k] / a[k][k];
            for (int j = k; j <= UNKNOWNS; j++)
                a[i][j] -= factor * a[k][j];
        }
    }
    for (int k = UNKNOWNS - 1; k >= 0; k--) {
        x[k] = a[k][UNKNOWNS];
        for (int j = k + 1; j < UNKNOWNS; j++)
            x[k] -= a[k][j] * x[j];
        x[k] /= a[k][k];
    }
    return 0;
}

int warp_corners(double m[8], int w, int h, const double to[4][2])
{
    const double from[4][2] = {{0, 0}, {w - 1, 0}, {w - 1, h - 1}, {0, h - 1}};
    double a[UNKNOWNS][UNKNOWNS + 1];

    for (int i = 0; i < 4; i++) {
        double x = to[i][0], y = to[i][1], u = from[i][0], v = from[i][1];
        const double across[] = {x, y, 1, 0, 0, 0, -u * x, -u * y, u}, down[] = {0, 0, 0, x, y, 1, -v * x, -v * y, v};
        memcpy(a[2 * i], across, sizeof across);
        memcpy(a[2 * i + 1], down, sizeof down);
    }
    return solve(a, m);
}
