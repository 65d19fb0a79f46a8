#include "nn/optimizer.h"

#include "base/spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Elements of span k that lie in from..to-1. */
static optimizer_span part_of(const optimizer *o, int k, size_t from, size_t to)
{
    optimizer_span s = o->span[k];
    size_t begin = s.offset > from ? s.offset : from, end = s.offset + s.count < to ? s.offset + s.count : to;

    s.offset = begin;
    s.count = begin < end ? end - begin : 0;
    return s;
}

static void sgd_step(optimizer *o, float *w, const float *g, double lr, size_t from, size_t to)
{
    bool nesterov = params_get(o->params, "nesterov") != 0;
    float mu = (float)params_get(o->params, "momentum"), eta = (float)lr;
    float *v = o->slot[0];

    for (int k = 0; k < o->spans; k++) {
        const optimizer_span s = part_of(o, k, from, to);
        float lambda = s.decay ? (float)params_get(o->params, "weight_decay") : 0;
        for (size_t i = s.offset; i < s.offset + s.count; i++) {
            float d = g[i] + lambda * w[i];
            v[i] = mu * v[i] + d;
            w[i] -= eta * (nesterov ? d + mu * v[i] : v[i]);
        }
    }
}

static void adamw_step(optimizer *o, float *w, const float *g, double lr, size_t from, size_t to)
{
    double b1 = params_get(o->params, "beta1"), b2 = params_get(o->params, "beta2");
    float f1 = (float)b1, f2 = (float)b2, eps = (float)params_get(o->params, "eps");
    float rate = (float)(lr / (1 - pow(b1, (double)o->steps)));
    float scale = (float)(1 / sqrt(1 - pow(b2, (double)o->steps)));
    float *m = o->slot[0], *s2 = o->slot[1];

    for (int k = 0; k < o->spans; k++) {
        const optimizer_span s = part_of(o, k, from, to);
        float keep = s.decay ? (float)(1 - lr * params_get(o->params, "weight_decay")) : 1;
        for (size_t i = s.offset; i < s.offset + s.count; i++) {
            m[i] = f1 * m[i] + (1 - f1) * g[i];
            s2[i] = f2 * s2[i] + (1 - f2) * g[i] * g[i];
            w[i] = keep * w[i] - rate * m[i] / (sqrtf(s2[i]) * scale + eps);
        }
    }
}

/* Sum of squares, in lanes that a compiler can keep in registers. */
static double squares(const float *x, size_t n)
{
    enum { LANES = 8 };
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + (size_t)k] * x[i + (size_t)k];
    for (; i < n; i++)
        sum += (double)x[i] * x[i];
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static void lars_ratios(optimizer *o, const float *w, const float *g)
{
    double decay = params_get(o->params, "weight_decay"), trust = params_get(o->params, "trust");

    for (int k = 0; k < o->spans; k++) {
        const optimizer_span *s = &o->span[k];
        double nw = s->decay ? sqrt(squares(w + s->offset, s->count)) : 0;
        double ng = s->decay ? sqrt(squares(g + s->offset, s->count)) : 0;
        o->ratio[k] = nw > 0 && ng > 0 ? trust * nw / (ng + decay * nw) : 1;
    }
}

static void lars_step(optimizer *o, float *w, const float *g, double lr, size_t from, size_t to)
{
    double decay = params_get(o->params, "weight_decay");
    float mu = (float)params_get(o->params, "momentum"), eta = (float)lr;
    float *v = o->slot[0];

    for (int k = 0; k < o->spans; k++) {
        const optimizer_span s = part_of(o, k, from, to);
        float r = (float)o->ratio[k], lambda = s.decay ? (float)decay : 0;
        for (size_t i = s.offset; i < s.offset + s.count; i++) {
            v[i] = mu * v[i] + r * (g[i] + lambda * w[i]);
            w[i] -= eta * v[i];
        }
    }
}

static const param sgd_params[] = {
    {"lr", 0.1, 0, 1e6, false, "learning rate"},
    {"momentum", 0.9, 0, 0.9999, false, "mu"},
    {"nesterov", 1, 0, 1, true, "1: Nesterov's momentum"},
    {"weight_decay", 5e-4, 0, 1e6, false, "lambda; not for biases and norms"},
    {0},
};
static const param adamw_params[] = {
    {"lr", 1e-3, 0, 1e6, false, "learning rate"},
    {"beta1", 0.9, 0, 0.99999, false, "decay of the first moment"},
    {"beta2", 0.999, 0, 0.9999999, false, "decay of the second moment"},
    {"eps", 1e-8, 1e-30, 1, false, "added to the denominator"},
    {"weight_decay", 0.01, 0, 1e6, false, "lambda; not for biases and norms"},
    {0},
};
static const param lars_params[] = {
    {"lr", 0.5, 0, 1e6, false, "learning rate"},
    {"momentum", 0.9, 0, 0.9999, false, "mu"},
    {"trust", 0.001, 1e-12, 1e6, false, "trust coefficient"},
    {"weight_decay", 1e-4, 0, 1e6, false, "lambda; not for biases and norms"},
    {0},
};

