#include "image/augment/colour.h"

#include "image/wide.h"

#include <string.h>

/*
 * The loops run over blocks of pixels, split into planes, so that a compiler
 * can turn each into vector code. The last, short block is padded.
 */
enum { BLOCK = 64 };

typedef struct planes {
    uint8_t r[BLOCK], g[BLOCK], b[BLOCK];
} planes;

INLINE void split(planes *x, const uint8_t *p)
{
    for (int i = 0; i < BLOCK; i++) {
        x->r[i] = p[3 * i];
        x->g[i] = p[3 * i + 1];
        x->b[i] = p[3 * i + 2];
    }
}

INLINE void join(uint8_t *p, const planes *x)
{
    for (int i = 0; i < BLOCK; i++) {
        p[3 * i] = x->r[i];
        p[3 * i + 1] = x->g[i];
        p[3 * i + 2] = x->b[i];
    }
}

/* Pillow's rounding of ITU-R BT.601's luma. */
INLINE void luma(uint8_t *l, const planes *x)
{
    for (int i = 0; i < BLOCK; i++)
        l[i] = (uint8_t)((19595u * x->r[i] + 38470u * x->g[i] + 7471u * x->b[i] + 32768u) >> 16);
}

/* Pillow's Image.blend(): from a (factor 0) to b (factor 1) and beyond, truncated. */
INLINE uint8_t blend(int a, int b, float factor)
{
    float v = (float)a + factor * (float)(b - a);

    v = v < 0.0f ? 0.0f : v;
    v = v > 255.0f ? 255.0f : v;
    return (uint8_t)(int)v;
}

WIDE static void blend_with(uint8_t *dst, const uint8_t *src, size_t n, int level, float factor)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = blend(level, src[i], factor);
}

/* Apply `statement` to each block of RGB pixels as planes x. */
#define EACH_BLOCK(dst, src, n, statement)                                   \
    do {                                                                     \
        uint8_t part_[3 * BLOCK] = {0};                                      \
        planes x;                                                            \
        for (; n >= BLOCK; n -= BLOCK, src += 3 * BLOCK, dst += 3 * BLOCK) { \
            split(&x, src);                                                  \
            statement;                                                       \
            join(dst, &x);                                                   \
        }                                                                    \
        if (n) {                                                             \
            memcpy(part_, src, 3 * n);                                       \
            split(&x, part_);                                                \
            statement;                                                       \
            join(part_, &x);                                                 \
            memcpy(dst, part_, 3 * n);                                       \
        }                                                                    \
    } while (0)

INLINE void gray(planes *x)
{
    luma(x->r, x);
    memcpy(x->g, x->r, BLOCK);
    memcpy(x->b, x->r, BLOCK);
}

INLINE void saturate(planes *x, float factor)
{
    uint8_t l[BLOCK];

    luma(l, x);
    for (int i = 0; i < BLOCK; i++) {
        x->r[i] = blend(l[i], x->r[i], factor);
        x->g[i] = blend(l[i], x->g[i], factor);
        x->b[i] = blend(l[i], x->b[i], factor);
    }
}

/*
 * To HSV, h += turn modulo 256, and back (A. R. Smith, "Color gamut transform
 * pairs", SIGGRAPH 1978, in 8 bits as Pillow rounds it). The formulas are
 * rearranged; that they give Pillow's bytes was checked for every colour.
 */
