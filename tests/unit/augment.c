/* Augmentations: each against a plain reference, where it comes from, and how it is drawn. */
#include "base/rng.h"
#include "image/augment/border.h"
#include "image/augment/chain.h"
#include "image/augment/colour.h"
#include "image/augment/draw.h"
#include "image/augment/warp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Helpers ------------------------------------------------------------------ */

static image noise(int w, int h, int c, uint64_t seed)
{
    image im = {0};
    rng r = rng_at(seed);
    err e;

    cr_assert(image_shape(&im, h, w, c, &e) == 0);
    for (size_t i = 0; i < image_bytes(&im); i++)
        im.p[i] = (uint8_t)rng_u64(&r);
    return im;
}

static chain *parse(const char *text)
{
    char *copy = strdup(text), *operands[16], *save;
    int n = 0;
    err e;

    for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
        operands[n++] = s;
    chain *c = chain_new(operands, n, &e);
    cr_assert_not_null(c, "%s", c ? "" : e.msg);
    chain_set_key(c, 42);
    free(copy);
    return c;
}

/* The result, in memory of its own. */
static image result(const chain *c, int view, int64_t epoch, int64_t index, const image *src)
{
    work k = {0};
    const image *at;
    image out = {0};
    err e;

    cr_assert(chain_apply(c, view, epoch, index, src, &k, &at, &e) == 0, "%s", e.msg);
    cr_assert(image_copy(&out, at, &e) == 0);
    work_free(&k);
    return out;
}

static image applied(const char *text, const image *src)
{
    chain *c = parse(text);
    image out = result(c, 0, 0, 0, src);

    chain_free(c);
    return out;
}

static bool equal(const image *a, const image *b)
{
    return a->w == b->w && a->h == b->h && a->c == b->c && memcmp(a->p, b->p, image_bytes(a)) == 0;
}

static const char *failure(const char *operand)
{
    static err e;
    char *o = (char *)(uintptr_t)operand;

    cr_assert_null(chain_new(&o, 1, &e), "'%s' should not parse", operand);
    cr_assert_eq(e.kind, ERR_USAGE);
    return e.msg;
}

/* ---- Operands -------------------------------------------------------------------- */

Test(operands, are_explained_when_wrong)
{
    cr_assert_str_eq(failure("cropp:32"), "unknown operation 'cropp'; did you mean 'crop'?");
    cr_assert_str_eq(failure("zzz"), "unknown operation 'zzz'; --list names them");
    cr_assert_str_eq(failure("@simcrl"), "unknown preset '@simcrl'; did you mean '@simclr'?");
    cr_assert_str_eq(failure("crop"), "'crop': size is missing");
    cr_assert_str_eq(failure("crop:0"), "'crop:0': size: '0' is not between 1 and 65535");
    cr_assert_str_eq(failure("crop:4x0"), "'crop:4x0': size: '4x0' is not between 1 and 65535");
    cr_assert_str_eq(failure("crop:32,scale=1-0.5"), "'crop:32,scale=1-0.5': scale: the range '1-0.5' is upside down");
    cr_assert_str_eq(failure("crop:32,scale=0.5-1.5"), "'crop:32,scale=0.5-1.5': scale: '0.5-1.5' is not between 0 and 1");
    cr_assert_str_eq(failure("flip:p=1.5"), "'flip:p=1.5': p: '1.5' is not between 0 and 1");
    cr_assert_str_eq(failure("flip:p=0.5,p=1"), "'flip:p=0.5,p=1': p is given twice");
    cr_assert_str_eq(failure("jitter:0.4,colour=1"),
                     "'jitter:0.4,colour=1': unknown parameter 'colour'; it takes brightness, contrast, saturation, hue and p");
    cr_assert_str_eq(failure("jitter:hue=0.6"), "'jitter:hue=0.6': hue: '0.6' is not between -0.5 and 0.5");
    cr_assert_str_eq(failure("blur:4"), "'blur:4': kernel 4 is not odd");
    cr_assert_str_eq(failure("crop:32,pad=4,scale=0.5"), "'crop:32,pad=4,scale=0.5': scale and ratio do not go with pad, mode and fill");
    cr_assert_str_eq(failure("crop:32,mode=mirror"), "'crop:32,mode=mirror': mode: 'mirror' is not one of constant|edge|reflect|symmetric");
    cr_assert_str_eq(failure("rotate:nan"), "'rotate:nan': degrees: 'nan' is not a number or a range such as 0.5-1");
    cr_assert_str_eq(failure("erase:value=red"), "'erase:value=red': value: 'red' is not a whole number or 'random'");
}

