#include "image/augment/colour.h"

#include "image/wide.h"

#include <stdbool.h>
#include <string.h>

/* ---- Blocks of RGB ------------------------------------------------------------ */

enum { PIXELS = WIDE_BYTES, BYTES = 3 * PIXELS };

/*
 * 32 pixels as four sets of eight: pixel 4 j + i is lane j of set i, in an
 * order of lanes that only split() and join() know.
 */
typedef struct pixels {
    i32x8 r[4], g[4], b[4];
} pixels;

#define LANES(a, b, c, d, e, f, g, h) ((i32x8){-(a), -(b), -(c), -(d), -(e), -(f), -(g), -(h)})

/*
 * Four pixels are three words: r0 g0 b0 r1, g1 b1 r2 g2, b2 r3 g3 b3. Of the 24
 * words of a block, in vectors v0, v1, v2, the first ones of each group stand
 * in different lanes, so selecting by lane collects them in one vector; so do
 * the second and the third ones, turned by one and by two lanes.
 */
INLINE void split(pixels *x, const uint8_t *p)
{
    const i32x8 m0 = LANES(1, 0, 0, 1, 0, 0, 1, 0), m1 = LANES(0, 1, 0, 0, 1, 0, 0, 1), m2 = LANES(0, 0, 1, 0, 0, 1, 0, 0);
    i32x8 v0, v1, v2;

    memcpy(&v0, p, 32);
    memcpy(&v1, p + 32, 32);
    memcpy(&v2, p + 64, 32);
    i32x8 a = (v0 & m0) | (v1 & m1) | (v2 & m2), b = (v0 & m1) | (v1 & m2) | (v2 & m0), c = (v0 & m2) | (v1 & m0) | (v2 & m1);
    b = WIDE_SHUFFLE(b, b, 1, 2, 3, 4, 5, 6, 7, 0);
    c = WIDE_SHUFFLE(c, c, 2, 3, 4, 5, 6, 7, 0, 1);
    u32x8 A = (u32x8)a, B = (u32x8)b, C = (u32x8)c;
    x->r[0] = (i32x8)(A & 255);
    x->g[0] = (i32x8)(A >> 8 & 255);
    x->b[0] = (i32x8)(A >> 16 & 255);
    x->r[1] = (i32x8)(A >> 24);
    x->g[1] = (i32x8)(B & 255);
    x->b[1] = (i32x8)(B >> 8 & 255);
    x->r[2] = (i32x8)(B >> 16 & 255);
    x->g[2] = (i32x8)(B >> 24);
    x->b[2] = (i32x8)(C & 255);
    x->r[3] = (i32x8)(C >> 8 & 255);
    x->g[3] = (i32x8)(C >> 16 & 255);
    x->b[3] = (i32x8)(C >> 24);
}

INLINE void join(uint8_t *p, const pixels *x)
{
    const i32x8 m0 = LANES(1, 0, 0, 1, 0, 0, 1, 0), m1 = LANES(0, 1, 0, 0, 1, 0, 0, 1), m2 = LANES(0, 0, 1, 0, 0, 1, 0, 0);
    i32x8 a = x->r[0] | x->g[0] << 8 | x->b[0] << 16 | x->r[1] << 24;
    i32x8 b = x->g[1] | x->b[1] << 8 | x->r[2] << 16 | x->g[2] << 24;
    i32x8 c = x->b[2] | x->r[3] << 8 | x->g[3] << 16 | x->b[3] << 24;

    b = WIDE_SHUFFLE(b, b, 7, 0, 1, 2, 3, 4, 5, 6);
    c = WIDE_SHUFFLE(c, c, 6, 7, 0, 1, 2, 3, 4, 5);
    i32x8 v0 = (a & m0) | (b & m1) | (c & m2), v1 = (a & m1) | (b & m2) | (c & m0), v2 = (a & m2) | (b & m0) | (c & m1);
    memcpy(p, &v0, 32);
    memcpy(p + 32, &v1, 32);
    memcpy(p + 64, &v2, 32);
}

/* Apply `statement` to n pixels, a block x at a time; the last, short one is padded. */
#define EACH_BLOCK(dst, src, n, statement)                                \
    do {                                                                  \
        uint8_t part[BYTES] = {0};                                        \
        pixels x;                                                         \
        for (; n >= PIXELS; n -= PIXELS, src += BYTES, dst += BYTES) {    \
            split(&x, src);                                               \
            statement;                                                    \
            join(dst, &x);                                                \
        }                                                                 \
        if (n) {                                                          \
            memcpy(part, src, 3 * n);                                     \
            split(&x, part);                                              \
            statement;                                                    \
            join(part, &x);                                               \
            memcpy(dst, part, 3 * n);                                     \
        }                                                                 \
    } while (0)

