/*
 * Classify: softmax cross-entropy over a linear head. With K classes, logits
 * a, target t, label smoothing s and q_k = (1 - s) [k = t] + s / K:
 *
 *     p = softmax(a);  L = -sum_k q_k log p_k;  dL/da = p - q
 *
 * averaged over the rows by their weights (all 1 without a field `weight`).
 * A target of -1 leaves its row out. With `heads` = H there are H linear heads
 * side by side and H targets an input, one a head (self-labelling: Asano,
 * Rupprecht and Vedaldi, ICLR 2020, section 3.2). With concat = G, each G consecutive
 * inputs of an image are put side by side before the head and share a target:
 * the encoder, and a layer of `each` units, are shared by the inputs, and
 * `layers` layers of `hidden` units see all G (the siamese networks of Doersch
 * et al., ICCV 2015, and of Noroozi and Favaro, ECCV 2016). Every layer is
 * linear, batch normalisation, ReLU.
 */
#include "nn/objective.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct classify {
    int classes, concat, each, hidden, layers, heads;
    node *logits; /* [heads] */
} classify;

enum { TARGET, WEIGHT };

static const batch_field fields[] = {
    [TARGET] = {"target", DT_I4, 1, false},
    [WEIGHT] = {"weight", DT_F4, 1, true},
    {0},
};

static const param params[] = {
    {"concat", 1, 1, 4096, true, "inputs that share one target, side by side"},
    {"heads", 1, 1, 4096, true, "linear heads, each with a target of its own"},
    {"each", 0, 0, 65536, true, "units of a layer for each input, before they are put side by side; 0: no such layer"},
    {"hidden", 0, 0, 65536, true, "units of the layers before the head; 0: a linear head"},
    {"layers", 1, 1, 8, true, "how many of those"},
    {"label_smoothing", 0, 0, 0.999, false, "share of the target spread over all classes"},
    {0},
};

static int configure(objective *o, const value *declared, err *e)
{
    int64_t classes = value_get_int(declared, "classes", -1);

    if (classes < 1 || classes > 10000000)
        return err_set(e, ERR_INPUT, "classify: the header's objective gives no sound number of 'classes'");
    classify *c = calloc(1, sizeof *c);
    if (!c)
        return err_nomem(e);
    c->classes = (int)classes;
    c->concat = (int)objective_param(o, "concat");
    c->each = (int)objective_param(o, "each");
    c->hidden = (int)objective_param(o, "hidden");
    c->layers = (int)objective_param(o, "layers");
    c->heads = (int)objective_param(o, "heads");
    c->logits = malloc((size_t)c->heads * sizeof *c->logits);
    o->own = c;
    return c->logits ? 0 : err_nomem(e);
}

/* Linear without a bias, which the normalisation would take away, then normalisation and ReLU. */
static node layer(graph *g, const char *name, node x, int units)
{
    char norm[40];

    snprintf(norm, sizeof norm, "%s.norm", name);
    return graph_relu(g, graph_batchnorm(g, norm, graph_linear(g, name, x, units, false)));
}

/* What the heads see. */
static node trunk(const classify *c, graph *g, node x)
{
    if (c->each)
        x = layer(g, "each", x, c->each);
    if (c->concat > 1)
        x = graph_concat_rows(g, x, c->concat);
    for (int i = 0; c->hidden && i < c->layers; i++) {
        char name[32];
        snprintf(name, sizeof name, "hidden%d", i);
        x = layer(g, name, x, c->hidden);
    }
    return x;
}

/* "head", or "head.0", "head.1", ... where there are several. */
static void add_heads(classify *c, graph *g, node x)
{
    for (int i = 0; i < c->heads; i++) {
        char name[32] = "head";
        if (c->heads > 1)
            snprintf(name, sizeof name, "head.%d", i);
        c->logits[i] = graph_linear(g, name, x, c->classes, true);
        graph_name(g, c->logits[i], name);
        graph_output(g, c->logits[i]);
    }
}

