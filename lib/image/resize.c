#include "image/resize.h"

#include "base/portable.h"
#include "image/wide.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    PRECISION = 32 - 8 - 2, /* Pillow's: 8 bits of value, 2 of headroom for negative lobes */
    STRIP = 32              /* rows that are turned at a time */
};

/* Part of an image: rows of w pixels of c bytes, `stride` bytes apart. */
typedef struct span {
    const uint8_t *p;
    size_t stride;
    int w, h, c;
} span;

/* The coefficients of one axis: output i is the sum over t < count[i] of k[i * taps + t] * input[first[i] + t]. */
typedef struct axis {
    int n, taps;
    int *first, *count;
    int32_t *k;
    void *memory;
} axis;

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29(6), 1981, equation 4 with a = -1/2. */
static double cubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double sinc(double x)
{
    x *= 3.14159265358979323846;
    return x == 0.0 ? 1.0 : portable_sin(x) / x;
}

static double lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

static const struct {
    double (*at)(double x);
    double support;
} filters[] = {
    [RESAMPLE_BOX] = {box, 0.5},
    [RESAMPLE_BILINEAR] = {triangle, 1.0},
    [RESAMPLE_BICUBIC] = {cubic, 2.0},
    [RESAMPLE_LANCZOS] = {lanczos, 3.0},
};

/* Coefficients that take [from, from + length) of `in` pixels to n; in Pillow's order of operations, so that rounding agrees. */
static int axis_init(axis *a, int in, double from, double length, int n, enum resample filter, err *e)
{
    double scale = length / n, filter_scale = scale < 1.0 ? 1.0 : scale;
    double support = filters[filter].support * filter_scale, inverse = 1.0 / filter_scale;
    size_t taps = (size_t)ceil(support) * 2 + 1, rows = (size_t)n;

    a->n = n;
    a->taps = (int)taps;
    a->memory = malloc(taps * sizeof(double) + rows * (2 * sizeof(int) + taps * sizeof(int32_t)));
    if (!a->memory)
        return err_nomem(e);
    double *weight = a->memory;
    void *rest = weight + taps;
    a->first = rest;
    a->count = a->first + n;
    a->k = a->count + n;

    for (int i = 0; i < n; i++) {
        double centre = from + (i + 0.5) * scale, sum = 0;
        int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
        first = first < 0 ? 0 : first;
        end = end > in ? in : end;
        int count = end - first;
        for (int t = 0; t < count; t++) {
            weight[t] = filters[filter].at((t + first - centre + 0.5) * inverse);
            sum += weight[t];
        }
        a->first[i] = first;
        a->count[i] = count;
        int32_t *k = a->k + (size_t)i * taps;
        for (int t = 0; t < count; t++) {
            double w = (sum != 0.0 ? weight[t] / sum : weight[t]) * (1 << PRECISION);
            k[t] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
        }
    }
    return 0;
}

static uint8_t clip(int32_t sum)
{
    int32_t v = sum >> PRECISION;

    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* dst[0..32) is the weighted sum of `count` rows. */
INLINE void column_block(uint8_t *dst, const uint8_t *src, size_t stride, const int32_t *k, int count)
{
    const i32x8 half = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1),
                        1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
    i32x8 sum[4] = {half, half, half, half}, v[4];

    for (int t = 0; t < count; t++, src += stride) {
        wide_load(v, src);
        for (int i = 0; i < 4; i++)
            sum[i] += v[i] * k[t];
    }
    for (int i = 0; i < 4; i++) {
        sum[i] >>= PRECISION;
        sum[i] &= ~(sum[i] >> 31);                        /* below 0 */
        sum[i] = (sum[i] | (255 - sum[i]) >> 31) & 255; /* above 255 */
    }
    wide_store(dst, sum);
}

/* One output row of n bytes. */
INLINE void column(uint8_t *dst, const uint8_t *src, size_t stride, size_t n, const int32_t *k, int count)
{
    if (n >= WIDE_BYTES) {
        for (size_t i = 0; i < n - WIDE_BYTES; i += WIDE_BYTES)
            column_block(dst + i, src + i, stride, k, count);
        column_block(dst + n - WIDE_BYTES, src + n - WIDE_BYTES, stride, k, count); /* may overlap the one before */
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int32_t sum = 1 << (PRECISION - 1);
        for (int t = 0; t < count; t++)
            sum += src[i + (size_t)t * stride] * k[t];
        dst[i] = clip(sum);
    }
}

