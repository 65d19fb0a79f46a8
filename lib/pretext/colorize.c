/*
 * Tell an image's colours from its lightness (Zhang, Isola and Efros,
 * "Colorful Image Colorization", ECCV 2016).
 *
 *   image [H,W,3] -> input [1,H,W,1]: the grey image of equal lightness, and,
 *     with h = H / reduce, w = W / reduce,
 *     target=bins: bin <i4 [1,h,w,10], share <f4 [1,h,w,10]
 *     target=ab:   target |u1 [1,h,w,2]: a + 128 and b + 128, weight |u1 [1,h,w]
 *   views [V,H,W,3] -> the same with V
 *
 * The plane of a and b of CIE Lab is averaged over squares of reduce x reduce
 * pixels. Of each such colour the ten nearest of a grid of 313 are the target,
 * with shares after a Gaussian (base/lab.h), times the weight of the nearest
 * one (colours.h). A grey image, in which neither a nor b of any pixel is
 * beyond 5, asks nothing: its weights are 0.
 */
#include "pretext/colours.h"
#include "pretext/rebuild.h"
#include "pretext/tasks.h"

#include "base/sha256.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The standard deviation of a / 127.5 and b / 127.5 of photographs, averaged over squares (CIFAR-10: 0.07 and 0.11). */
#define SPREAD 0.1

typedef struct colorize {
    lab lab;
    bool bins;
    int reduce;
    double gray;
    double weight[LAB_BINS];
    double count[LAB_BINS]; /* of observe() */
} colorize;

/* ---- The header ------------------------------------------------------------------- */

static int check_size(const colorize *c, int64_t height, int64_t width, int64_t channels, err *e)
{
    if (channels == 1)
        return err_set(e, ERR_INPUT, "colorize: images of one channel have no colours to tell");
    if (height % c->reduce == 0 && width % c->reduce == 0)
        return 0;
    return err_set(e, ERR_INPUT, "colorize: an image of %lldx%lld has no whole number of %dx%d squares; crop it before "
                   "(ssl-load --size N, ssl-augment crop:N)", (long long)width, (long long)height, c->reduce, c->reduce);
}

/* A file stands in the history by what is in it. */
static int read_weights(pretext *p, colorize *c, err *e)
{
    const char *name = value_get_str(p->params, "weights", "");
    double part[LAB_BINS];
    char digest[65];
    buf text = {0};

    if (strcmp(name, "none") == 0) {
        for (int i = 0; i < LAB_BINS; i++)
            c->weight[i] = 1;
        return 0;
    }
    if (strcmp(name, "builtin") == 0)
        colours_builtin(part);
    else if (colours_read(name, part, e))
        return -1;
    colours_weights(part, value_get_float(p->params, "lambda", 0), c->weight);
    if (colours_write(part, &text, e)) {
        buf_free(&text);
        return -1;
    }
    sha256 sum;
    sha256_start(&sum);
    sha256_add(&sum, text.p, text.n);
    sha256_end_hex(&sum, digest);
    buf_free(&text);
    value_set(p->params, "weights_digest", value_str(digest));
    return value_failed(p->params) ? err_nomem(e) : 0;
}

static int declare_fields(const colorize *c, header *h, const int64_t s[4], err *e)
{
    int64_t input[4] = {s[0], s[1], s[2], 1};
    int64_t small[4] = {s[0], s[1] < 0 ? -1 : s[1] / c->reduce, s[2] < 0 ? -1 : s[2] / c->reduce, c->bins ? LAB_NEAREST : 2};

    if (header_set_field(h, "input", "|u1", 4, input, e))
        return -1;
    if (c->bins)
        return header_set_field(h, "bin", "<i4", 4, small, e) || header_set_field(h, "share", "<f4", 4, small, e) ? -1 : 0;
    return header_set_field(h, "target", "|u1", 4, small, e) || header_set_field(h, "weight", "|u1", 3, small, e) ? -1 : 0;
}

