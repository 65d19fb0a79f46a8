#include "image/augment/warp.h"

#include "base/portable.h"
#include "image/wide.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

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

INLINE bool inside(const image *src, double x, double y)
{
    return x >= 0 && x < src->w && y >= 0 && y < src->h; /* not where it is NaN */
}

/* ---- Bilinear, eight pixels of c channels at a time ---------------------------------- */

enum { LANES = 8 };

typedef double f64x4 __attribute__((vector_size(32)));
typedef int64_t i64x4 __attribute__((vector_size(32)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef float f32x4 __attribute__((vector_size(16)));

/* Places along one axis: which pixels are to be mixed (the first of two), by how much, and whether there are any. */
typedef struct axis {
    i32x8 first, inside;
    f32x8 part;
} axis;

/* Of n pixels, at v[0] and v[1]; a place that is not a number is outside. */
INLINE void axis_find(axis *a, const f64x4 v[2], int n)
{
    enum { FAR = 1 << 16 }; /* so that truncating is floor() */

    for (int i = 0; i < 2; i++) {
        f64x4 x = v[i];
        i64x4 low = x > -2.0, high = x < n + 2.0;
        x = (f64x4)(((i64x4)x & low) | ((i64x4)((f64x4){0} - 2.0) & ~low));
        x = (f64x4)(((i64x4)x & high) | ((i64x4)((f64x4){0} + (n + 2.0)) & ~high));
        i32x4 at = __builtin_convertvector(x + FAR, i32x4) - FAR, first = __builtin_convertvector(x + (FAR - 0.5), i32x4) - FAR;
        f32x4 part = __builtin_convertvector(x - 0.5 - __builtin_convertvector(first, f64x4), f32x4);
        i32x4 inside = (at >= 0) & (at < n);
        memcpy((char *)&a->first + i * 16, &first, 16);
        memcpy((char *)&a->inside + i * 16, &inside, 16);
        memcpy((char *)&a->part + i * 16, &part, 16);
    }
}

/* The bytes from p on, the first lowest; four, or as many as there are before `end` (one at least). */
INLINE uint32_t word(const uint8_t *p, const uint8_t *begin, const uint8_t *end)
{
    uint32_t v = 0;

    if (end - p >= 4)
        memcpy(&v, p, 4);
    else if (end - begin >= 4) {
        memcpy(&v, end - 4, 4);
        v >>= 8 * (4 - (end - p));
    } else
        memcpy(&v, p, (size_t)(end - p));
    return v;
}

/* Pixels (x, y); those beyond the border are the ones at it. */
INLINE void pixels(u32x8 *out, const image *src, i32x8 *x, i32x8 *y, int c)
{
    i32x8 right = (i32x8){0} + (src->w - 1), low = (i32x8){0} + (src->h - 1);

    *x &= ~(*x < 0);
    *y &= ~(*y < 0);
    *x = WIDE_SELECT(*x < right, *x, right);
    *y = WIDE_SELECT(*y < low, *y, low);
    i32x8 at = (*y * src->w + *x) * c;
    const uint8_t *p = src->p, *end = p + (size_t)src->w * (size_t)src->h * (size_t)c;
    *out = (u32x8){word(p + at[0], p, end), word(p + at[1], p, end), word(p + at[2], p, end), word(p + at[3], p, end),
                   word(p + at[4], p, end), word(p + at[5], p, end), word(p + at[6], p, end), word(p + at[7], p, end)};
}

INLINE void between(f32x8 *out, const u32x8 *a, const u32x8 *b, int shift, const f32x8 *part)
{
    f32x8 from = WIDE_FLOAT((i32x8)(*a >> shift & 255)), to = WIDE_FLOAT((i32x8)(*b >> shift & 255));

    *out = from + (to - from) * *part;
}

/* The pixels of src at places (x, y), truncated, as Pillow does; outside, `fill`. */
INLINE void take_bilinear(u32x8 *out, const image *src, const f64x4 x[2], const f64x4 y[2], int fill, int c)
{
    axis h, v;
    u32x8 p = {0};

    axis_find(&h, x, src->w);
    axis_find(&v, y, src->h);
    i32x8 left = h.first, right = left + 1, top = v.first, low = top + 1;
    u32x8 corner[4] = {{0}}; /* GCC 12 believes that pixels() reads them */
    pixels(&corner[0], src, &left, &top, c);
    pixels(&corner[1], src, &right, &top, c);
    pixels(&corner[2], src, &left, &low, c);
    pixels(&corner[3], src, &right, &low, c);
    for (int k = 0; k < c; k++) {
        f32x8 over, under;
        between(&over, &corner[0], &corner[1], 8 * k, &h.part);
        between(&under, &corner[2], &corner[3], 8 * k, &h.part);
        p |= (u32x8)WIDE_INT(over + (under - over) * v.part) << 8 * k;
    }
    i32x8 inside = h.inside & v.inside;
    *out = (u32x8)WIDE_SELECT(inside, (i32x8)p, (i32x8){0} + fill * 0x010101);
}

/* n of them; a store of four bytes may reach into the next pixel, which is written after it. */
INLINE void put(uint8_t *out, const uint8_t *end, const u32x8 *v, int n, int c)
{
    for (int i = 0; i < n; i++, out += c) {
        uint32_t one = (*v)[i];
        memcpy(out, &one, end - out >= 4 ? 4 : (size_t)c);
    }
}

/* Compiled for each number of channels. */
#define BY_CHANNELS(loop, dst, src, ...) ((src)->c == 3 ? loop(dst, src, __VA_ARGS__, 3) : loop(dst, src, __VA_ARGS__, 1))

/* ---- Affine ---------------------------------------------------------------------- */

/* Without turn or shear, rows and columns are found apart, each by summing steps. */
INLINE void nearest_scaled(image *dst, const image *src, const double m[6], size_t c)
{
    uint8_t *out = dst->p;
    double sy = m[5] + m[4] * 0.5;

    for (int y = 0; y < dst->h; y++, sy += m[4]) {
        double sx = m[2] + m[0] * 0.5;
        for (int x = 0; x < dst->w; x++, out += c, sx += m[0])
            if (inside(src, sx, sy))
                take_nearest(out, src, sx, sy, c);
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

/* The middles of eight pixels of a row, from x on. */
#define MIDDLES(x) {(f64x4){0.5, 1.5, 2.5, 3.5} + (x), (f64x4){4.5, 5.5, 6.5, 7.5} + (x)}

INLINE void affine_bilinear(image *dst, const image *src, const double m[6], int fill, int c)
{
    const uint8_t *end = dst->p + image_bytes(dst);
    uint8_t *out = dst->p;

    for (int y = 0; y < dst->h; y++)
        for (int x = 0; x < dst->w; x += LANES) {
            int n = dst->w - x < LANES ? dst->w - x : LANES;
            const f64x4 u[2] = MIDDLES(x);
            double v = y + 0.5;
            f64x4 sx[2], sy[2];
            u32x8 p;
            for (int i = 0; i < 2; i++) {
                sx[i] = m[0] * u[i] + m[1] * v + m[2];
                sy[i] = m[3] * u[i] + m[4] * v + m[5];
            }
            take_bilinear(&p, src, sx, sy, fill, c);
            put(out, end, &p, n, c);
            out += n * c;
        }
}

WIDE static void affine_bilinear_any(image *dst, const image *src, const double m[6], int fill)
{
    BY_CHANNELS(affine_bilinear, dst, src, m, fill);
}

void warp_affine(image *dst, const image *src, const double m[6], enum warp filter, int fill)
{
    if (filter == WARP_BILINEAR) {
        affine_bilinear_any(dst, src, m, fill);
        return;
    }
    memset(dst->p, fill, image_bytes(dst));
    if (m[1] == 0 && m[3] == 0)
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

INLINE void perspective(image *dst, const image *src, const double m[8], enum warp filter, int fill, int c)
{
    const uint8_t *end = dst->p + image_bytes(dst);
    uint8_t *out = dst->p;

    for (int y = 0; y < dst->h; y++)
        for (int x = 0; x < dst->w; x += LANES) {
            int n = dst->w - x < LANES ? dst->w - x : LANES;
            const f64x4 u[2] = MIDDLES(x);
            double v = y + 0.5;
            f64x4 sx[2], sy[2];
            for (int i = 0; i < 2; i++) {
                f64x4 depth = m[6] * u[i] + m[7] * v + 1;
                sx[i] = (m[0] * u[i] + m[1] * v + m[2]) / depth;
                sy[i] = (m[3] * u[i] + m[4] * v + m[5]) / depth;
            }
            if (filter == WARP_BILINEAR) {
                u32x8 p;
                take_bilinear(&p, src, sx, sy, fill, c);
                put(out, end, &p, n, c);
            } else
                for (int i = 0; i < n; i++)
                    if (inside(src, sx[i / 4][i % 4], sy[i / 4][i % 4]))
                        take_nearest(out + i * c, src, sx[i / 4][i % 4], sy[i / 4][i % 4], (size_t)c);
            out += n * c;
        }
}

WIDE static void perspective_any(image *dst, const image *src, const double m[8], enum warp filter, int fill)
{
    BY_CHANNELS(perspective, dst, src, m, filter, fill);
}

void warp_perspective(image *dst, const image *src, const double m[8], enum warp filter, int fill)
{
    if (filter == WARP_NEAREST)
        memset(dst->p, fill, image_bytes(dst));
    perspective_any(dst, src, m, filter, fill);
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
