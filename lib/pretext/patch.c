#include "pretext/patch.h"

#include "image/resize.h"

#include <math.h>
#include <string.h>

static value *size_value(const int64_t shape[4])
{
    value *v = value_array();

    value_push(v, value_int(shape[1]));
    value_push(v, value_int(shape[2]));
    return v;
}

static value *parameters(const patch_task *t)
{
    value *v = value_map();

    value_set(v, "concat", value_int(t->count));
    value_set(v, "each", value_int(t->each));
    value_set(v, "hidden", value_int(t->hidden));
    value_set(v, "layers", value_int(t->layers));
    return v;
}

value *patch_declare(pretext *p, header *h, const int64_t shape[4], const patch_task *t, err *e)
{
    int64_t n = shape[0] < 0 ? -1 : shape[0] * t->examples;
    int64_t input[4] = {n < 0 ? -1 : n * t->count, t->patch, t->patch, shape[3]}, target[1] = {n};

    if (header_set_field(h, "input", "|u1", 4, input, e) || header_set_field(h, "target", "<i4", 1, target, e))
        return NULL;
    value_set(h->input_transform, "normalize", value_str("image"));
    if (shape[1] > 0 && shape[2] > 0)
        value_set(h->input_transform, "size", size_value(shape));
    value *o = pretext_objective(p, h, "classify", e);
    if (!o)
        return NULL;
    value_set(o, "classes", value_int(t->classes));
    value_set(o, "parameters", parameters(t));
    if (value_failed(h->input_transform) || value_failed(o)) {
        err_nomem(e);
        return NULL;
    }
    return o;
}

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

void patch_cut(uint8_t *dst, int patch, const uint8_t *whole, int h, int w, int c, int y, int x, int shift, rng *r)
{
    for (int k = 0; k < c; k++) {
        int cy = y, cx = x;
        if (shift) {
            cy = least_of(y + (int)rng_below(r, (uint64_t)shift + 1), h - patch);
            cx = least_of(x + (int)rng_below(r, (uint64_t)shift + 1), w - patch);
        }
        for (int i = 0; i < patch; i++) {
            const uint8_t *src = whole + ((size_t)(cy + i) * (size_t)w + (size_t)cx) * (size_t)c + k;
            uint8_t *to = dst + (size_t)i * (size_t)patch * (size_t)c + k;
            for (int j = 0; j < patch; j++)
                to[j * c] = src[j * c];
        }
    }
}

void patch_gray(uint8_t *rgb, int n, int c)
{
    for (int i = 0; c == 3 && i < n; i++, rgb += 3)
        rgb[0] = rgb[1] = rgb[2] = image_luma(rgb);
}

static uint8_t to_byte(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* n / 6 to the nearest, a half upwards. */
static int sixth(int n)
{
    int m = n + 3;

    return m >= 0 ? m / 6 : -((5 - m) / 6);
}

void patch_project_colour(uint8_t *rgb, int n, int c)
{
    for (int i = 0; c == 3 && i < n; i++, rgb += 3) {
        int d = 2 * rgb[1] - rgb[0] - rgb[2];
        for (int k = 0; k < 3; k++)
            rgb[k] = to_byte(sixth(6 * rgb[k] + (k == 1 ? -2 * d : d)));
    }
}

void patch_drop_colour(uint8_t *rgb, int n, int c, rng *r)
{
    int64_t sum = 0;

    if (c != 3)
        return;
    int kept = (int)rng_below(r, 3);
    for (int i = 0; i < n; i++)
        sum += rgb[3 * i + kept];
    double mean = (double)sum / n;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) {
            if (k == kept)
                continue;
            rgb[3 * i + k] = to_byte((int)floor(mean + rng_normal(r) + 0.5));
        }
}

int patch_degrade(uint8_t *p, int patch, int c, int least, rng *r, err *e)
{
    image full = {0}, low = {0};
    int rc = -1;

    if (image_shape(&full, patch, patch, c, e))
        return -1;
    memcpy(full.p, p, image_bytes(&full));
    int side = (int)(sqrt(rng_range(r, least, (double)patch * patch)) + 0.5);
    side = side < 1 ? 1 : least_of(side, patch);
    if (image_resize(&full, 0, 0, patch, patch, side, side, RESAMPLE_BILINEAR, &low, e) == 0 &&
        image_resize(&low, 0, 0, side, side, patch, patch, RESAMPLE_BILINEAR, &full, e) == 0) {
        memcpy(p, full.p, image_bytes(&full));
        rc = 0;
    }
    image_free(&full);
    image_free(&low);
    return rc;
}
