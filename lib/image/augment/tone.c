#include "image/augment/operation.h"
#include "image/wide.h"

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
    size_t n = image_bytes(im), step = (size_t)im->c;
    uint32_t even[256] = {0}, odd[256] = {0}; /* two, so that equal neighbours do not wait for each other */
    const uint8_t *p = im->p + channel;

    for (size_t i = 0; i < n; i += 2 * step) {
        even[p[i]]++;
        if (i + step < n)
            odd[p[i + step]]++;
    }
    for (int v = 0; v < 256; v++)
        count[v] = (uint64_t)even[v] + odd[v];
}

static int map(const image *src, const table t[3], image *dst, err *e)
{
    size_t n = image_bytes(src);

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    const uint8_t *in = src->p;
    uint8_t *out = dst->p;
    if (src->c == 1)
        for (size_t i = 0; i < n; i++)
            out[i] = t[0][in[i]];
    else
        for (size_t i = 0; i < n; i += 3) {
            out[i] = t[0][in[i]];
            out[i + 1] = t[1][in[i + 1]];
            out[i + 2] = t[2][in[i + 2]];
        }
    return 0;
}

/* dst = (src xor turn) and keep */
WIDE static void bits(uint8_t *dst, const uint8_t *src, size_t n, uint8_t turn, uint8_t keep)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (src[i] ^ turn) & keep;
}

/* ---- invert, posterize ------------------------------------------------------ */

static int invert(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    (void)a, (void)r, (void)scratch;

    if (image_shape(dst, src->h, src->w, src->c, e))
        return -1;
    bits(dst->p, src->p, image_bytes(src), 0xff, 0xff);
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
    bits(dst->p, src->p, image_bytes(src), 0, mask);
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
