/*
 * Reconstruct: an image (or what its colours are) from an input that lacks it.
 *
 * With `channels` in the header's objective the answer y is an image that
 * stands for the bytes t of `target`, -1..1, in units of their `spread` s (1
 * where the objective does not tell); each pixel has a weight w (1 without a
 * field `weight`):
 *
 *     L = sum w |y - (t / 127.5 - 1) / s|^order / (channels sum w),  order 1 or 2
 *
 * With `classes` it is, at each pixel, a distribution p over K classes. The
 * target is soft and sparse: classes `bin` with parts `share` of the pixel's
 * weight; what a pixel's shares sum to is its weight (Zhang, Isola and Efros,
 * ECCV 2016, equation 2):
 *
 *     L = -sum over pixels, k of share_k log p(bin_k) / sum of all shares
 *     dL/da_j = (w p_j - sum of share_k where bin_k = j) / sum of all shares
 *
 * The answer is scale[0] / scale[1] times as large as the input. What it means
 * to the eye, for previews, is the header's `show`: "rgb", or the (a, b) plane
 * of CIE Lab over the input's lightness ("ab", two channels of a + 128 and
 * b + 128; "ab-bins", the classes of base/lab.h).
 */
#include "base/lab.h"
#include "nn/objectives/decoder.h"
#include "nn/objectives/picture.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TARGET, WEIGHT, BIN, SHARE };

typedef struct reconstruct {
    int classes, channels; /* one of them is 0 */
    int up, down;          /* the scale */
    int order;
    float spread;
    decoder_options decoder;
    picture_space show;
    node answer;
    float *scratch; /* 3 values a pixel */
    size_t scratch_size;
} reconstruct;

static const batch_field fields[] = {
    [TARGET] = {"target", DT_U1, 4, true},
    [WEIGHT] = {"weight", DT_U1, 3, true},
    [BIN] = {"bin", DT_I4, 4, true},
    [SHARE] = {"share", DT_F4, 4, true},
    {0},
};

static const param params[] = {
    {"order", 2, 1, 2, true, "2: squared differences; 1: absolute ones"},
    {"width", 32, 1, 4096, true, "channels of the decoder's layers"},
    {"bottleneck", 0, 0, 65536, true, "units that all must pass through; 0: no such layer"},
    {"skip", 0, 0, 16, true, "maps of the encoder, from its end, that the decoder leaves out"},
    {0},
};

static int read_scale(reconstruct *c, const value *declared, err *e)
{
    const value *v = value_get(declared, "scale");
    int64_t s[2] = {1, 1};

    for (size_t i = 0; v && i < 2; i++) {
        if (v->type != VALUE_ARRAY || v->n != 2 || v->child[i]->type != VALUE_INT || v->child[i]->i < 1 || v->child[i]->i > 64)
            return err_set(e, ERR_INPUT, "reconstruct: the header's objective gives no sound 'scale'");
        s[i] = v->child[i]->i;
    }
    c->up = (int)s[0];
    c->down = (int)s[1];
    return 0;
}

static int configure(objective *o, const value *declared, err *e)
{
    int64_t classes = value_get_int(declared, "classes", 0), channels = value_get_int(declared, "channels", 0);
    reconstruct *c = calloc(1, sizeof *c);

    if (!c)
        return err_nomem(e);
    o->own = c;
    c->answer = -1;
    bool sound = (classes > 0) != (channels > 0) && classes >= 0 && classes <= 65536 && channels >= 0 && channels <= 4096;
    if (!sound)
        return err_set(e, ERR_INPUT, "reconstruct: the header's objective should give either 'channels' or 'classes'");
    c->classes = (int)classes;
    c->channels = (int)channels;
    c->spread = (float)value_get_float(declared, "spread", 1);
    if (!(c->spread >= 1e-6f && c->spread <= 1e6f))
        return err_set(e, ERR_INPUT, "reconstruct: the header's objective gives no sound 'spread'");
    c->order = (int)objective_param(o, "order");
    c->decoder = (decoder_options){.C = (int)(classes ? classes : channels), .width = (int)objective_param(o, "width"), .bounded = channels > 0,
                                   .bottleneck = (int)objective_param(o, "bottleneck"),
                                   .skip = (int)objective_param(o, "skip")};
    c->show = picture_space_of(value_get_str(declared, "show", "rgb"), c->channels, c->classes);
    return read_scale(c, declared, e);
}

