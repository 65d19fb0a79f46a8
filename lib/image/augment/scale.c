#include "image/augment/operation.h"
#include "image/resize.h"

enum { SIZE, FILTER };

static const param params[] = {
    [SIZE] = {"size", PARAM_SIZE, NULL, "N for the short side, or WIDTHxHEIGHT", 1, 65535, 0, NULL},
    [FILTER] = {"filter", PARAM_CHOICE, "bilinear", "resampling", 0, 0, 0, "nearest|box|bilinear|bicubic|lanczos"},
    {0},
};

static void size(const argument *a, int *w, int *h)
{
    int n = (int)a[SIZE].lo;

    if (a[SIZE].hi) {
        *w = n;
        *h = (int)a[SIZE].hi;
    } else if (*w > 0 && *h > 0) {
        image_short_side(*w, *h, n, w, h);
    } else {
        *w = *h = -1;
    }
}

static int apply(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e)
{
    int w = src->w, h = src->h;
    (void)r, (void)scratch;

    size(a, &w, &h);
    return image_resize(src, 0, 0, src->w, src->h, w, h, (enum resample)a[FILTER].lo, dst, e);
}

const operation operation_resize = {
    "resize", "the whole image, antialiased", "1", params, NULL, size, apply,
};