Test(operands, resolve_to_a_form_that_reads_back)
{
    static const char *const pairs[][2] = {
        {"crop:32", "crop:size=32,pad=0,mode=constant,fill=0,p=1"},
        {"crop:48x32,pad=4,mode=reflect", "crop:size=48x32,pad=4,mode=reflect,p=1"},
        {"crop:32,ratio=1", "crop:size=32,scale=0.08-1,ratio=1-1,filter=bilinear,p=1"},
        {"crop:32,scale=0.2-1,p=0.3", "crop:size=32,scale=0.2-1,ratio=0.75-1.3333333333333333,filter=bilinear,p=0.3"},
        {"jitter:0.4,0.4,0.4,0.1,p=0.8", "jitter:brightness=0.6-1.4,contrast=0.6-1.4,saturation=0.6-1.4,hue=-0.1-0.1,p=0.8"},
        {"jitter:2,hue=-0.3--0.2", "jitter:brightness=0-3,contrast=1-1,saturation=1-1,hue=-0.3--0.2,p=1"},
        {"blur:sigma=1e-2-2", "blur:kernel=23,sigma=0.01-2,p=1"},
        {"solarize:p=0/0.2", "solarize:threshold=128,p=0/0.2"},
        {"erase:value=random", "erase:scale=0.02-0.33,ratio=0.3-3.3,value=random,p=0.5"},
        {"rotate:30,bilinear", "rotate:degrees=-30-30,filter=bilinear,fill=0,p=1"},
        {"flip", "flip:p=0.5"},
        {"jitter:0.8,0.8,0.7,0.2", "jitter:brightness=0.2-1.8,contrast=0.2-1.8,saturation=0.3-1.7,hue=-0.2-0.2,p=1"},
        {"affine:30,x=0.1,scale=0.8-1.2",
         "affine:degrees=-30-30,x=-0.1-0.1,y=0-0,scale=0.8-1.2,shearx=0-0,sheary=0-0,filter=nearest,fill=0,p=1"},
        {"perspective", "perspective:distortion=0.5-0.5,filter=bilinear,fill=0,p=0.5"},
        {"randaugment:n=3,m=5", "randaugment:n=3,m=5,filter=nearest,fill=0,p=1"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int again = 0; again < 2; again++) {
            chain *c = parse(pairs[i][again]);
            buf text = {0};
            err e;
            cr_assert(chain_text(c, 0, &text, &e) == 0 && buf_add(&text, "", 1, &e) == 0);
            cr_assert_str_eq((char *)text.p, pairs[i][1]);
            buf_free(&text);
            chain_free(c);
        }
}

Test(operands, presets_are_operands)
{
    chain *a = parse("@simclr-cifar:48"), *b = parse("crop:48,scale=0.08-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2");

    cr_assert_eq(chain_length(a), chain_length(b));
    for (int i = 0; i < chain_length(a); i++) {
        buf x = {0}, y = {0};
        err e;
        cr_assert(chain_text(a, i, &x, &e) == 0 && chain_text(b, i, &y, &e) == 0);
        cr_assert(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
        buf_free(&x);
        buf_free(&y);
    }
    chain_free(a);
    chain_free(b);
    a = parse("@byol");
    cr_assert_eq(chain_views(a), 2);
    chain_free(a);
}

Test(operands, tell_the_size_of_the_result)
{
    static const struct { const char *text; int w, h, to_w, to_h; } rows[] = {
        {"flip jitter:0.4", 28, 30, 28, 30}, {"crop:24", 28, 30, 24, 24}, {"crop:24x20,p=0.5", 28, 30, -1, -1},
        {"crop:24,p=0", 28, 30, 28, 30},     {"resize:14", 28, 42, 14, 21}, {"resize:14", -1, 42, -1, -1},
        {"resize:14x15", -1, -1, 14, 15},    {"centercrop:9,p=0/1 resize:8x8", 4, 4, 8, 8}, {"crop:30x28,p=0.5", 30, 28, 30, 28},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        chain *c = parse(rows[i].text);
        int w = rows[i].w, h = rows[i].h;
        chain_size(c, &w, &h);
        cr_assert(w == rows[i].to_w && h == rows[i].to_h, "%s: %d x %d", rows[i].text, w, h);
        chain_free(c);
    }
}

/* ---- Colour ------------------------------------------------------------------------ */

static uint8_t clip8(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* RGB to HSV, turned, and back, in Smith's formulas with Pillow's roundings, one step after the other. */
static void reference_hue(const uint8_t in[3], int turn, uint8_t out[3])
{
    float r = in[0], g = in[1], b = in[2], max = fmaxf(r, fmaxf(g, b)), min = fminf(r, fminf(g, b));
    int hue = 0, sat = 0, v = (int)max;

    if (max != min) {
        float c = max - min, rc = (max - r) / c, gc = (max - g) / c, bc = (max - b) / c, h;
        if (r == max)
            h = bc - gc;
        else if (g == max)
            h = (float)(2.0 + rc - bc);
        else
            h = (float)(4.0 + gc - rc);
        h = (float)fmod(h / 6.0 + 1.0, 1.0);
        hue = clip8((int)(h * 255.0));
        sat = clip8((int)(c / max * 255.0));
    }
    hue = (hue + turn) & 255;
    if (sat == 0) {
        out[0] = out[1] = out[2] = (uint8_t)v;
        return;
    }
    int i = (int)floor((float)hue * 6.0 / 255.0);
    float f = (float)((float)hue * 6.0 / 255.0 - (float)i), fs = (float)(sat / 255.0);
    uint8_t p = clip8((int)round(v * (1.0 - fs))), q = clip8((int)round(v * (1.0 - fs * f))), t = clip8((int)round(v * (1.0 - fs * (1.0 - f))));
    uint8_t table[6][3] = {{(uint8_t)v, t, p}, {q, (uint8_t)v, p}, {p, (uint8_t)v, t}, {p, q, (uint8_t)v}, {t, p, (uint8_t)v}, {(uint8_t)v, p, q}};
    memcpy(out, table[i % 6], 3);
}

Test(colour, hue_is_pillows_for_every_colour)
{
    uint8_t in[256 * 3], out[256 * 3], want[3];

    for (int r = 0; r < 256; r++)
        for (int g = 0; g < 256; g++) {
            double factor = ((r * 7 + g * 13) % 201 - 100) / 200.0; /* all kinds of turns */
            for (int b = 0; b < 256; b++) {
                in[3 * b] = (uint8_t)r;
                in[3 * b + 1] = (uint8_t)g;
                in[3 * b + 2] = (uint8_t)b;
            }
            colour_hue(out, in, 256, 3, factor);
            for (int b = 0; b < 256; b++) {
                reference_hue(in + 3 * b, (int)(factor * 255) & 255, want);
                if (memcmp(out + 3 * b, want, 3) != 0)
                    cr_assert_fail("%d %d %d turned by %g", r, g, b, factor);
            }
        }
}

static uint8_t reference_blend(int a, int b, float f)
{
    float v = (float)a + f * (float)(b - a);

    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
}

Test(colour, factors_blend_with_black_mean_or_grey)
{
    static const float factors[] = {0, 0.25f, 0.9f, 1, 1.4f, 3};

    for (int n = 1; n < 200; n += 33) /* below, at and above a block */
        for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
            float f = factors[i];
            image im = noise(n, 1, 3, (uint64_t)n);
            uint8_t out[600];
            double mean = 0;
            for (int k = 0; k < n; k++)
                mean += image_luma(im.p + 3 * k);
            int level = (int)(mean / n + 0.5);
            colour_brightness(out, im.p, (size_t)n, 3, f);
            for (int k = 0; k < 3 * n; k++)
                cr_assert_eq(out[k], reference_blend(0, im.p[k], f));
            colour_contrast(out, im.p, (size_t)n, 3, f);
            for (int k = 0; k < 3 * n; k++)
                cr_assert_eq(out[k], reference_blend(level, im.p[k], f));
            colour_saturation(out, im.p, (size_t)n, 3, f);
            for (int k = 0; k < 3 * n; k++)
                cr_assert_eq(out[k], reference_blend(image_luma(im.p + 3 * (k / 3)), im.p[k], f));
            colour_gray(out, im.p, (size_t)n, 3);
            for (int k = 0; k < 3 * n; k++)
                cr_assert_eq(out[k], image_luma(im.p + 3 * (k / 3)));
            image_free(&im);
        }
}

Test(colour, grey_images_have_no_hue_and_no_saturation)
{
    image im = noise(13, 7, 1, 3), out = applied("jitter:saturation=0.2-0.2,hue=0.3-0.3 gray:p=1", &im);

    cr_assert(equal(&im, &out));
    image_free(&im);
    image_free(&out);
}

/* ---- Geometry ------------------------------------------------------------------------ */

Test(geometry, borders)
{
    static const int want[4][11] = {
        {-1, -1, -1, -1, 0, 1, 2, -1, -1, -1, -1},
        {0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2},
        {0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2},
        {2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0},
    };

    for (enum border b = BORDER_CONSTANT; b <= BORDER_SYMMETRIC; b++)
        for (int i = 0; i < 11; i++)
            cr_assert_eq(border_at(b, i - 4, 3), want[b][i], "border %d, position %d: %d", b, i - 4, border_at(b, i - 4, 3));
    cr_assert_eq(border_at(BORDER_REFLECT, -7, 1), 0);
    cr_assert_eq(border_at(BORDER_SYMMETRIC, 9, 1), 0);
}

/* Whether out is the window of src at (x, y), with that border. */
static bool is_window(const image *out, const image *src, int x, int y, enum border b, int fill)
{
    for (int j = 0; j < out->h; j++)
        for (int i = 0; i < out->w; i++)
            for (int k = 0; k < src->c; k++) {
                int sx = border_at(b, x + i, src->w), sy = border_at(b, y + j, src->h);
                int v = sx < 0 || sy < 0 ? fill : src->p[(sy * src->w + sx) * src->c + k];
                if (out->p[(j * out->w + i) * out->c + k] != v)
                    return false;
            }
    return true;
}

Test(geometry, a_padded_crop_is_a_window_anywhere)
{
    static const char *const modes[] = {"constant,fill=9", "edge", "reflect", "symmetric"};
    bool seen[4][17][17] = {0};

    for (int m = 0; m < 4; m++) {
        char text[64];
        snprintf(text, sizeof text, "crop:7x5,pad=6,mode=%s", modes[m]);
        chain *c = parse(text);
        image im = noise(5, 3, 1 + 2 * (m & 1), 5);
        for (int index = 0; index < 3000; index++) {
            image out = result(c, 0, 0, index, &im);
            int found = 0;
            for (int y = -6; y <= 4; y++)
                for (int x = -6; x <= 4; x++)
                    if (is_window(&out, &im, x, y, (enum border)m, 9)) {
                        found++;
                        seen[m][y + 6][x + 6] = true;
                    }
            cr_assert(out.w == 7 && out.h == 5 && found > 0);
            image_free(&out);
        }
        for (int y = 0; y <= 10; y++)
            for (int x = 0; x <= 10; x++)
                cr_assert(seen[m][y][x], "mode %s never starts at %d,%d", modes[m], x - 6, y - 6);
        image_free(&im);
        chain_free(c);
    }
}

Test(geometry, an_image_smaller_than_the_crop_is_an_error)
{
    image im = noise(20, 33, 3, 6);
    chain *c = parse("flip crop:32,pad=2");
    work k = {0};
    const image *at;
    err e;

    cr_assert(chain_apply(c, 0, 0, 0, &im, &k, &at, &e) == -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert_str_eq(e.msg, "crop: an image of 20 x 33, padded, is smaller than the crop of 32 x 32; use a larger pad, or scale");
    work_free(&k);
    chain_free(c);
    image_free(&im);
}

Test(geometry, central_windows)
{
    image im = noise(5, 9, 3, 7), out = applied("centercrop:3x4", &im);

    cr_assert(is_window(&out, &im, 1, 2, BORDER_CONSTANT, 0)); /* 2.5 rounds to 2 */
    image_free(&out);
    out = applied("centercrop:8x10", &im);
    cr_assert(is_window(&out, &im, -1, 0, BORDER_CONSTANT, 0));
    image_free(&out);
    image_free(&im);
}

Test(geometry, mirrors_and_quarter_turns)
{
    image im = noise(6, 6, 3, 8);
    static const struct { const char *text; int xx, xy, yx, yy, x0, y0; } rows[] = {
        {"flip:p=1", -1, 0, 0, 1, 5, 0},          {"vflip:p=1", 1, 0, 0, -1, 0, 5},       {"rotate:90-90", 0, -1, 1, 0, 5, 0},
        {"rotate:180-180", -1, 0, 0, -1, 5, 5},   {"rotate:-90--90", 0, 1, -1, 0, 0, 5},  {"rotate:360-360", 1, 0, 0, 1, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        image out = applied(rows[i].text, &im);
        for (int y = 0; y < 6; y++)
            for (int x = 0; x < 6; x++) {
                int sx = rows[i].x0 + rows[i].xx * x + rows[i].xy * y, sy = rows[i].y0 + rows[i].yx * x + rows[i].yy * y;
                cr_assert(memcmp(out.p + (y * 6 + x) * 3, im.p + (sy * 6 + sx) * 3, 3) == 0, "%s at %d,%d", rows[i].text, x, y);
            }
        image_free(&out);
    }
    image_free(&im);
}

Test(geometry, a_turn_and_back_keeps_the_centre)
{
    image im = noise(31, 31, 1, 9), there = applied("rotate:37-37,bilinear", &im);

    cr_assert_eq(there.p[15 * 31 + 15], im.p[15 * 31 + 15]);
    image_free(&im);
    image_free(&there);
}

/* ---- Blur, erase, solarize --------------------------------------------------------------- */

static void reference_blur(const image *im, int size, double sigma, double *out)
{
    int half = size / 2;

    for (int y = 0; y < im->h; y++)
        for (int x = 0; x < im->w; x++)
            for (int k = 0; k < im->c; k++) {
                double sum = 0, v = 0;
                for (int j = -half; j <= half; j++)
                    for (int i = -half; i <= half; i++) {
                        double w = exp(-0.5 * (i * i + j * j) / (sigma * sigma));
                        int sx = border_at(BORDER_REFLECT, x + i, im->w), sy = border_at(BORDER_REFLECT, y + j, im->h);
                        sum += w;
                        v += w * im->p[(sy * im->w + sx) * im->c + k];
                    }
                out[(y * im->w + x) * im->c + k] = v / sum;
            }
}

Test(blur, is_a_gaussian_convolution)
{
    static const struct { int w, h, c, size; double sigma; } rows[] = {
        {20, 17, 3, 3, 0.8}, {33, 16, 1, 23, 2}, {5, 4, 3, 9, 3}, {1, 1, 3, 5, 1}, {1, 9, 1, 7, 1.5}, {40, 3, 3, 1, 1}, {12, 12, 3, 23, 0.1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        snprintf(text, sizeof text, "blur:%d,%g", rows[i].size, rows[i].sigma);
        image im = noise(rows[i].w, rows[i].h, rows[i].c, 20 + i), out = applied(text, &im);
        double *want = malloc(image_bytes(&im) * sizeof *want), worst = 0;
        reference_blur(&im, rows[i].size, rows[i].sigma, want);
        for (size_t k = 0; k < image_bytes(&im); k++)
            worst = fmax(worst, fabs(want[k] - out.p[k]));
        cr_assert_lt(worst, 0.52, "%s: %g off", text, worst);
        free(want);
        image_free(&im);
        image_free(&out);
    }
}

Test(blur, keeps_a_flat_image_flat)
{
    image im = noise(30, 30, 3, 1);

    for (int level = 0; level < 256; level += 51)
        for (int k = 1; k < 60; k += 7) {
            char text[64];
            snprintf(text, sizeof text, "blur:%d,%g", k | 1, 0.1 * k);
            memset(im.p, level, image_bytes(&im));
            image out = applied(text, &im);
            cr_assert(equal(&im, &out), "%s of level %d", text, level);
            image_free(&out);
        }
    image_free(&im);
}

Test(erase, blanks_one_rectangle)
{
    chain *c = parse("erase:scale=0.1-0.3,value=7,p=1");
    image im = noise(40, 30, 3, 2);
    int erased = 0;

    for (size_t i = 0; i < image_bytes(&im); i++)
        im.p[i] |= 8; /* never 7 */
    for (int index = 0; index < 200; index++) {
        image out = result(c, 0, 0, index, &im);
        int x0 = 99, y0 = 99, x1 = -1, y1 = -1, n = 0;
        for (int y = 0; y < 30; y++)
            for (int x = 0; x < 40; x++) {
                const uint8_t *p = out.p + (y * 40 + x) * 3;
                if (p[0] != 7) {
                    cr_assert(memcmp(p, im.p + (y * 40 + x) * 3, 3) == 0);
                    continue;
                }
                cr_assert(p[1] == 7 && p[2] == 7);
                n++;
                x0 = x < x0 ? x : x0;
                x1 = x > x1 ? x : x1;
                y0 = y < y0 ? y : y0;
                y1 = y > y1 ? y : y1;
            }
        cr_assert_eq(n, n ? (x1 - x0 + 1) * (y1 - y0 + 1) : 0);
        erased += n > 0;
        if (n)
            cr_assert(n > 0.1 * 1200 * 0.9 && n < 0.3 * 1200 * 1.1, "%d pixels", n);
        image_free(&out);
    }
    cr_assert_gt(erased, 190);
    image_free(&im);
    chain_free(c);
}

Test(solarize, inverts_from_the_threshold_up)
{
    image im = noise(50, 3, 3, 4), out = applied("solarize:100,p=1", &im);

    for (size_t i = 0; i < image_bytes(&im); i++)
        cr_assert_eq(out.p[i], im.p[i] < 100 ? im.p[i] : 255 - im.p[i]);
    image_free(&im);
    image_free(&out);
}

Test(tone, tables)
{
    image im = noise(50, 3, 3, 4), out = applied("posterize:3,p=1", &im);

    for (size_t i = 0; i < image_bytes(&im); i++)
        cr_assert_eq(out.p[i], im.p[i] / 32 * 32);
    image_free(&out);
    out = applied("invert:p=1 invert:p=1", &im);
    cr_assert(equal(&im, &out));
    image_free(&out);
    for (size_t i = 0; i < image_bytes(&im); i++)
        im.p[i] = (uint8_t)(100 + im.p[i] % 4 + i % 3 * 10); /* four values a channel, 100.., 110.., 120.. */
    out = applied("autocontrast:p=1", &im);
    for (size_t i = 0; i < image_bytes(&im); i++)
        cr_assert_eq(out.p[i], (im.p[i] - 100 - (int)(i % 3) * 10) * 85);
    image_free(&out);
    image_free(&im);

    im = noise(256, 255, 1, 5);
    for (size_t i = 0; i < image_bytes(&im); i++)
        im.p[i] = (uint8_t)(i % 256); /* an even histogram stays as it is */
    out = applied("equalize:p=1", &im);
    cr_assert(equal(&im, &out));
    image_free(&out);
    memset(im.p, 7, image_bytes(&im)); /* one value has nothing to be spread over */
    out = applied("equalize:p=1 autocontrast:p=1", &im);
    cr_assert(equal(&im, &out));
    image_free(&out);
    image_free(&im);
}

Test(sharpness, blends_with_a_smoothed_image)
{
    image im = noise(9, 7, 3, 6), out = applied("sharpness:0,p=1", &im), same = applied("sharpness:1,p=1", &im);

    cr_assert(equal(&im, &same));
    for (int y = 0; y < 7; y++)
        for (int x = 0; x < 9; x++)
            for (int k = 0; k < 3; k++) {
                double sum = 4 * im.p[(y * 9 + x) * 3 + k];
                bool inside = x > 0 && y > 0 && x < 8 && y < 6;
                for (int j = -1; inside && j <= 1; j++)
                    for (int i = -1; i <= 1; i++)
                        sum += im.p[((y + j) * 9 + x + i) * 3 + k];
                cr_assert_eq(out.p[(y * 9 + x) * 3 + k], inside ? (int)rint(sum / 13) : im.p[(y * 9 + x) * 3 + k]);
            }
    image_free(&im);
    image_free(&out);
    image_free(&same);
}

/* ---- Geometry ------------------------------------------------------------------- */

Test(warp, corners_go_where_they_are_sent)
{
    static const double to[4][2] = {{3, 1}, {36, 4}, {30, 27}, {1, 20}};
    const double from[4][2] = {{0, 0}, {39, 0}, {39, 29}, {0, 29}};
    double m[8];

    cr_assert_eq(warp_corners(m, 40, 30, to), 0);
    for (int i = 0; i < 4; i++) {
        double x = to[i][0], y = to[i][1], depth = m[6] * x + m[7] * y + 1;
        cr_assert_float_eq((m[0] * x + m[1] * y + m[2]) / depth, from[i][0], 1e-9);
        cr_assert_float_eq((m[3] * x + m[4] * y + m[5]) / depth, from[i][1], 1e-9);
    }
    cr_assert_eq(warp_corners(m, 1, 30, (const double[4][2]){{0, 0}, {0, 0}, {0, 29}, {0, 29}}), -1);
}

Test(warp, affine_against_the_matrix_it_is_made_of)
{
    const double degrees = 25, radian = degrees * 3.14159265358979323846 / 180, shear[2] = {10, -20};
    const double tan_x = tan(10 * 3.14159265358979323846 / 180), tan_y = tan(-20 * 3.14159265358979323846 / 180);
    double m[6];

    warp_matrix(m, 20, 15, degrees, 3, -4, 1.7, shear);
    for (double x = -10; x < 50; x += 7)
        for (double y = -10; y < 40; y += 7) {
            double u = x - 20, v = y - 15;
            u -= tan_x * v;
            v -= tan_y * u;
            double to_x = 1.7 * (cos(radian) * u - sin(radian) * v) + 20 + 3, to_y = 1.7 * (sin(radian) * u + cos(radian) * v) + 15 - 4;
            cr_assert_float_eq(m[0] * to_x + m[1] * to_y + m[2], x, 1e-9);
            cr_assert_float_eq(m[3] * to_x + m[4] * to_y + m[5], y, 1e-9);
        }
}

Test(warp, whole_moves_are_copies)
{
    image im = noise(20, 16, 3, 50), out = applied("affine:0,x=0.25-0.25,y=-0.25--0.25,fill=7", &im), same = applied("affine:0", &im);

    cr_assert(equal(&im, &same));
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 20; x++)
            for (int k = 0; k < 3; k++) {
                bool from = x >= 5 && y < 12;
                cr_assert_eq(out.p[(y * 20 + x) * 3 + k], from ? im.p[((y + 4) * 20 + x - 5) * 3 + k] : 7);
            }
    image_free(&im);
    image_free(&out);
    image_free(&same);
}

Test(local, chain_draws_apart)
{
    image im = noise(40, 40, 3, 51);
    chain *both = parse("crop:20 flip + crop:20 flip:p=1/0"), *alone = parse("crop:20 flip");
    int equals = 0;

    cr_assert_null(chain_local(alone));
    cr_assert_eq(chain_views(both), 1);
    cr_assert_eq(chain_views(chain_local(both)), 2);
    for (int index = 0; index < 50; index++) {
        image a = result(both, 0, 0, index, &im), b = result(alone, 0, 0, index, &im), c = result(chain_local(both), 0, 0, index, &im);
        cr_assert(equal(&a, &b), "sample %d", index);
        equals += equal(&a, &c);
        image_free(&a);
        image_free(&b);
        image_free(&c);
    }
    cr_assert_lt(equals, 3);
    chain_free(both);
    chain_free(alone);
    image_free(&im);

    char *two[] = {"flip", "+", "flip", "+", "flip"}, *none[] = {"flip", "+"};
    err e;
    cr_assert_null(chain_new(two, 5, &e));
    cr_assert_str_eq(e.msg, "more than one '+'");
    cr_assert_null(chain_new(none, 2, &e));
    cr_assert_str_eq(e.msg, "nothing follows '+'");
}

/* ---- Randomness --------------------------------------------------------------------------- */

Test(randomness, operations_do_not_move_each_other)
{
    image im = noise(40, 40, 3, 30);
    chain *plain = parse("crop:20 jitter:0.4,0.4,0.4,0.1"), *more = parse("flip:p=0 crop:20 gray:p=0 jitter:0.4,0.4,0.4,0.1 blur:p=0");

    for (int index = 0; index < 50; index++) {
        image a = result(plain, 1, 2, index, &im), b = result(more, 1, 2, index, &im);
        cr_assert(equal(&a, &b), "sample %d", index);
        image_free(&a);
        image_free(&b);
    }
    chain_free(plain);
    chain_free(more);
    image_free(&im);
}

Test(randomness, follows_view_epoch_index_and_key)
{
    image im = noise(60, 60, 1, 31);
    chain *c = parse("crop:8");
    image a = result(c, 0, 0, 0, &im);
    static const int64_t at[][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, INT64_MAX}};

    for (int i = 0; i < 4; i++) {
        image b = result(c, (int)at[i][0], at[i][1], at[i][2], &im);
        cr_assert(!equal(&a, &b), "key %d does not matter", i);
        image_free(&b);
    }
    chain_set_key(c, 43);
    image b = result(c, 0, 0, 0, &im);
    cr_assert(!equal(&a, &b));
    chain_set_key(c, 42);
    image again = result(c, 0, 0, 0, &im);
    cr_assert(equal(&a, &again));
    chain_free(c);
    image_free(&a);
    image_free(&b);
    image_free(&again);
    image_free(&im);
}

Test(randomness, two_operations_of_one_name_draw_apart)
{
    image im = noise(2, 1, 1, 32);
    chain *one = parse("flip"), *two = parse("flip flip");
    int same = 0, n = 2000;

    for (int index = 0; index < n; index++) {
        image a = result(one, 0, 0, index, &im), b = result(two, 0, 0, index, &im);
        same += equal(&a, &b);
        image_free(&a);
        image_free(&b);
    }
    cr_assert(abs(same - n / 2) < 4 * 23, "%d of %d", same, n); /* 4 standard deviations */
    chain_free(one);
    chain_free(two);
    image_free(&im);
}

Test(randomness, probability_by_view)
{
    image im = noise(2, 1, 1, 33);
    chain *c = parse("flip:p=1/0/0.2");
    int changed[4] = {0}, n = 2000;

    im.p[0] = 1;
    im.p[1] = 2;
    for (int index = 0; index < n; index++)
        for (int view = 0; view < 4; view++) {
            image out = result(c, view, 0, index, &im);
            changed[view] += out.p[0] == 2;
            image_free(&out);
        }
    cr_assert_eq(changed[0], n);
    cr_assert_eq(changed[1], 0);
    cr_assert(abs(changed[2] - n / 5) < 4 * 18 && abs(changed[3] - n / 5) < 4 * 18);
    chain_free(c);
    image_free(&im);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Kolmogorov-Smirnov: the largest distance from the uniform distribution over [lo, hi], times sqrt n; above 1.95 with probability 0.001. */
static double distance_from_uniform(double *v, size_t n, double lo, double hi)
{
    double d = 0;

    qsort(v, n, sizeof *v, ascending);
    for (size_t i = 0; i < n; i++) {
        double f = (v[i] - lo) / (hi - lo);
        d = fmax(d, fmax(fabs((double)(i + 1) / (double)n - f), fabs(f - (double)i / (double)n)));
    }
    return d * sqrt((double)n);
}

Test(randomness, sides_have_a_uniform_area_and_log_ratio)
{
    enum { N = 20000 };
    static double area[N], ratio[N];
    argument scale = {true, 0.2, 0.9}, range = {true, 0.5, 3};

    for (int i = 0; i < N; i++) {
        rng r = rng_at(rng_mix(5, (uint64_t)i));
        int a, b;
        draw_sides(&r, 1e12, &scale, &range, &a, &b);
        area[i] = (double)a * b;
        ratio[i] = log((double)a / b);
    }
    cr_assert_lt(distance_from_uniform(area, N, 0.2e12, 0.9e12), 1.95);
    cr_assert_lt(distance_from_uniform(ratio, N, log(0.5), log(3)), 1.95);
}

Test(randomness, factors_are_uniform)
{
    enum { N = 4000 };
    static double v[N];
    image im = noise(1, 1, 1, 34);
    chain *c = parse("jitter:brightness=0-1");

    im.p[0] = 255;
    for (int index = 0; index < N; index++) {
        image out = result(c, 0, 0, index, &im);
        v[index] = (out.p[0] + 0.5) / 255;
        image_free(&out);
    }
    cr_assert_lt(distance_from_uniform(v, N, 0, 1), 1.95 + 0.5 / 255 * sqrt(N));
    chain_free(c);
    image_free(&im);
}

Test(randomness, jitter_comes_in_every_order)
{
    image im = noise(16, 16, 3, 35);
    chain *c = parse("jitter:brightness=0.5-0.5,contrast=1.8-1.8,saturation=0.3-0.3,hue=0.3-0.3");
    image kinds[64];
    int n = 0, count[64] = {0}, total = 2400;

    for (int index = 0; index < total; index++) {
        image out = result(c, 0, 0, index, &im);
        int k = 0;
        while (k < n && !equal(&kinds[k], &out))
            k++;
        count[k]++;
        if (k == n)
            kinds[n++] = out;
        else
            image_free(&out);
        cr_assert_lt(n, 64);
    }
    cr_assert_eq(n, 24, "%d orders", n);
    for (int k = 0; k < n; k++) {
        cr_assert(abs(count[k] - total / 24) < 4 * 10, "order %d: %d times", k, count[k]);
        image_free(&kinds[k]);
    }
    chain_free(c);
    image_free(&im);
}

/* ---- Extreme shapes --------------------------------------------------------------------------- */

Test(extremes, one_pixel_and_a_long_strip)
{
    static const int shapes[][3] = {{1, 1, 3}, {1, 1, 1}, {20000, 10, 3}, {3, 4000, 1}, {2, 2, 3}};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        image im = noise(shapes[i][0], shapes[i][1], shapes[i][2], 40 + i);
        chain *c = parse("jitter:0.4,0.4,0.4,0.1 sharpness:2 equalize autocontrast posterize:4 invert blur:9 rotate:20 affine:20,x=0.2,shearx=30 perspective:1,p=1 randaugment:3,30 solarize:p=1 gray:p=1 erase:p=1 flip crop:16,scale=0.08-1");
        for (int index = 0; index < 8; index++) {
            image out = result(c, 0, 0, index, &im);
            cr_assert(out.w == 16 && out.h == 16 && out.c == im.c);
            image_free(&out);
        }
        chain_free(c);
        image_free(&im);
    }
}