/* Whether a field is there with the answer's size, and `last` values a pixel (0: any number; -1: no such dimension). */
static int expect(const reconstruct *c, const batch_shape *s, int which, int last, err *e)
{
    const int64_t *d = s->dims[which];

    if (!s->bytes[which])
        return err_set(e, ERR_INPUT, "reconstruct: the stream has no field '%s'", fields[which].name);
    if (d[0] != s->P || d[1] != c->decoder.H || d[2] != c->decoder.W)
        return err_set(e, ERR_INPUT, "reconstruct: the field '%s' is [%lld,%lld,%lld,...]; the answer is %d of %d x %d",
                       fields[which].name, (long long)d[0], (long long)d[1], (long long)d[2], s->P, c->decoder.H, c->decoder.W);
    if (last > 0 && d[3] != last)
        return err_set(e, ERR_INPUT, "reconstruct: the field '%s' has %lld values a pixel, not %d", fields[which].name,
                       (long long)d[3], last);
    return 0;
}

static int check_shapes(const reconstruct *c, const batch_shape *s, err *e)
{
    if (c->channels)
        return expect(c, s, TARGET, c->channels, e) || (s->bytes[WEIGHT] && expect(c, s, WEIGHT, -1, e)) ? -1 : 0;
    return expect(c, s, BIN, 0, e) || expect(c, s, SHARE, (int)s->dims[BIN][3], e) ? -1 : 0;
}

static int build(objective *o, graph *g, const objective_nodes *at, const batch_shape *shape, err *e)
{
    reconstruct *c = o->own;
    int C, H, W;

    graph_shape(g, at->input, &C, &H, &W);
    if (H < 1)
        return err_set(e, ERR_INPUT, "reconstruct: the inputs are vectors, not images");
    if (H * c->up % c->down || W * c->up % c->down)
        return err_set(e, ERR_INPUT, "reconstruct: %d/%d of an input of %d x %d is no whole size", c->up, c->down, W, H);
    c->decoder.H = H * c->up / c->down;
    c->decoder.W = W * c->up / c->down;
    if (shape && check_shapes(c, shape, e))
        return -1;
    c->answer = decoders[0].build(g, at, &c->decoder, e);
    if (c->answer < 0)
        return err_prefix(e, "reconstruct");
    graph_name(g, c->answer, "answer");
    graph_output(g, c->answer);
    return 0;
}

static int start(objective *o, graph *g, const objective_setting *s, err *e)
{
    reconstruct *c = o->own;

    (void)g, (void)s;
    c->scratch_size = (size_t)c->decoder.H * (size_t)c->decoder.W;
    c->scratch = malloc(3 * c->scratch_size * sizeof *c->scratch);
    return c->scratch ? 0 : err_nomem(e);
}

static int check(const objective *o, const batch_shape *shape, const batch *b, int i, err *e)
{
    const reconstruct *c = o->own;

    if (!c->classes)
        return 0;
    size_t n = shape->bytes[BIN] / sizeof(int32_t);
    const int32_t *bin = (const int32_t *)b->field[BIN] + (size_t)i * n;
    const float *share = (const float *)b->field[SHARE] + (size_t)i * n;
    for (size_t k = 0; k < n; k++) {
        if (bin[k] < 0 || bin[k] >= c->classes)
            return err_set(e, ERR_INPUT, "bin %d is not below the %d classes that the header declares", bin[k], c->classes);
        if (!(share[k] >= 0 && share[k] <= FLT_MAX))
            return err_set(e, ERR_INPUT, "share %g is not a share", (double)share[k]);
    }
    return 0;
}

/* ---- Images: differences of values ------------------------------------------------ */

static double image_weights(const objective_step *s, size_t pixels, int rows)
{
    const uint8_t *weight = s->b->field[WEIGHT];
    double sum = 0;

    if (!weight)
        return (double)pixels * rows;
    for (size_t i = 0; i < pixels * (size_t)rows; i++)
        sum += weight[i];
    return sum;
}