INLINE void shift_hue(planes *x, int turn)
{
    for (int i = 0; i < BLOCK; i++) {
        int r = x->r[i], g = x->g[i], b = x->b[i];
        int most = r > g ? r : g, least = r > g ? g : r;
        most = most > b ? most : b;
        least = least < b ? least : b;
        int chroma = most - least, middle = r + g + b - most - least;

        /* h = base +- (most - middle) / chroma, in sixths of a turn */
        float ratio = (float)(most - middle) / (float)(chroma ? chroma : 1);
        int red = r == most, green = !red & (g == most), blue = !red & !green;
        int down = red ? b == least : green ? r == least : g == least;
        int base = red ? 1 - 2 * (g == least && !down) : 1 + 2 * (green & down) + blue * (2 + 2 * down);
        float sixths = (float)base + (down ? -ratio : ratio);
        float h = sixths / 6.0f;
        h = h < 0.0f ? 1.0f + h : h;
        int hue = chroma ? (int)(h * 255.0f) : 0;
        int s = most ? (int)((float)chroma / (float)most * 255.0f) : 0;

        hue = 6 * ((hue + turn) & 255);
        int sextant = (hue * 257 + 257) >> 16, rest = hue - 255 * sextant; /* hue / 255, hue % 255 */
        sextant = sextant == 6 ? 0 : sextant;
        int low = most * (255 - s) + 128;
        low = (low + (low >> 8)) >> 8; /* / 255, rounded */
        int fall = sextant & 1 ? rest : 255 - rest;
        int mid = (int)((float)(most * (65025 - s * fall) + 32512) / 65025.0f);

        x->r[i] = (uint8_t)(sextant == 0 || sextant == 5 ? most : sextant == 2 || sextant == 3 ? low : mid);
        x->g[i] = (uint8_t)(sextant == 1 || sextant == 2 ? most : sextant == 4 || sextant == 5 ? low : mid);
        x->b[i] = (uint8_t)(sextant == 3 || sextant == 4 ? most : sextant == 0 || sextant == 1 ? low : mid);
    }
}

WIDE static void gray_rgb(uint8_t *dst, const uint8_t *src, size_t n)
{
    EACH_BLOCK(dst, src, n, gray(&x));
}

WIDE static void saturate_rgb(uint8_t *dst, const uint8_t *src, size_t n, float factor)
{
    EACH_BLOCK(dst, src, n, saturate(&x, factor));
}

WIDE static void hue_rgb(uint8_t *dst, const uint8_t *src, size_t n, int turn)
{
    EACH_BLOCK(dst, src, n, shift_hue(&x, turn));
}

WIDE static uint64_t sum_rgb(const uint8_t *src, size_t n)
{
    uint64_t sum = 0;

    for (; n >= BLOCK; n -= BLOCK, src += 3 * BLOCK) {
        planes x;
        uint8_t l[BLOCK];
        uint32_t part = 0;
        split(&x, src);
        luma(l, &x);
        for (int i = 0; i < BLOCK; i++)
            part += l[i];
        sum += part;
    }
    for (; n; n--, src += 3)
        sum += (19595u * src[0] + 38470u * src[1] + 7471u * src[2] + 32768u) >> 16;
    return sum;
}

static uint64_t sum_gray(const uint8_t *src, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += src[i];
    return sum;
}

static void copy(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (dst != src)
        memcpy(dst, src, n);
}

void colour_brightness(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor)
{
    blend_with(dst, src, n * (size_t)c, 0, factor);
}

void colour_contrast(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor)
{
    uint64_t sum = c == 3 ? sum_rgb(src, n) : sum_gray(src, n);

    blend_with(dst, src, n * (size_t)c, (int)((2 * sum + n) / (2 * n)), factor);
}

void colour_saturation(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor)
{
    if (c == 3)
        saturate_rgb(dst, src, n, factor);
    else
        copy(dst, src, n);
}

void colour_hue(uint8_t *dst, const uint8_t *src, size_t n, int c, double factor)
{
    if (c == 3)
        hue_rgb(dst, src, n, (int)(factor * 255) & 255); /* truncated, as torchvision's cast to uint8 */
    else
        copy(dst, src, n);
}

void colour_gray(uint8_t *dst, const uint8_t *src, size_t n, int c)
{
    if (c == 3)
        gray_rgb(dst, src, n);
    else
        copy(dst, src, n);
}
