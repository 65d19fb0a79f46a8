#include "image/augment/operation.h"

#include <string.h>

/*
 * Operations that map each value by a table, one a channel: Pillow's
 * ImageOps.invert, posterize, autocontrast and equalize.
 */

typedef uint8_t table[256];

static const param none[] = {{0}};

static void identity(table t)
{
    for (int v = 0; v < 256; v++)
        t[v] = (uint8_t)v;
}

static void histogram(const image *im, int channel, uint64_t count[256])
{
    size_t n = image_bytes(im);

    memset(count, 0, 256 * sizeof *count);
    for (size_t i = (size_t)channel; i < n; i += (size_t)im->c)
        count[im->p[i]]++;
}

static int map(const image *src, const table t[3], image *dst, err *e)
{
    size_t n = image_bytes(src), c = (size_t)src->c;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    for (size_t i = 0; i < n; i += c)
        for (size_t k = 0; k < c; k++)
            dst->p[i + k] = t[k][src->p[i + k]];
    return 0;
}

/* ---- invert, posterize ------------------------------------------------------ */

static int invert(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    (void)a, (void)r, (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    for (size_t i = 0; i < image_bytes(src); i++)
        dst->p[i] = (uint8_t)~src->p[i];
    return 0;
}

static const param posterize_params[] = {
    {"bits", PARAM_INT, NULL, "that are kept of each value", 1, 8, 0, NULL},
    {0},
};

static int posterize(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    uint8_t mask = (uint8_t)(0xff << (8 - (int)a[0].lo));
    (void)r, (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    for (size_t i = 0; i < image_bytes(src); i++)
        dst->p[i] = src->p[i] & mask;
    return 0;
}

/* ---- autocontrast, equalize --------------------------------------------------- */

/* The darkest value becomes 0, the lightest 255. */
static void stretch(const uint64_t count[256], table t)
{
    int lo = 0, hi = 255;

    while (lo < 255 && !count[lo])
        lo++;
    while (hi > 0 && !count[hi])
        hi--;
    identity(t);
    if (hi <= lo)
        return;
    double scale = 255.0 / (hi - lo), offset = -lo * scale;
    for (int v = 0; v < 256; v++) {
        double x = v * scale + offset;
        t[v] = (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
    }
}

/* As even a histogram as a mapping of values can make. */
static void level(const uint64_t count[256], table t)
{
    uint64_t sum = 0, last = 0;

    for (int v = 0; v < 256; v++) {
        sum += count[v];
        last = count[v] ? count[v] : last;
    }
    uint64_t step = (sum - last) / 255, n = step / 2;
    identity(t);
    for (int v = 0; step && v < 256; v++) {
        t[v] = (uint8_t)(n / step < 255 ? n / step : 255);
        n += count[v];
    }
}

static int by_histogram(const image *src, void (*make)(const uint64_t count[256], table t), image *dst, err *e)
{
    uint64_t count[256];
    table t[3];

    for (int k = 0; k < src->c; k++) {
        histogram(src, k, count);
        make(count, t[k]);
    }
    return map(src, t, dst, e);
}

static int autocontrast(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    (void)a, (void)r, (void)scratch;
    return by_histogram(src, stretch, dst, e);
}

static int equalize(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    (void)a, (void)r, (void)scratch;
    return by_histogram(src, level, dst, e);
}

const operation operation_invert = {"invert", "every value is inverted", "0.5", none, NULL, NULL, invert};
const operation operation_posterize = {"posterize", "the low bits are dropped", "0.5", posterize_params, NULL, NULL, posterize};
const operation operation_autocontrast = {"autocontrast", "each channel is stretched to 0..255", "0.5", none, NULL, NULL, autocontrast};
const operation operation_equalize = {"equalize", "the histogram of each channel is made even", "0.5", none, NULL, NULL, equalize};