static int build(objective *o, graph *g, const objective_nodes *at, const batch_shape *shape, err *e)
{
    classify *c = o->own;

    if (shape && shape->P % c->concat)
        return err_set(e, ERR_INPUT, "classify: %d inputs an image cannot be put side by side by %d", shape->P, c->concat);
    if (shape && shape->dims[TARGET][0] != (int64_t)(shape->P / c->concat) * c->heads)
        return err_set(e, ERR_INPUT, "classify: %d inputs an image need %lld targets%s, not %lld", shape->P,
                       (long long)(shape->P / c->concat) * c->heads, c->heads > 1 ? ", one for each head" : "",
                       (long long)shape->dims[TARGET][0]);
    if (shape && shape->bytes[WEIGHT] && shape->dims[WEIGHT][0] != shape->dims[TARGET][0])
        return err_set(e, ERR_INPUT, "classify: the field 'weight' should be as long as 'target'");
    add_heads(c, g, trunk(c, g, at->z));
    return 0;
}

static int check(const objective *o, const batch_shape *shape, const batch *b, int i, err *e)
{
    const classify *c = o->own;
    int64_t rows = shape->dims[TARGET][0];
    const int32_t *target = (const int32_t *)b->field[TARGET] + i * rows;
    const float *weight = b->field[WEIGHT] ? (const float *)b->field[WEIGHT] + i * rows : NULL;

    for (int64_t k = 0; k < rows; k++) {
        if (target[k] < -1 || target[k] >= c->classes)
            return err_set(e, ERR_INPUT, "target %d is not below the %d classes that the header declares", target[k], c->classes);
        if (weight && !(weight[k] >= 0 && weight[k] <= FLT_MAX))
            return err_set(e, ERR_INPUT, "weight %g is not a weight", (double)weight[k]);
    }
    return 0;
}

/* log(sum exp(a)), and the largest logit's place. */
static double log_sum_exp(const float *a, int K, int *top)
{
    double sum = 0;

    *top = 0;
    for (int k = 1; k < K; k++)
        if (a[k] > a[*top])
            *top = k;
    for (int k = 0; k < K; k++)
        sum += exp((double)a[k] - a[*top]);
    return a[*top] + log(sum);
}

static int loss(objective *o, graph *g, const objective_step *s, objective_result *r, err *e)
{
    const classify *c = o->own;
    int K = c->classes, H = c->heads, per = (int)s->shape->dims[TARGET][0], rows = s->b->n * per; /* a row for each head */
    const int32_t *target = s->b->field[TARGET];
    const float *weight = s->b->field[WEIGHT];
    double smooth = objective_param(o, "label_smoothing"), total = 0;

    (void)e;
    *r = (objective_result){.bad = -1};
    for (int i = 0; i < rows; i++)
        if (target[i] >= 0)
            total += weight ? weight[i] : 1;
    for (int i = 0; i < rows; i++) {
        double w = target[i] < 0 || total <= 0 ? 0 : (weight ? weight[i] : 1) / total, sum = 0;
        const float *a = graph_value(g, c->logits[i % H]) + (size_t)(i / H) * (size_t)K;
        float *d = graph_grad(g, c->logits[i % H]) + (size_t)(i / H) * (size_t)K;
        int top;

        if (target[i] < 0)
            continue;
        double lse = log_sum_exp(a, K, &top);
        for (int k = 0; k < K; k++) {
            double q = (k == target[i] ? 1 - smooth : 0) + smooth / K;
            d[k] += (float)(w * (exp(a[k] - lse) - q));
            sum += a[k];
        }
        double row = lse - (1 - smooth) * a[target[i]] - smooth / K * sum;
        if (!isfinite(row) && r->bad < 0)
            r->bad = i / per;
        r->loss += w * row;
        r->correct += top == target[i];
        r->counted++;
    }
    return 0;
}

static void clear(objective *o)
{
    classify *c = o->own;

    if (c)
        free(c->logits);
    free(c);
}

const objective_type objective_classify = {
    .name = "classify",
    .about = "softmax cross-entropy against integer targets",
    .params = params,
    .fields = fields,
    .projector = "none",
    .chunks = true,
    .configure = configure,
    .build = build,
    .check = check,
    .loss = loss,
    .clear = clear,
};