static const optimizer_type types[] = {
    {"sgd", "stochastic gradient descent with momentum", sgd_params, {"momentum"}, sgd_step, NULL},
    {"adamw", "Adam with decoupled weight decay", adamw_params, {"moment1", "moment2"}, adamw_step, NULL},
    {"lars", "SGD with a rate adapted to each parameter, for large batches", lars_params, {"momentum"}, lars_step, lars_ratios},
};
enum { TYPES = sizeof types / sizeof *types };

static const optimizer_type *find_type(const char *name)
{
    for (int i = 0; i < TYPES; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

int optimizer_parse(optimizer *o, const char *text, err *e)
{
    spec s;
    int rc = 0;

    *o = (optimizer){0};
    if (spec_parse(&s, text, e))
        return -1;
    o->type = find_type(s.name);
    if (!o->type)
        rc = err_set(e, ERR_USAGE, "unknown optimizer '%s'; expected sgd, adamw or lars", s.name);
    else if (!(o->params = params_default(o->type->params)))
        rc = err_nomem(e);
    for (int i = 0; i < s.n && rc == 0; i++)
        rc = params_set_item(o->params, o->type->params, &s.item[i], o->type->name, e);
    spec_clear(&s);
    if (rc)
        optimizer_clear(o);
    return rc;
}

int optimizer_set(optimizer *o, const char *name, double x, err *e)
{
    return params_set(o->params, o->type->params, name, x, o->type->name, ERR_USAGE, e);
}

int optimizer_start(optimizer *o, const optimizer_span *span, int spans, size_t count, err *e)
{
    o->span = malloc((size_t)(spans ? spans : 1) * sizeof *span);
    o->ratio = calloc((size_t)(spans ? spans : 1), sizeof *o->ratio);
    if (!o->span || !o->ratio)
        return err_nomem(e);
    memcpy(o->span, span, (size_t)spans * sizeof *span);
    o->spans = spans;
    o->count = count;
    for (int i = 0; o->type->slots[i]; i++) {
        o->slot[i] = calloc(count ? count : 1, sizeof(float));
        if (!o->slot[i])
            return err_nomem(e);
    }
    return 0;
}

static double begin_step(optimizer *o, const float *w, const float *g, double factor)
{
    o->steps++;
    if (o->type->prepare)
        o->type->prepare(o, w, g);
    return factor * optimizer_lr(o);
}

void optimizer_step(optimizer *o, float *w, const float *g, double factor)
{
    o->type->step(o, w, g, begin_step(o, w, g, factor), 0, o->count);
}

typedef struct step_run {
    optimizer *o;
    float *w;
    const float *g;
    double lr;
} step_run;

enum { JOB_WEIGHTS = 1 << 16 };

static void step_job(void *arg, int job, int thread)
{
    const step_run *r = arg;
    size_t from = (size_t)job * JOB_WEIGHTS, to = from + JOB_WEIGHTS < r->o->count ? from + JOB_WEIGHTS : r->o->count;

    (void)thread;
    r->o->type->step(r->o, r->w, r->g, r->lr, from, to);
}

void optimizer_step_graph(optimizer *o, graph *g, double factor)
{
    step_run r = {o, graph_weights(g), graph_grads(g), 0};

    r.lr = begin_step(o, r.w, r.g, factor);
    graph_run(g, (int)((o->count + JOB_WEIGHTS - 1) / JOB_WEIGHTS), step_job, &r);
    graph_weights_changed(g);
}

void optimizer_clear(optimizer *o)
{
    value_free(o->params);
    free(o->span);
    free(o->ratio);
    for (int i = 0; i < OPTIMIZER_MAX_SLOTS; i++)
        free(o->slot[i]);
    *o = (optimizer){0};
}

double optimizer_norm(const optimizer *o, const float *x)
{
    double sum = 0;

    for (int k = 0; k < o->spans; k++)
        sum += squares(x + o->span[k].offset, o->span[k].count);
    return sqrt(sum);
}

double optimizer_lr(const optimizer *o)
{
    return params_get(o->params, "lr");
}

void optimizer_list(FILE *f)
{
    for (int i = 0; i < TYPES; i++) {
        fprintf(f, "  %-10s %s\n", types[i].name, types[i].about);
        params_list(f, types[i].params);
    }
}
