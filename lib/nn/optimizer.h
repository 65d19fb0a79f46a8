/*
 * Optimisers over one flat array of weights, cut into spans (one a parameter).
 * g is the gradient, w the weight, eta the learning rate at this step, lambda
 * the weight decay, which is 0 for spans that are not decayed (biases, norms).
 *
 *  sgd    g' = g + lambda w;  v = mu v + g';  w -= eta (nesterov ? g' + mu v : v)
 *         (PyTorch's form: eta outside the velocity; Sutskever et al. 2013)
 *  adamw  w -= eta lambda w;  m = b1 m + (1 - b1) g;  s = b2 s + (1 - b2) g^2;
 *         w -= eta (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + eps)
 *         (Loshchilov and Hutter 2019, algorithm 2, in PyTorch's form)
 *  lars   r = trust |w| / (|g| + lambda |w|), 1 where a norm is 0 or the span is not decayed;
 *         v = mu v + r (g + lambda w);  w -= eta v
 *         (You, Gitman and Ginsburg 2017, equation 6, norms per parameter; eta outside the
 *         velocity as in the usual PyTorch code for SimCLR)
 */
#ifndef NN_OPTIMIZER_H
#define NN_OPTIMIZER_H

#include "base/err.h"
#include "nn/graph.h"
#include "nn/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIMIZER_MAX_SLOTS 2

typedef struct optimizer_span {
    size_t offset, count;
    bool decay; /* weight decay and LARS's adaptation apply */
} optimizer_span;

typedef struct optimizer optimizer;

typedef struct optimizer_type {
    const char *name, *about;
    const param *params;                       /* lr, weight_decay, ... */
    const char *slots[OPTIMIZER_MAX_SLOTS + 1]; /* names of the state arrays, "momentum"; NULL-ended */
    void (*step)(optimizer *o, float *w, const float *g, double lr, size_t from, size_t to); /* weights from..to-1 */
    void (*prepare)(optimizer *o, const float *w, const float *g); /* once before, or NULL */
} optimizer_type;

struct optimizer {
    const optimizer_type *type;
    value *params;                    /* resolved; owned */
    optimizer_span *span;             /* owned */
    int spans;
    double *ratio;                    /* LARS's r of each span; owned */
    size_t count;                     /* of the arrays */
    float *slot[OPTIMIZER_MAX_SLOTS]; /* owned; each as long as the weights */
    int64_t steps;                    /* taken so far */
};

/* "sgd" or "sgd:nesterov=0,momentum=0.95" -> type and parameters. ERR_USAGE. optimizer_clear() when done. */
int optimizer_parse(optimizer *o, const char *text, err *e);
/* Override a parameter, as --lr does. ERR_USAGE where the type has none of that name. */
int optimizer_set(optimizer *o, const char *name, double x, err *e);
/* Allocate the state for `count` weights; the spans are copied. */
int optimizer_start(optimizer *o, const optimizer_span *span, int spans, size_t count, err *e);
/* One step at `factor` times the base rate. */
void optimizer_step(optimizer *o, float *w, const float *g, double factor);
/* The same for a graph's weights, on its threads; tells it that they changed. */
void optimizer_step_graph(optimizer *o, graph *g, double factor);
void optimizer_clear(optimizer *o);

/* The L2 norm of all spans of x together; the order of the sum is fixed. */
double optimizer_norm(const optimizer *o, const float *x);
double optimizer_lr(const optimizer *o);
void optimizer_list(FILE *f);

#endif
