#include "nn/reference.h"

#include <stdlib.h>
#include <string.h>

struct reference {
    const graph *g;
    int n, estimates;
    graph_mode mode;
    double **value, **grad, **saved; /* of vertices */
    double **param, **dparam;
};

static size_t value_count(const reference *r, node x)
{
    const vertex *v = &r->g->vertices[x];

    return (size_t)graph_rows(r->g, x, r->n) * v->C * v->pixels;
}

static size_t param_count(const graph *g, int i)
{
    size_t count = 1;

    for (int d = 0; d < g->params[i].info.ndim; d++)
        count *= (size_t)g->params[i].info.shape[d];
    return count;
}

static bool allocate(double ***arrays, int count)
{
    *arrays = calloc((size_t)count + 1, sizeof **arrays);
    return *arrays != NULL;
}

static bool load_param(reference *r, int i)
{
    size_t count = param_count(r->g, i);
    float *f = calloc(count, sizeof *f);

    r->param[i] = calloc(count, sizeof(double));
    r->dparam[i] = calloc(count, sizeof(double));
    if (!f || !r->param[i] || !r->dparam[i]) {
        free(f);
        return false;
    }
    graph_get_tensor(r->g, i, f);
    for (size_t j = 0; j < count; j++)
        r->param[i][j] = f[j];
    free(f);
    return true;
}

reference *reference_new(const graph *g, int n)
{
    reference *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->g = g;
    r->n = n;
    bool ok = allocate(&r->value, g->count) && allocate(&r->grad, g->count) && allocate(&r->saved, g->count) &&
              allocate(&r->param, g->param_count) && allocate(&r->dparam, g->param_count);
    for (int i = 0; ok && i < g->count; i++) {
        r->value[i] = calloc(value_count(r, i), sizeof(double));
        r->grad[i] = calloc(value_count(r, i), sizeof(double));
        r->saved[i] = calloc((size_t)g->vertices[i].C * 2, sizeof(double));
        ok = r->value[i] && r->grad[i] && r->saved[i];
    }
    for (int i = 0; ok && i < g->param_count; i++)
        ok = load_param(r, i);
    if (!ok) {
        reference_free(r);
        return NULL;
    }
    return r;
}

static void free_all(double **arrays, int count)
{
    for (int i = 0; arrays && i < count; i++)
        free(arrays[i]);
    free(arrays);
}

void reference_free(reference *r)
{
    if (!r)
        return;
    free_all(r->value, r->g->count);
    free_all(r->grad, r->g->count);
    free_all(r->saved, r->g->count);
    free_all(r->param, r->g->param_count);
    free_all(r->dparam, r->g->param_count);
    free(r);
}

double *reference_value(reference *r, node x)
{
    return r->value[x];
}

double *reference_grad(reference *r, node x)
{
    return r->grad[x];
}

double *reference_param(reference *r, int i)
{
    return r->param[i];
}

double *reference_param_grad(reference *r, int i)
{
    return r->dparam[i];
}

static ref_op op_of(reference *r, node x)
{
    const vertex *v = &r->g->vertices[x];
    ref_op o = {.v = v, .n = graph_rows(r->g, x, r->n), .y = r->value[x], .dy = r->grad[x], .mode = r->mode,
                .estimates = r->estimates, .saved = r->saved[x]};

    for (int i = 0; i < v->inputs; i++) {
        o.in[i] = &r->g->vertices[v->in[i]];
        o.x[i] = r->value[v->in[i]];
        o.dx[i] = r->grad[v->in[i]];
    }
    for (int i = 0; i < 4; i++)
        if (v->param[i] >= 0) {
            o.param[i] = r->param[v->param[i]];
            o.dparam[i] = r->dparam[v->param[i]];
        }
    return o;
}

void reference_forward(reference *r, graph_mode mode)
{
    r->mode = mode;
    for (node x = 0; x < r->g->count; x++)
        if (r->g->vertices[x].live)
            r->g->vertices[x].layer->reference_forward(&(ref_op[]){op_of(r, x)}[0]);
    r->estimates += mode == GRAPH_MODE_ESTIMATE;
}

void reference_zero_grad(reference *r)
{
    for (node x = 0; x < r->g->count; x++)
        memset(r->grad[x], 0, value_count(r, x) * sizeof(double));
    for (int i = 0; i < r->g->param_count; i++)
        memset(r->dparam[i], 0, param_count(r->g, i) * sizeof(double));
}

void reference_backward(reference *r)
{
    for (node x = r->g->count - 1; x >= 0; x--)
        if (r->g->vertices[x].live)
            r->g->vertices[x].layer->reference_backward(&(ref_op[]){op_of(r, x)}[0]);
}