/* One row: y and dy (C, pixels), the target (pixels, C). The row's part of the loss. */
static double image_row(const reconstruct *c, const float *y, float *dy, const uint8_t *target, const uint8_t *weight,
                        size_t pixels, double scale)
{
    float unit = 1 / c->spread;
    double sum = 0;

    for (int k = 0; k < c->channels; k++, y += pixels, dy += pixels)
        for (size_t p = 0; p < pixels; p++) {
            float w = weight ? weight[p] : 1, d = y[p] - ((float)target[p * (size_t)c->channels + (size_t)k] / 127.5f - 1) * unit;
            if (w == 0)
                continue;
            sum += w * (c->order == 2 ? (double)d * d : fabs((double)d));
            dy[p] += (float)scale * w * (c->order == 2 ? 2 * d : (float)((d > 0) - (d < 0)));
        }
    return sum;
}

/* ---- Distributions: soft cross-entropy ---------------------------------------------- */

static double share_weights(const objective_step *s, int rows)
{
    size_t n = s->shape->bytes[SHARE] / sizeof(float) / (size_t)s->shape->P * (size_t)rows;
    const float *share = s->b->field[SHARE];
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += share[i];
    return sum;
}

/* The softmax's largest logit and its sum, of every pixel of a row; class by class, as the values lie. */
static void softmax_sums(const reconstruct *c, const float *y, size_t pixels, float *top, float *sum)
{
    memcpy(top, y, pixels * sizeof *top);
    for (int k = 1; k < c->classes; k++)
        for (size_t p = 0; p < pixels; p++)
            top[p] = y[(size_t)k * pixels + p] > top[p] ? y[(size_t)k * pixels + p] : top[p];
    memset(sum, 0, pixels * sizeof *sum);
    for (int k = 0; k < c->classes; k++)
        for (size_t p = 0; p < pixels; p++)
            sum[p] += expf(y[(size_t)k * pixels + p] - top[p]);
}

static double share_row(const reconstruct *c, const float *y, float *dy, const int32_t *bin, const float *share, size_t n,
                        size_t pixels, double scale, objective_result *r)
{
    float *top = c->scratch, *sum = top + pixels, *weight = sum + pixels;
    double loss = 0;

    softmax_sums(c, y, pixels, top, sum);
    for (size_t p = 0; p < pixels; p++) {
        double lse = (double)top[p] + log((double)sum[p]);
        size_t likely = 0;
        weight[p] = 0;
        for (size_t k = 0; k < n; k++) {
            size_t at = (size_t)bin[p * n + k] * pixels + p;
            float part = share[p * n + k];
            if (part == 0)
                continue;
            weight[p] += part;
            loss += part * (lse - (double)y[at]);
            dy[at] -= (float)scale * part;
            likely = part > share[p * n + likely] ? k : likely;
        }
        if (weight[p] > 0) {
            r->counted++;
            r->correct += y[(size_t)bin[p * n + likely] * pixels + p] == top[p];
        }
        weight[p] *= (float)scale / sum[p];
    }
    for (int k = 0; k < c->classes; k++)
        for (size_t p = 0; p < pixels; p++)
            if (weight[p] != 0)
                dy[(size_t)k * pixels + p] += weight[p] * expf(y[(size_t)k * pixels + p] - top[p]);
    return loss;
}

static int loss(objective *o, graph *g, const objective_step *s, objective_result *r, err *e)
{
    const reconstruct *c = o->own;
    size_t pixels = (size_t)c->decoder.H * (size_t)c->decoder.W, row = pixels * (size_t)c->decoder.C;
    int rows = s->b->n * s->shape->P;
    const float *y = graph_value(g, c->answer);
    float *dy = graph_grad(g, c->answer);
    double total = c->classes ? share_weights(s, rows) : image_weights(s, pixels, rows) * c->channels;

    (void)e;
    *r = (objective_result){.bad = -1};
    if (total <= 0)
        return 0;
    for (int i = 0; i < rows; i++, y += row, dy += row) {
        size_t n = c->classes ? (size_t)s->shape->dims[BIN][3] : 0, at = (size_t)i * pixels;
        const uint8_t *weight = s->b->field[WEIGHT];
        double part = c->classes
            ? share_row(c, y, dy, (const int32_t *)s->b->field[BIN] + at * n, (const float *)s->b->field[SHARE] + at * n, n,
                        pixels, 1 / total, r)
            : image_row(c, y, dy, (const uint8_t *)s->b->field[TARGET] + at * (size_t)c->channels, weight ? weight + at : NULL,
                        pixels, 1 / total);
        if (!isfinite(part) && r->bad < 0)
            r->bad = i / s->shape->P;
        r->loss += part / total;
    }
    return 0;
}

/* ---- For people ------------------------------------------------------------------------ */