static int declare(pretext *p, header *h, err *e)
{
    colorize *c = calloc(1, sizeof *c);
    int64_t shape[4];

    p->state = c;
    if (!c)
        return err_nomem(e);
    lab_init(&c->lab);
    c->bins = strcmp(value_get_str(p->params, "target", ""), "bins") == 0;
    if (!c->bins && strcmp(value_get_str(p->params, "weights", ""), "builtin") != 0)
        return err_set(e, ERR_USAGE, "colorize: 'weights' are those of the colours of target=bins; target=ab has none");
    c->reduce = (int)value_get_int(p->params, "reduce", 0);
    c->gray = value_get_float(p->params, "gray", 0);
    if (pretext_declared(h, shape, e) || (c->bins && read_weights(p, c, e)) || declare_fields(c, h, shape, e) ||
        (shape[1] > 0 && shape[2] > 0 && check_size(c, shape[1], shape[2], shape[3], e)))
        return -1;
    value_set(h->input_transform, "space", value_str("lab-l"));
    value_set(h->input_transform, "normalize", value_str("lab"));
    rebuild_task t = {.up = 1, .down = c->reduce, .show = c->bins ? "ab-bins" : "ab", .channels = c->bins ? 0 : 2,
                      .classes = c->bins ? LAB_BINS : 0, .spread = c->bins ? 0 : SPREAD};
    if (!rebuild_declare(p, h, &t, e))
        return -1;
    return value_failed(h->input_transform) ? err_nomem(e) : 0;
}

/* ---- Samples ------------------------------------------------------------------------ */

/*
 * One image's plane of (a, b), averaged over squares, into ab [h, w, 2]; and,
 * unless gray is NULL, its grey image. False: the image is grey.
 */
static bool planes(const colorize *c, const uint8_t *rgb, int H, int W, uint8_t *gray, double *ab)
{
    int n = c->reduce, w = W / n;
    bool coloured = c->gray <= 0;

    memset(ab, 0, 2 * (size_t)(H / n) * (size_t)w * sizeof *ab);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++, rgb += 3) {
            double v[3], *at = ab + 2 * ((y / n) * w + x / n);
            lab_from_rgb(&c->lab, rgb, v);
            at[0] += v[1] / (n * n);
            at[1] += v[2] / (n * n);
            coloured |= fabs(v[1]) > c->gray || fabs(v[2]) > c->gray;
            if (gray)
                *gray++ = lab_gray(&c->lab, rgb);
        }
    return coloured;
}

static void store_f4(uint8_t *at, float v)
{
    int32_t bits;

    memcpy(&bits, &v, sizeof bits);
    pretext_store_i4(at, bits);
}

static void put_bins(const colorize *c, const double *ab, bool coloured, size_t n, uint8_t *bin, uint8_t *share)
{
    for (size_t i = 0; i < n; i++) {
        int b[LAB_NEAREST];
        double s[LAB_NEAREST];
        lab_encode(ab[2 * i], ab[2 * i + 1], b, s);
        for (int k = 0; k < LAB_NEAREST; k++, bin += 4, share += 4) {
            pretext_store_i4(bin, b[k]);
            store_f4(share, coloured ? (float)(s[k] * c->weight[b[0]]) : 0);
        }
    }
}