/* ---- Arithmetic ----------------------------------------------------------------- */

/* ITU-R BT.601's luma as Pillow rounds it. */
INLINE void luma(i32x8 *l, const i32x8 *r, const i32x8 *g, const i32x8 *b)
{
    *l = (*r * 19595 + *g * 38470 + *b * 7471 + 32768) >> 16;
}

/* Pillow's Image.blend(): from a (factor 0) to v (factor 1) and beyond, truncated and clipped. */
INLINE void blend(i32x8 *v, const i32x8 *a, float factor)
{
    f32x8 f = WIDE_FLOAT(*a) + factor * WIDE_FLOAT(*v - *a);
    i32x8 below = f < 0.0f, above = f > 255.0f;

    *v = WIDE_INT((f32x8)((i32x8)f & ~below & ~above)) | (above & 255);
}

INLINE void gray_block(pixels *x)
{
    for (int i = 0; i < 4; i++) {
        luma(&x->r[i], &x->r[i], &x->g[i], &x->b[i]);
        x->g[i] = x->b[i] = x->r[i];
    }
}

INLINE void saturate_block(pixels *x, float factor)
{
    for (int i = 0; i < 4; i++) {
        i32x8 l;
        luma(&l, &x->r[i], &x->g[i], &x->b[i]);
        blend(&x->r[i], &l, factor);
        blend(&x->g[i], &l, factor);
        blend(&x->b[i], &l, factor);
    }
}

/*
 * To HSV, h += turn modulo 256, and back (A. R. Smith, "Color gamut transform
 * pairs", SIGGRAPH 1978), in 8 bits. The formulas are rearranged so that only
 * single float operations and exact integers occur, and still give Pillow's
 * bytes for every colour (a test goes through them all).
 */
INLINE void turn_hue(i32x8 *R, i32x8 *G, i32x8 *B, int turn)
{
    i32x8 r = *R, g = *G, b = *B, rg = r > g;
    i32x8 most = WIDE_SELECT(rg, r, g), least = WIDE_SELECT(rg, g, r), over = b > most, under = b < least;
    most = WIDE_SELECT(over, b, most);
    least = WIDE_SELECT(under, b, least);
    i32x8 chroma = most - least, middle = r + g + b - most - least, colour = chroma > 0;

    /* h = base + ratio or base - ratio, in sixths of a turn; base is 1, -1, 1, 3, 3, 5 */
    i32x8 red = r == most, green = ~red & (g == most), blue = ~red & ~green, b_least = b == least;
    i32x8 down = (red & b_least) | (green & ~b_least) | (blue & (r != least));
    i32x8 base = 1 + (2 & ((green & ~b_least) | blue)) + (2 & blue & down) - (2 & red & ~b_least);
    f32x8 ratio = WIDE_FLOAT(most - middle) / WIDE_FLOAT(chroma + (1 & ~colour));
    f32x8 h = (WIDE_FLOAT(base) + (f32x8)((i32x8)ratio ^ (down & INT32_MIN))) / 6.0f;
    h += (f32x8)((i32x8)(h < 0.0f) & (i32x8)((f32x8){0} + 1.0f));
    i32x8 hue = WIDE_INT(h * 255.0f) & colour;
    i32x8 s = WIDE_INT(WIDE_FLOAT(chroma) / WIDE_FLOAT(most + (1 & (most == 0))) * 255.0f);

    hue = 6 * ((hue + turn) & 255);
    i32x8 sextant = (hue * 257 + 257) >> 16, rest = hue - 255 * sextant; /* hue / 255, hue % 255 */
    i32x8 low = most * (255 - s) + 128;
    low = (low + (low >> 8)) >> 8; /* / 255, rounded */
    i32x8 odd = -(sextant & 1), fall = WIDE_SELECT(odd, rest, 255 - rest);
    i32x8 between = WIDE_INT(WIDE_FLOAT(most * (65025 - s * fall) + 32512) / 65025.0f); /* exact: below 2^24 */

    i32x8 in0 = (sextant == 0) | (sextant == 6), in1 = sextant == 1, in2 = sextant == 2, in3 = sextant == 3, in4 = sextant == 4;
    i32x8 in5 = sextant == 5;
    *R = ((in0 | in5) & most) | ((in2 | in3) & low) | ((in1 | in4) & between);
    *G = ((in1 | in2) & most) | ((in4 | in5) & low) | ((in0 | in3) & between);
    *B = ((in3 | in4) & most) | ((in0 | in1) & low) | ((in2 | in5) & between);
}

