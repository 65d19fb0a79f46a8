#include "nn/transform.h"

#include <math.h>
#include <string.h>

static const char *const spaces[] = {[SPACE_RGB] = "rgb", [SPACE_GRAY] = "gray", [SPACE_LAB_L] = "lab-l"};

static const struct normalisation {
    const char *name, *about;
    bool per_image;
    double mean[3], std[3];
} table[] = {
    {"imagenet", "mean and deviation of ImageNet's channels", false, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
    {"cifar10", "mean and deviation of CIFAR-10's channels", false, {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}},
    {"gray", "averages of ImageNet's channels", false, {0.449, 0.449, 0.449}, {0.226, 0.226, 0.226}},
    {"lab", "L of CIE Lab between -2 and 2", false, {0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}},
    {"image", "mean and deviation of each image itself", true, {0, 0, 0}, {1, 1, 1}},
    {"none", "values between 0 and 1", false, {0, 0, 0}, {1, 1, 1}},
};
enum { TABLE = sizeof table / sizeof *table };

static int find_space(const char *name)
{
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (strcmp(spaces[i], name) == 0)
            return (int)i;
    return -1;
}

static const struct normalisation *find_normalisation(const char *name)
{
    for (int i = 0; i < TABLE; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* A model's stored numbers take the place of the table's. */
static int read_numbers(const value *declared, const char *key, int channels, double *dst, bool positive, err *e)
{
    const value *v = value_get(declared, key);

    if (!v || v->type == VALUE_NIL)
        return 0;
    if (v->type != VALUE_ARRAY || v->n != (size_t)channels)
        return err_set(e, ERR_INPUT, "the input transform's '%s' should be an array of %d numbers", key, channels);
    for (int i = 0; i < channels; i++) {
        const value *x = v->child[i];
        dst[i] = x->type == VALUE_FLOAT ? x->f : x->type == VALUE_INT ? (double)x->i : NAN;
        if (!isfinite(dst[i]) || (positive && dst[i] <= 0))
            return err_set(e, ERR_INPUT, "the input transform's '%s' holds a value that cannot be", key);
    }
    return 0;
}

static int read_size(const value *declared, int size[2], err *e)
{
    const value *v = value_get(declared, "size");

    size[0] = size[1] = 0;
    if (!v || v->type == VALUE_NIL)
        return 0;
    for (size_t i = 0; i < 2; i++) {
        bool sound = v->type == VALUE_ARRAY && v->n == 2 && v->child[i]->type == VALUE_INT && v->child[i]->i > 0 &&
                     v->child[i]->i <= 1 << 15;
        if (!sound)
            return err_set(e, ERR_INPUT, "the input transform's 'size' should be a height and a width");
        size[i] = (int)v->child[i]->i;
    }
    return 0;
}

/* What a byte stands for, between 0 and 1. */
static double brightness(const transform *t, int v)
{
    return t->space == SPACE_LAB_L ? lab_lightness(&t->lab, (uint8_t)v) / 100 : v / 255.0;
}

int transform_resolve(transform *t, const value *declared, int image_channels, err *e)
{
    const char *space = value_get_str(declared, "space", image_channels == 1 ? "gray" : "rgb");
    int s = find_space(space);

    if (s < 0)
        return err_set(e, ERR_INPUT, "unknown space '%s' in the input transform", space);
    const char *name = value_get_str(declared, "normalize", s == SPACE_GRAY ? "gray" : s == SPACE_LAB_L ? "lab" : "imagenet");
    const struct normalisation *n = find_normalisation(name);
    if (!n)
        return err_set(e, ERR_INPUT, "unknown normalisation '%s' in the input transform", name);

    *t = (transform){.space = (transform_space)s, .normalize = n->name, .per_image = n->per_image,
                     .channels = s == SPACE_RGB ? 3 : 1};
    lab_init(&t->lab);
    memcpy(t->mean, n->mean, sizeof t->mean);
    memcpy(t->std, n->std, sizeof t->std);
    if (t->channels == 1 && !n->per_image) {
        /* A table row of three channels serves one channel by its averages. */
        t->mean[0] = (n->mean[0] + n->mean[1] + n->mean[2]) / 3;
        t->std[0] = (n->std[0] + n->std[1] + n->std[2]) / 3;
    }
    if (read_size(declared, t->size, e))
        return -1;
    if (!t->per_image && (read_numbers(declared, "mean", t->channels, t->mean, false, e) ||
                          read_numbers(declared, "std", t->channels, t->std, true, e)))
        return -1;
    for (int c = 0; c < t->channels; c++)
        for (int v = 0; v < 256; v++)
            t->level[c][v] = (float)((brightness(t, v) - t->mean[c]) / t->std[c]);
    return 0;
}

value *transform_value(const transform *t)
{
    value *v = value_map();

    value_set(v, "space", value_str(spaces[t->space]));
    value_set(v, "normalize", value_str(t->normalize));
    if (!t->per_image) {
        value *mean = value_array(), *std = value_array();
        for (int c = 0; c < t->channels; c++) {
            value_push(mean, value_float(t->mean[c]));
            value_push(std, value_float(t->std[c]));
        }
        value_set(v, "mean", mean);
        value_set(v, "std", std);
    }
    if (t->size[0]) {
        value *size = value_array();
        value_push(size, value_int(t->size[0]));
        value_push(size, value_int(t->size[1]));
        value_set(v, "size", size);
    }
    if (value_failed(v)) {
        value_free(v);
        return NULL;
    }
    return v;
}

/* The byte of output channel c at pixel p. */
static inline uint8_t pixel(const transform *t, const uint8_t *p, int image_channels, int c)
{
    if (image_channels == 1)
        return p[0];
    if (t->space == SPACE_LAB_L)
        return lab_gray(&t->lab, p);
    if (t->space == SPACE_GRAY)
        return (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
    return p[c];
}

void transform_apply(const transform *t, const uint8_t *image, int H, int W, int image_channels, float *dst)
{
    size_t n = (size_t)H * (size_t)W, step = (size_t)image_channels;
    float own[256];

    if (t->per_image) {
        uint64_t sum = 0, squares = 0, count = n * (size_t)t->channels;
        for (size_t i = 0; i < n; i++)
            for (int c = 0; c < t->channels; c++) {
                uint64_t v = pixel(t, image + i * step, image_channels, c);
                sum += v;
                squares += v * v;
            }
        double mean = (double)sum / (double)count, least = 255.0 / sqrt((double)count);
        double variance = (double)squares / (double)count - mean * mean;
        double std = variance > least * least ? sqrt(variance) : least;
        for (int v = 0; v < 256; v++)
            own[v] = (float)((v - mean) / std);
    }
    for (int c = 0; c < t->channels; c++) {
        const float *level = t->per_image ? own : t->level[c];
        for (size_t i = 0; i < n; i++)
            dst[(size_t)c * n + i] = level[pixel(t, image + i * step, image_channels, c)];
    }
}

void transform_list(FILE *f)
{
    for (int i = 0; i < TABLE; i++)
        fprintf(f, "  %-10s %s\n", table[i].name, table[i].about);
}