/* The plane (2, pixels) of a and b that the answer, or the target, means. */
static void colours(const reconstruct *c, const float *y, const objective_step *s, int row, bool truth, float *ab)
{
    size_t pixels = (size_t)c->decoder.H * (size_t)c->decoder.W, at = (size_t)row * pixels;

    for (size_t p = 0; p < pixels; p++) {
        float v[2] = {0, 0};
        if (c->channels && truth) {
            const uint8_t *t = (const uint8_t *)s->b->field[TARGET] + 2 * (at + p);
            v[0] = (float)t[0] - 128;
            v[1] = (float)t[1] - 128;
        } else if (c->channels) {
            v[0] = (c->spread * y[p] + 1) * 127.5f - 128;
            v[1] = (c->spread * y[pixels + p] + 1) * 127.5f - 128;
        } else if (truth) {
            size_t n = (size_t)s->shape->dims[BIN][3];
            const int32_t *bin = (const int32_t *)s->b->field[BIN] + (at + p) * n;
            lab_bins_mean(bin, (const float *)s->b->field[SHARE] + (at + p) * n, n, v);
        } else {
            picture_mean(y, pixels, p, v);
        }
        ab[p] = v[0];
        ab[pixels + p] = v[1];
    }
}

static int lab_picture(const reconstruct *c, const float *y, const objective_step *s, int row, objective_picture *p, err *e)
{
    size_t pixels = (size_t)p->H * (size_t)p->W;
    float *ab = malloc(2 * (size_t)c->decoder.H * (size_t)c->decoder.W * sizeof *ab);

    lab l;

    if (!ab)
        return err_nomem(e);
    lab_init(&l);
    for (int truth = 0; truth < 2; truth++) {
        colours(c, y, s, row, truth, ab);
        lab_paint(&l, s->b->input + (size_t)row * pixels, p->H, p->W, ab, c->decoder.H, c->decoder.W, truth ? p->truth : p->answer);
    }
    free(ab);
    return 0;
}

/* Where the loss does not look, the truth is known: it stands in the answer too. */
static void rgb_picture(const reconstruct *c, const float *y, const objective_step *s, int row, objective_picture *p)
{
    size_t pixels = (size_t)p->H * (size_t)p->W, C = (size_t)c->channels, at = (size_t)row * pixels;
    const uint8_t *target = (const uint8_t *)s->b->field[TARGET] + at * C, *weight = s->b->field[WEIGHT];

    picture_rgb(y, c->channels, pixels, c->spread, p->answer);
    for (size_t i = 0; i < pixels; i++)
        for (size_t k = 0; k < 3; k++) {
            p->truth[3 * i + k] = target[i * C + (C == 3 ? k : 0)];
            if (weight && weight[at + i] == 0)
                p->answer[3 * i + k] = p->truth[3 * i + k];
        }
}

static int picture(objective *o, graph *g, const objective_step *s, int row, objective_picture *p, err *e)
{
    const reconstruct *c = o->own;
    bool colour = c->show == PICTURE_AB || c->show == PICTURE_AB_BINS;
    const float *y = graph_value(g, c->answer) +
                     (size_t)row * (size_t)c->decoder.C * (size_t)c->decoder.H * (size_t)c->decoder.W;

    if (c->show == PICTURE_NONE || (colour && s->shape->C != 1))
        return err_set(e, ERR_RUN, "the answers of this task are no images");
    p->H = colour ? s->shape->H : c->decoder.H;
    p->W = colour ? s->shape->W : c->decoder.W;
    p->answer = malloc(3 * (size_t)p->H * (size_t)p->W);
    p->truth = malloc(3 * (size_t)p->H * (size_t)p->W);
    if (!p->answer || !p->truth)
        return err_nomem(e);
    if (colour)
        return lab_picture(c, y, s, row, p, e);
    rgb_picture(c, y, s, row, p);
    return 0;
}

static void clear(objective *o)
{
    reconstruct *c = o->own;

    if (c)
        free(c->scratch);
    free(c);
}

const objective_type objective_reconstruct = {
    .name = "reconstruct",
    .about = "an image or its colours, pixel by pixel: l2, l1 or soft cross-entropy",
    .params = params,
    .fields = fields,
    .projector = "none",
    .configure = configure,
    .build = build,
    .start = start,
    .check = check,
    .loss = loss,
    .picture = picture,
    .clear = clear,
};
