#include "image/augment/border.h"
#include "image/augment/draw.h"
#include "image/resize.h"

#include <math.h>
#include <string.h>

/* ---- Windows ----------------------------------------------------------- */

/* The w x h window at (x, y) of src, which may reach beyond its edges. */
static int window(const image *src, int x, int y, int w, int h, enum border border, int fill, image *dst, err *e)
{
    size_t c = (size_t)src->c, row = (size_t)w * c;

    if ((int64_t)w * h > RESIZE_MAX_BYTES / src->c)
        return err_set(e, ERR_INPUT, "cannot crop to %d x %d", w, h);
    if (image_shape(dst, h, w, src->c, e))
        return -1;
    int left = x < 0 ? -x : 0, right = x + w > src->w ? x + w - src->w : 0;
    left = left < w ? left : w;
    right = right < w ? right : w;
    for (int j = 0; j < h; j++) {
        int from = border_at(border, y + j, src->h);
        uint8_t *out = dst->p + (size_t)j * row;
        if (from < 0) {
            memset(out, fill, row);
            continue;
        }
        const uint8_t *in = src->p + (size_t)from * (size_t)src->w * c;
        if (left + right < w)
            memcpy(out + (size_t)left * c, in + (size_t)(x + left) * c, (size_t)(w - left - right) * c);
        for (int i = 0; i < w; i++) {
            if (i == left && left + right < w)
                i = w - right;
            if (i == w)
                break;
            int at = border_at(border, x + i, src->w);
            if (at < 0)
                memset(out + (size_t)i * c, fill, c);
            else
                memcpy(out + (size_t)i * c, in + (size_t)at * c, c);
        }
    }
    return 0;
}

static int height(const argument *size)
{
    return (int)(size->hi ? size->hi : size->lo);
}

static void to_size(const argument *a, int *w, int *h)
{
    *w = (int)a[0].lo;
    *h = height(&a[0]);
}

/* ---- crop: torchvision's RandomResizedCrop, or RandomCrop --------------- */

enum { SIZE, PAD, MODE, FILL, SCALE, RATIO, FILTER };

static const param crop_params[] = {
    [SIZE] = {"size", PARAM_SIZE, NULL, "of the result: N, or WIDTHxHEIGHT", 1, 65535, 0, NULL},
    [PAD] = {"pad", PARAM_INT, "", "pixels added on each side before cropping (0)", 0, 65535, 0, NULL},
    [MODE] = {"mode", PARAM_CHOICE, "", "what they hold (constant)", 0, 0, 0, "constant|edge|reflect|symmetric"},
    [FILL] = {"fill", PARAM_INT, "", "the constant (0)", 0, 255, 0, NULL},
    [SCALE] = {"scale", PARAM_RANGE, "", "part of the image's area, to be resized (0.08-1)", 0, 1, 0, NULL},
    [RATIO] = {"ratio", PARAM_RANGE, "", "of its width to its height (0.75-1.3333333333333333)", 1e-3, 1e3, 0, NULL},
    [FILTER] = {"filter", PARAM_CHOICE, "", "resampling, with scale or ratio (bilinear)", 0, 0, 0, "nearest|box|bilinear|bicubic|lanczos"},
    {0},
};

static int crop_check(argument *a, err *e)
{
    bool resized = a[SCALE].set || a[RATIO].set, padded = a[PAD].set || a[MODE].set || a[FILL].set;

    if (resized && padded)
        return err_set(e, ERR_USAGE, "scale and ratio do not go with pad, mode and fill");
    if (!resized && a[FILTER].set)
        return err_set(e, ERR_USAGE, "filter needs scale or ratio");
    if (resized) {
        if (!a[SCALE].set)
            a[SCALE] = (argument){true, 0.08, 1};
        if (!a[RATIO].set)
            a[RATIO] = (argument){true, 3.0 / 4, 4.0 / 3};
        if (!a[FILTER].set)
            a[FILTER] = (argument){true, RESAMPLE_BILINEAR, 0};
        if (a[SCALE].hi == 0)
            return err_set(e, ERR_USAGE, "a scale of 0 leaves nothing");
        return 0;
    }
    a[PAD].set = a[MODE].set = true; /* unset, they are 0: nothing, constant, black */
    a[FILL].set = a[MODE].lo == BORDER_CONSTANT;
    return 0;
}

/* Ten tries, then the largest central box whose ratio is allowed. */
static void resized_box(const argument *a, rng *r, int W, int H, int *x, int *y, int *w, int *h)
{
    for (int i = 0; i < 10; i++) {
        draw_sides(r, (double)W * H, &a[SCALE], &a[RATIO], w, h);
        if (*w > 0 && *w <= W && *h > 0 && *h <= H) {
            *y = (int)rng_below(r, (uint64_t)(H - *h + 1));
            *x = (int)rng_below(r, (uint64_t)(W - *w + 1));
            return;
        }
    }
    double ratio = (double)W / H;
    *w = W;
    *h = H;
    if (ratio < a[RATIO].lo)
        *h = (int)rint(W / a[RATIO].lo);
    else if (ratio > a[RATIO].hi)
        *w = (int)rint(H * a[RATIO].hi);
    *w = *w < 1 ? 1 : *w;
    *h = *h < 1 ? 1 : *h;
    *x = (W - *w) / 2;
    *y = (H - *h) / 2;
}

static int crop_apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    int W = (int)a[SIZE].lo, H = height(&a[SIZE]), x, y, w, h;
    (void)scratch;

    if (a[SCALE].set) {
        resized_box(a, r, src->w, src->h, &x, &y, &w, &h);
        return image_crop_resize(src, x, y, w, h, W, H, (enum resample)a[FILTER].lo, dst, e);
    }
    int pad = (int)a[PAD].lo;
    w = src->w + 2 * pad - W;
    h = src->h + 2 * pad - H;
    if (w < 0 || h < 0)
        return err_set(e, ERR_INPUT, "an image of %d x %d%s is smaller than the crop of %d x %d; use %s, or scale",
                       src->w, src->h, pad ? ", padded," : "", W, H, pad ? "a larger pad" : "pad");
    y = (int)rng_below(r, (uint64_t)h + 1) - pad;
    x = (int)rng_below(r, (uint64_t)w + 1) - pad;
    return window(src, x, y, W, H, (enum border)a[MODE].lo, (int)a[FILL].lo, dst, e);
}

const operation operation_crop = {
    "crop", "a random window; with scale or ratio, a random part resized", "1", crop_params, crop_check, to_size, crop_apply,
};

/* ---- centercrop ---------------------------------------------------------- */

static const param centercrop_params[] = {
    {"size", PARAM_SIZE, NULL, "of the result: N, or WIDTHxHEIGHT", 1, 65535, 0, NULL},
    {0},
};

/* Where a window of n starts in m pixels, as torchvision's CenterCrop rounds it. */
static int centred(int m, int n)
{
    return m < n ? -((n - m) / 2) : (int)rint((m - n) / 2.0);
}

static int centercrop_apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    int W = (int)a[0].lo, H = height(&a[0]);
    (void)r, (void)scratch;

    return window(src, centred(src->w, W), centred(src->h, H), W, H, BORDER_CONSTANT, 0, dst, e);
}

const operation operation_centercrop = {
    "centercrop", "the central window; smaller images are padded with black", "1", centercrop_params, NULL, to_size, centercrop_apply,
};
