#include "base/portable.h"
#include "image/augment/border.h"
#include "image/augment/draw.h"
#include "image/wide.h"

#include <math.h>

/*
 * torchvision's GaussianBlur: a square kernel of odd size, reflected borders.
 * Separable: both passes in fixed point, 16-bit weights, 8 fractional bits in
 * between; within one grey level of torchvision's float convolution.
 */

enum { KERNEL, SIGMA };
enum { MAX_RADIUS = 127, ONE = 1 << 16 };

static const param params[] = {
    [KERNEL] = {"kernel", PARAM_INT, "23", "size in pixels, odd", 1, 2 * MAX_RADIUS + 1, 0, NULL},
    [SIGMA] = {"sigma", PARAM_RANGE, "0.1-2", "standard deviation in pixels", 1e-3, 1e3, 0, NULL},
    {0},
};

static int check(argument *a, err *e)
{
    if ((int)a[KERNEL].lo % 2 == 0)
        return err_set(e, ERR_USAGE, "kernel %d is not odd", (int)a[KERNEL].lo);
    return 0;
}

/* w[0] is the centre, w[k] stands on both sides; w[0] + 2 (w[1] + ...) = ONE. Returns the radius beyond which all are 0. */
static int weights(uint32_t *w, int radius, double sigma)
{
    double v[MAX_RADIUS + 1], sum = 1;
    int32_t rest = ONE;

    v[0] = 1;
    for (int k = 1; k <= radius; k++) {
        double z = k / sigma;
        v[k] = portable_exp(-0.5 * z * z);
        sum += 2 * v[k];
    }
    for (int k = radius; k > 0; k--) {
        w[k] = (uint32_t)rint(v[k] / sum * ONE);
        rest -= 2 * (int32_t)w[k];
    }
    w[0] = (uint32_t)rest;
    while (radius > 0 && w[radius] == 0)
        radius--;
    return radius;
}

/*
 * Between the passes a row is a run of blocks of 32 values of 16 bits, two in a
 * word: words 0..7 of a block hold bytes 0 and 1 of each word of the image, 8..15
 * bytes 2 and 3. The last block may begin before the end of the one before it.
 */
enum { BLOCK_WORDS = 16 };

static size_t block_start(size_t block, size_t n)
{
    size_t at = block * WIDE_BYTES;

    return at + WIDE_BYTES <= n || n < WIDE_BYTES ? at : n - WIDE_BYTES;
}

/* Sums over k of w[|k|] src[i + k step], k = -radius..radius, rounded to 8 fractional bits; n bytes, readable to the next 32. */
WIDE static void across(uint32_t *dst, const uint8_t *src, size_t n, size_t step, const uint32_t *w, int radius)
{
    for (size_t block = 0; block * WIDE_BYTES < n; block++, dst += BLOCK_WORDS) {
        const uint8_t *s = src + block_start(block, n);
        i32x8 sum[4], left[4], right[4];
        wide_load(left, s);
        for (int i = 0; i < 4; i++)
            sum[i] = left[i] * (int32_t)w[0] + 128;
        for (size_t k = 1; k <= (size_t)radius; k++) {
            wide_load(left, s - k * step);
            wide_load(right, s + k * step);
            for (int i = 0; i < 4; i++)
                sum[i] += (left[i] + right[i]) * (int32_t)w[k];
        }
        u32x8 low = (u32x8)(sum[0] >> 8 | sum[1] >> 8 << 16), high = (u32x8)(sum[2] >> 8 | sum[3] >> 8 << 16);
        memcpy(dst, &low, sizeof low);
        memcpy(dst + 8, &high, sizeof high);
    }
}

INLINE void load_words(u32x8 v[4], const uint32_t *p)
{
    u32x8 low, high;

    memcpy(&low, p, sizeof low);
    memcpy(&high, p + 8, sizeof high);
    v[0] = low & 0xffff;
    v[1] = low >> 16;
    v[2] = high & 0xffff;
    v[3] = high >> 16;
}

/* The same along columns of rows `step` words apart, rounded to bytes. */
WIDE static void down(uint8_t *dst, const uint32_t *src, size_t n, size_t step, const uint32_t *w, int radius)
{
    uint8_t part[WIDE_BYTES];

    for (size_t block = 0; block * WIDE_BYTES < n; block++, src += BLOCK_WORDS) {
        u32x8 sum[4], above[4], below[4];
        i32x8 out[4];
        load_words(above, src);
        for (int i = 0; i < 4; i++)
            sum[i] = above[i] * w[0] + (1u << 23);
        for (size_t k = 1; k <= (size_t)radius; k++) {
            load_words(above, src - k * step);
            load_words(below, src + k * step);
            for (int i = 0; i < 4; i++)
                sum[i] += (above[i] + below[i]) * w[k];
        }
        for (int i = 0; i < 4; i++)
            out[i] = (i32x8)(sum[i] >> 24);
        if (n >= WIDE_BYTES) {
            wide_store(dst + block_start(block, n), out);
        } else {
            wide_store(part, out);
            memcpy(dst, part, n);
        }
    }
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    uint32_t w[MAX_RADIUS + 1];
    int radius = weights(w, ((int)a[KERNEL].lo - 1) / 2, draw_range(r, &a[SIGMA]));
    size_t c = (size_t)src->c, n = (size_t)src->w * c, margin = (size_t)radius * c;
    size_t words = (n + WIDE_BYTES - 1) / WIDE_BYTES * BLOCK_WORDS, bytes = words * sizeof(uint32_t);
    size_t rows = (size_t)src->h + 2 * (size_t)radius;

    if (image_shape(dst, src->h, src->w, src->c, e) || buf_reserve(scratch, rows * bytes + 2 * margin + n + WIDE_BYTES, e))
        return -1;
    void *space = scratch->p;
    uint32_t *first = (uint32_t *)space + (size_t)radius * words;
    uint8_t *line = scratch->p + rows * bytes + margin; /* a row with its reflected ends */
    memset(line, 0, n + margin + WIDE_BYTES);

    for (int y = 0; y < src->h; y++) {
        memcpy(line, src->p + (size_t)y * n, n);
        for (int x = 1; x <= radius; x++) {
            int beyond = src->w - 1 + x;
            memcpy(line - (size_t)x * c, line + (size_t)border_at(BORDER_REFLECT, -x, src->w) * c, c);
            memcpy(line + (size_t)beyond * c, line + (size_t)border_at(BORDER_REFLECT, beyond, src->w) * c, c);
        }
        across(first + (size_t)y * words, line, n, c, w, radius);
    }
    for (int y = 1; y <= radius; y++) {
        int beyond = src->h - 1 + y;
        memcpy(first - (size_t)y * words, first + (size_t)border_at(BORDER_REFLECT, -y, src->h) * words, bytes);
        memcpy(first + (size_t)beyond * words, first + (size_t)border_at(BORDER_REFLECT, beyond, src->h) * words, bytes);
    }
    for (int y = 0; y < src->h; y++)
        down(dst->p + (size_t)y * n, first + (size_t)y * words, n, words, w, radius);
    return 0;
}

const operation operation_blur = {"blur", "Gaussian, reflected at the borders", "1", params, check, NULL, apply};
