#include "base/portable.h"
#include "image/augment/border.h"
#include "image/augment/draw.h"
#include "image/wide.h"

#include <math.h>
#include <string.h>

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

/* dst[i] = sum over k of w[|k|] src[i + k step], k = -radius..radius. */
WIDE static void across(uint16_t *dst, const uint8_t *src, size_t n, ptrdiff_t step, const uint32_t *w, int radius)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t sum = w[0] * src[i] + 128;
        for (ptrdiff_t k = 1; k <= radius; k++)
            sum += w[k] * (uint32_t)(src[(ptrdiff_t)i - k * step] + src[(ptrdiff_t)i + k * step]);
        dst[i] = (uint16_t)(sum >> 8);
    }
}

WIDE static void down(uint8_t *dst, const uint16_t *src, size_t n, ptrdiff_t step, const uint32_t *w, int radius)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t sum = w[0] * src[i] + (1u << 23);
        for (ptrdiff_t k = 1; k <= radius; k++)
            sum += w[k] * ((uint32_t)src[(ptrdiff_t)i - k * step] + src[(ptrdiff_t)i + k * step]);
        dst[i] = (uint8_t)(sum >> 24);
    }
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    uint32_t w[MAX_RADIUS + 1];
    int radius = weights(w, ((int)a[KERNEL].lo - 1) / 2, draw_range(r, &a[SIGMA]));
    size_t c = (size_t)src->c, row = (size_t)src->w * c, margin = (size_t)radius * c;
    size_t rows = (size_t)src->h + 2 * (size_t)radius;

    if (image_shape(dst, src->h, src->w, src->c, e) ||
        buf_reserve(scratch, rows * row * sizeof(uint16_t) + row + 2 * margin, e))
        return -1;
    uint16_t *middle = (uint16_t *)scratch->p, *first = middle + (size_t)radius * row;
    uint8_t *line = (uint8_t *)(middle + rows * row) + margin; /* one row with its reflected ends */

    for (int y = 0; y < src->h; y++) {
        memcpy(line, src->p + (size_t)y * row, row);
        for (int x = 1; x <= radius; x++) {
            memcpy(line - (size_t)x * c, line + (size_t)border_at(BORDER_REFLECT, -x, src->w) * c, c);
            int beyond = src->w - 1 + x;
            memcpy(line + (size_t)beyond * c, line + (size_t)border_at(BORDER_REFLECT, beyond, src->w) * c, c);
        }
        across(first + (size_t)y * row, line, row, (ptrdiff_t)c, w, radius);
    }
    for (int y = 1; y <= radius; y++) {
        int beyond = src->h - 1 + y;
        memcpy(first - (size_t)y * row, first + (size_t)border_at(BORDER_REFLECT, -y, src->h) * row, 2 * row);
        memcpy(first + (size_t)beyond * row, first + (size_t)border_at(BORDER_REFLECT, beyond, src->h) * row, 2 * row);
    }
    for (int y = 0; y < src->h; y++)
        down(dst->p + (size_t)y * row, first + (size_t)y * row, row, (ptrdiff_t)row, w, radius);
    return 0;
}

const operation operation_blur = {"blur", "Gaussian, reflected at the borders", "1", params, check, NULL, apply};