INLINE void turn_block(pixels *x, int turn)
{
    for (int i = 0; i < 4; i++)
        turn_hue(&x->r[i], &x->g[i], &x->b[i], turn);
}

/* ---- Loops ------------------------------------------------------------------------ */

WIDE static void gray_rgb(uint8_t *dst, const uint8_t *src, size_t n)
{
    EACH_BLOCK(dst, src, n, gray_block(&x));
}

WIDE static void saturate_rgb(uint8_t *dst, const uint8_t *src, size_t n, float factor)
{
    EACH_BLOCK(dst, src, n, saturate_block(&x, factor));
}

WIDE static void turn_rgb(uint8_t *dst, const uint8_t *src, size_t n, int turn)
{
    EACH_BLOCK(dst, src, n, turn_block(&x, turn));
}

WIDE static uint64_t sum_luma(const uint8_t *src, size_t n)
{
    uint64_t total = 0;

    for (; n >= PIXELS; n -= PIXELS, src += BYTES) {
        pixels x;
        i32x8 sum = {0}, l;
        split(&x, src);
        for (int i = 0; i < 4; i++) {
            luma(&l, &x.r[i], &x.g[i], &x.b[i]);
            sum += l;
        }
        for (int i = 0; i < 8; i++)
            total += (uint64_t)sum[i];
    }
    for (; n; n--, src += 3)
        total += (19595u * src[0] + 38470u * src[1] + 7471u * src[2] + 32768u) >> 16;
    return total;
}

static uint64_t sum_bytes(const uint8_t *src, size_t n)
{
    uint64_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += src[i];
    return total;
}

WIDE static void blend_with(uint8_t *dst, const uint8_t *src, size_t n, int level, float factor)
{
    uint8_t part[WIDE_BYTES] = {0};
    const i32x8 a = (i32x8){0} + level;
    i32x8 v[4];

    for (; n >= WIDE_BYTES; n -= WIDE_BYTES, src += WIDE_BYTES, dst += WIDE_BYTES) {
        wide_load(v, src);
        for (int i = 0; i < 4; i++)
            blend(&v[i], &a, factor);
        wide_store(dst, v);
    }
    memcpy(part, src, n);
    wide_load(v, part);
    for (int i = 0; i < 4; i++)
        blend(&v[i], &a, factor);
    wide_store(part, v);
    memcpy(dst, part, n);
}

WIDE static void blend_images(uint8_t *dst, const uint8_t *a, const uint8_t *b, size_t n, float factor)
{
    uint8_t part[2][WIDE_BYTES] = {{0}};
    i32x8 from[4], v[4];

    for (; n; n -= n < WIDE_BYTES ? n : WIDE_BYTES, a += WIDE_BYTES, b += WIDE_BYTES, dst += WIDE_BYTES) {
        bool whole = n >= WIDE_BYTES;
        if (!whole) {
            memcpy(part[0], a, n);
            memcpy(part[1], b, n);
        }
        wide_load(from, whole ? a : part[0]);
        wide_load(v, whole ? b : part[1]);
        for (int i = 0; i < 4; i++)
            blend(&v[i], &from[i], factor);
        wide_store(whole ? dst : part[0], v);
        if (!whole)
            memcpy(dst, part[0], n);
    }
}

static void copy(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (dst != src)
        memcpy(dst, src, n);
}

void colour_blend(uint8_t *dst, const uint8_t *a, const uint8_t *b, size_t n, float factor)
{
    blend_images(dst, a, b, n, factor);
}

void colour_brightness(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor)
{
    blend_with(dst, src, n * (size_t)c, 0, factor);
}

void colour_contrast(uint8_t *dst, const uint8_t *src, size_t n, int c, float factor)
{
    uint64_t sum = c == 3 ? sum_luma(src, n) : sum_bytes(src, n);

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
        turn_rgb(dst, src, n, (int)(factor * 255) & 255); /* truncated, as torchvision's cast to uint8 */
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