static void put_ab(const double *ab, bool coloured, size_t n, uint8_t *target, uint8_t *weight)
{
    for (size_t i = 0; i < 2 * n; i++) {
        double v = floor(ab[i] + 128.5);
        target[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    memset(weight, coloured, n);
}

/* Fill one sample's tensors from its images and their planes. */
static void fill(const colorize *c, const pretext_images *x, const double *ab, const bool *coloured, size_t small, frame *out)
{
    int64_t shape[4] = {x->n, x->height / c->reduce, x->width / c->reduce, c->bins ? LAB_NEAREST : 2};
    uint8_t *a = frame_tensor(out, c->bins ? "bin" : "target", c->bins ? DT_I4 : DT_U1, 4, shape), *first = NULL;
    size_t each = small * (c->bins ? LAB_NEAREST * 4 : 2), n = (size_t)x->n;
    uint8_t *rest = a ? malloc(n * (c->bins ? each : small)) : NULL; /* a frame's tensors are filled one after the other */

    for (size_t v = 0; rest && v < n; v++)
        if (c->bins)
            put_bins(c, ab + 2 * v * small, coloured[v], small, a + v * each, rest + v * each);
        else
            put_ab(ab + 2 * v * small, coloured[v], small, a + v * each, rest + v * small);
    if (rest)
        first = frame_tensor(out, c->bins ? "share" : "weight", c->bins ? DT_F4 : DT_U1, c->bins ? 4 : 3, shape);
    if (first)
        memcpy(first, rest, n * (c->bins ? each : small));
    free(rest);
}

static int colorize_sample(const pretext *p, const sample *in, frame *out, int worker, err *e)
{
    const colorize *c = p->state;
    pretext_images x;

    (void)worker;
    if (pretext_get_images(in, &x, e) || check_size(c, x.height, x.width, x.channels, e))
        return -1;
    int64_t shape[4] = {x.n, x.height, x.width, 1};
    size_t pixels = (size_t)(x.height * x.width), small = pixels / (size_t)(c->reduce * c->reduce), n = (size_t)x.n;
    double *ab = malloc(2 * n * small * sizeof *ab);
    bool *coloured = malloc(n * sizeof *coloured);
    uint8_t *input = frame_tensor(out, "input", DT_U1, 4, shape);
    if (ab && coloured) {
        for (size_t v = 0; input && v < n; v++)
            coloured[v] = planes(c, x.data + 3 * v * pixels, (int)x.height, (int)x.width, input + v * pixels, ab + 2 * v * small);
        if (input)
            fill(c, &x, ab, coloured, small, out);
    }
    int rc = ab && coloured ? 0 : err_nomem(e);
    free(ab);
    free(coloured);
    return rc;
}

/* ---- --estimate ------------------------------------------------------------------------ */

static int observe(pretext *p, const sample *in, err *e)
{
    colorize *c = p->state;
    pretext_images x;

    if (pretext_get_images(in, &x, e) || check_size(c, x.height, x.width, x.channels, e))
        return -1;
    size_t small = (size_t)(x.height * x.width) / (size_t)(c->reduce * c->reduce);
    double *ab = malloc(2 * small * sizeof *ab), share[LAB_NEAREST];
    int bin[LAB_NEAREST];

    if (!ab)
        return err_nomem(e);
    for (int64_t v = 0; v < x.n; v++) {
        if (!planes(c, x.data + 3 * v * x.height * x.width, (int)x.height, (int)x.width, NULL, ab))
            continue;
        for (size_t i = 0; i < small; i++) {
            lab_encode(ab[2 * i], ab[2 * i + 1], bin, share);
            for (int k = 0; k < LAB_NEAREST; k++)
                c->count[bin[k]] += share[k];
        }
    }
    free(ab);
    return 0;
}

static int report(const pretext *p, buf *out, err *e)
{
    const colorize *c = p->state;
    double part[LAB_BINS], sum = 0;

    for (int i = 0; i < LAB_BINS; i++)
        sum += c->count[i];
    if (!(sum > 0))
        return err_set(e, ERR_INPUT, "colorize: no image has a colour");
    for (int i = 0; i < LAB_BINS; i++)
        part[i] = c->count[i] / sum;
    return colours_write(part, out, e);
}

static void clear(pretext *p)
{
    free(p->state);
}

static const pretext_param params[] = {
    {"target", PRETEXT_WORD, "bins", 0, 0, "bins|ab", "bins: the colours of a grid, softly; ab: their coordinates"},
    {"weights", PRETEXT_WORD, "builtin", 0, 0, NULL, "bins: how often colours occur, for rebalancing: a file of --estimate,\n"
     "                 builtin (CIFAR-10's), or none"},
    {"lambda", PRETEXT_REAL, "0.5", 0.001, 1, NULL, "bins: 1: no rebalancing; near 0: full"},
    {"gray", PRETEXT_REAL, "5", 0, 200, NULL, "images whose a and b stay within this are left out of the loss; 0: none are"},
    {"reduce", PRETEXT_INT, "4", 1, 64, NULL, "how many times smaller the plane of colours is"},
    {NULL, PRETEXT_INT, NULL, 0, 0, NULL, NULL},
};

const pretext_task pretext_colorize = {
    .name = "colorize",
    .help = "tell an image's colours from its lightness",
    .params = params,
    .declare = declare,
    .sample = colorize_sample,
    .observe = observe,
    .report = report,
    .clear = clear,
};