/* Resample along the rows of src, which begins at row `from` and has rows of n bytes. */
WIDE static void vertical(uint8_t *dst, const uint8_t *src, size_t stride, size_t n, const axis *a, int from)
{
    for (int i = 0; i < a->n; i++)
        column(dst + (size_t)i * n, src + (size_t)(a->first[i] - from) * stride, stride, n,
               a->k + (size_t)i * (size_t)a->taps, a->count[i]);
}

/* Each step pairs row i with row i + 8; after four, columns are rows. */
INLINE void transpose_tile(uint8_t *dst, size_t dst_stride, const uint8_t *src, size_t src_stride)
{
    u8x16 a[16], b[16];

    for (size_t i = 0; i < 16; i++)
        memcpy(&a[i], src + i * src_stride, 16);
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = WIDE_SHUFFLE(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            b[2 * i + 1] = WIDE_SHUFFLE(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(a, b, sizeof a);
    }
    for (size_t i = 0; i < 16; i++)
        memcpy(dst + i * dst_stride, &a[i], 16);
}

/* dst[x][y] = src[y][x] */
static void transpose(uint8_t *dst, size_t dst_stride, const uint8_t *src, size_t src_stride, size_t rows, size_t columns)
{
    if (rows < 16 || columns < 16) {
        for (size_t x = 0; x < columns; x++)
            for (size_t y = 0; y < rows; y++)
                dst[x * dst_stride + y] = src[y * src_stride + x];
        return;
    }
    for (size_t i = 0; i < rows; i += 16) {
        size_t y = i + 16 <= rows ? i : rows - 16; /* the last tiles may overlap others */
        for (size_t j = 0; j < columns; j += 16) {
            size_t x = j + 16 <= columns ? j : columns - 16;
            transpose_tile(dst + x * dst_stride + y, dst_stride, src + y * src_stride + x, src_stride);
        }
    }
}

/* Along the columns: strips of rows are turned, so that the same loops do both directions. */
static int horizontal(uint8_t *dst, const span *s, int from, int rows, const axis *a, err *e)
{
    size_t height = rows < STRIP ? (size_t)rows : STRIP, n = height * (size_t)s->c;
    size_t width = (size_t)s->w * (size_t)s->c, out = (size_t)a->n * (size_t)s->c;
    uint8_t *turned = malloc((width + out) * height), *result = turned + width * height;

    if (!turned)
        return err_nomem(e);
    for (size_t i = 0; i < (size_t)rows; i += height) {
        size_t y = i + height <= (size_t)rows ? i : (size_t)rows - height; /* the last strip may overlap another */
        transpose(turned, height, s->p + ((size_t)from + y) * s->stride, s->stride, height, width);
        vertical(result, turned, n, n, a, 0);
        transpose(dst + y * out, out, result, height, out, height);
    }
    free(turned);
    return 0;
}

static int filtered(const span *s, double x, double y, double w, double h, enum resample filter, image *dst, err *e)
{
    bool across = dst->w != s->w || x != 0 || w != s->w, down = dst->h != s->h || y != 0 || h != s->h;
    axis ax = {0}, ay = {0};
    uint8_t *middle = NULL;
    size_t width = (size_t)dst->w * (size_t)s->c;
    int rc = -1;

    if ((across && axis_init(&ax, s->w, x, w, dst->w, filter, e)) ||
        (down && axis_init(&ay, s->h, y, h, dst->h, filter, e)))
        goto out;
    if (!down) {
        rc = horizontal(dst->p, s, 0, s->h, &ax, e);
        goto out;
    }
    int from = ay.first[0], rows = ay.first[ay.n - 1] + ay.count[ay.n - 1] - from;
    if (!across) {
        vertical(dst->p, s->p + (size_t)from * s->stride, s->stride, width, &ay, from);
        rc = 0;
        goto out;
    }
    middle = malloc(width * (size_t)rows);
    if (!middle) {
        err_nomem(e);
        goto out;
    }
    if (horizontal(middle, s, from, rows, &ax, e))
        goto out;
    vertical(dst->p, middle, width, width, &ay, from);
    rc = 0;
out:
    free(middle);
    free(ax.memory);
    free(ay.memory);
    return rc;
}

static int nearest_index(double v, int n)
{
    return v < 0 ? 0 : v >= n ? n - 1 : (int)v;
}

static int nearest(const span *s, double x, double y, double w, double h, image *dst, err *e)
{
    double step_x = w / dst->w, step_y = h / dst->h, at = x + step_x * 0.5;
    size_t c = (size_t)s->c;
    int *from = malloc((size_t)dst->w * sizeof *from);

    if (!from)
        return err_nomem(e);
    for (int i = 0; i < dst->w; i++, at += step_x) /* summed, as Pillow does: rounding then agrees */
        from[i] = nearest_index(at, s->w);
    at = y + step_y * 0.5;
    for (int j = 0; j < dst->h; j++, at += step_y) {
        const uint8_t *row = s->p + (size_t)nearest_index(at, s->h) * s->stride;
        uint8_t *out = dst->p + (size_t)j * (size_t)dst->w * c;
        for (int i = 0; i < dst->w; i++)
            for (size_t ch = 0; ch < c; ch++)
                *out++ = row[(size_t)from[i] * c + ch];
    }
    free(from);
    return 0;
}

static int resample(const span *s, double x, double y, double w, double h, int out_w, int out_h,
                    enum resample filter, image *dst, err *e)
{
    if (!(w > 0 && h > 0 && x >= 0 && y >= 0 && x + w <= s->w && y + h <= s->h))
        return err_set(e, ERR_INPUT, "the box %g,%g %g x %g is not inside the image of %d x %d", x, y, w, h, s->w, s->h);
    if (out_w < 1 || out_h < 1 || (int64_t)out_w * out_h > RESIZE_MAX_BYTES / s->c)
        return err_set(e, ERR_INPUT, "cannot resize to %d x %d", out_w, out_h);
    if (image_shape(dst, out_h, out_w, s->c, e))
        return -1;
    if (x == 0 && y == 0 && w == s->w && h == s->h && out_w == s->w && out_h == s->h) {
        size_t width = (size_t)s->w * (size_t)s->c;
        for (int r = 0; r < s->h; r++)
            memcpy(dst->p + (size_t)r * width, s->p + (size_t)r * s->stride, width);
        return 0;
    }
    return filter == RESAMPLE_NEAREST ? nearest(s, x, y, w, h, dst, e) : filtered(s, x, y, w, h, filter, dst, e);
}

int image_resize(const image *src, double x, double y, double w, double h, int out_w, int out_h,
                 enum resample filter, image *dst, err *e)
{
    span s = {src->p, (size_t)src->w * (size_t)src->c, src->w, src->h, src->c};

    return resample(&s, x, y, w, h, out_w, out_h, filter, dst, e);
}

int image_crop_resize(const image *src, int x, int y, int w, int h, int out_w, int out_h,
                      enum resample filter, image *dst, err *e)
{
    if (x < 0 || y < 0 || w < 1 || h < 1 || x > src->w - w || y > src->h - h)
        return err_set(e, ERR_INPUT, "the box %d,%d %d x %d is not inside the image of %d x %d", x, y, w, h, src->w, src->h);

    size_t stride = (size_t)src->w * (size_t)src->c;
    span s = {src->p + (size_t)y * stride + (size_t)x * (size_t)src->c, stride, w, h, src->c};
    return resample(&s, 0, 0, w, h, out_w, out_h, filter, dst, e);
}

void image_short_side(int w, int h, int n, int *out_w, int *out_h)
{
    int small = w < h ? w : h, large = w < h ? h : w;
    double scaled = (double)n * large / small;
    int other = scaled > RESIZE_MAX_BYTES ? RESIZE_MAX_BYTES : (int)scaled; /* which image_resize() refuses */

    *out_w = w <= h ? n : other;
    *out_h = w <= h ? other : n;
}
