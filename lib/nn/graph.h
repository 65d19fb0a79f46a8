/*
 * A network as a graph of layers: built once, planned once for a largest
 * batch, then run forward and backward without allocating.
 *
 * Shapes above each layer are logical, (N, C, H, W) for maps and (N, D) for
 * vectors; how activations and weights lie in memory (channel blocks, padding)
 * is the engine's own affair. Names, shapes and order of parameters are
 * PyTorch's (weight (K, C, R, S), linear weight (out, in)), so that models
 * exchange with torchvision.
 *
 * A graph belongs to one thread; the engine's own workers are inside.
 */
#ifndef NN_GRAPH_H
#define NN_GRAPH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct graph graph;

/* A node is a layer's output; negative after a failed build call (reported by graph_compile). */
typedef int node;

/* ---- Build --------------------------------------------------------------- */

/* threads 0: every CPU in the affinity mask. NULL on failure. */
graph *graph_new(int threads, err *e);
void graph_free(graph *g);

/* (N, C, H, W), or (N, C) when H and W are 0. */
node graph_input(graph *g, int C, int H, int W);
/* (N, C, H, W) -> (N, K, H', W'), H' = (H + 2 pad - kernel) / stride + 1. Parameters NAME.weight [, NAME.bias]. */
node graph_conv2d(graph *g, const char *name, node x, int K, int kernel, int stride, int pad, bool bias);
/* Batch normalisation over N, H, W (eps 1e-5, momentum 0.1); maps or vectors. NAME.weight, .bias, .running_mean, .running_var. */
node graph_batchnorm(graph *g, const char *name, node x);
/* The same without scale and shift (the last layer of some projectors). */
node graph_batchnorm_plain(graph *g, const char *name, node x);
node graph_relu(graph *g, node x);
node graph_add(graph *g, node a, node b);
node graph_maxpool(graph *g, node x, int kernel, int stride, int pad);
/* (N, C, H, W) -> (N, C). */
node graph_global_avgpool(graph *g, node x);
/* (N, D) -> (N, out). NAME.weight (out, D) [, NAME.bias (out)]. */
node graph_linear(graph *g, const char *name, node x, int out, bool bias);
/* (N, C, H, W) -> (N, C H W) in logical order, or (N P, D) -> (N, P D): consecutive rows side by side. */
node graph_flatten(graph *g, node x);
node graph_concat_rows(graph *g, node x, int P);
/* (N, C r^2, H, W) -> (N, C, r H, r W): each r^2 channels become r x r pixels; (N, C r^2) -> (N, C, r, r). */
node graph_pixel_shuffle(graph *g, node x, int r);
/* (N, C, H, W) -> (N, C, h, w): the upper left; x itself where that is all of it. */
node graph_crop(graph *g, node x, int h, int w);

/* Why a build call returned -1: the first failure's message, "" when there was none. */
const char *graph_build_error(const graph *g);

/* Give a node a name that graph_find() and ssl-embed --layer understand. */
void graph_name(graph *g, node x, const char *name);
node graph_find(const graph *g, const char *name); /* -1: none */
int graph_named_count(const graph *g);
/* The i-th named node, in order of building. */
const char *graph_named(const graph *g, int i, node *x);
/* The logical shape without N: C, H, W (H = W = 0 for vectors). */
void graph_shape(const graph *g, node x, int *C, int *H, int *W);

/* ---- Plan ---------------------------------------------------------------- */

typedef enum graph_use {
    GRAPH_INFER, /* forward with running statistics; BN folded into the convolutions */
    GRAPH_TRAIN  /* forward with batch statistics and backward */
} graph_use;

/* Nodes whose value (and, for TRAIN, whose gradient) the caller reads or sets. Call before graph_compile. */
void graph_output(graph *g, node x);

/*
 * Plan for at most `batch` rows at the input. Parameters are zero until set
 * (graph_init_params or graph_set_tensor). May be called once.
 */
int graph_compile(graph *g, graph_use use, int batch, err *e);
/* Bytes planned for activations and scratch; for weights, gradients. */
size_t graph_memory(const graph *g);

/* ---- Parameters ------------------------------------------------------------ */

typedef enum param_role {
    PARAM_WEIGHT,  /* convolution and linear weights: weight decay applies */
    PARAM_BIAS,    /* biases, and BN's weight and bias: no decay, no LARS adaptation */
    PARAM_NORM,
    PARAM_STATE    /* running statistics: not trained, saved with the model */
} param_role;

typedef struct param_info {
    const char *name;  /* "layer1.0.conv1.weight" */
    param_role role;
    int ndim;
    int64_t shape[4];
    int64_t fan_in;    /* for initialisation: C R S, or in */
    int64_t fan_out;
    size_t offset, count; /* the span of the arena (count includes padding, which stays zero); PARAM_STATE: of the state arena */
} param_info;

int graph_param_count(const graph *g);
const param_info *graph_param(const graph *g, int i);

/* To and from PyTorch's layout, densely packed float32. */
void graph_get_tensor(const graph *g, int i, float *dst);
void graph_set_tensor(graph *g, int i, const float *src);
/* The i-th parameter's gradient in PyTorch's layout (tests). */
void graph_get_grad(const graph *g, int i, float *dst);
/* An arena-shaped array (an optimiser's momentum) to and from PyTorch's layout, for checkpoints. */
void graph_unpack(const graph *g, int i, const float *arena, float *dst);
void graph_pack(const graph *g, int i, const float *src, float *arena);

/* The arenas themselves: one float array each for weights and gradients, for optimisers and all-reduce. */
float *graph_weights(graph *g);
float *graph_grads(graph *g);
size_t graph_weights_count(const graph *g);
/* Call after changing weights through graph_weights(): kernels' cached transforms are stale. */
void graph_weights_changed(graph *g);

/* He initialisation (fan_out, as torchvision's ResNet) for convolutions, PyTorch's default for linear; BN 1/0, running 0/1. Keyed by seed and each parameter's name. */
void graph_init_params(graph *g, uint64_t seed);

/* ---- Run ------------------------------------------------------------------- */

typedef enum graph_mode {
    GRAPH_MODE_TRAIN,    /* batch statistics; running ones are updated */
    GRAPH_MODE_EVAL,     /* running statistics */
    GRAPH_MODE_ESTIMATE  /* batch statistics; running ones become the cumulative average over ESTIMATE calls since graph_reset_stats() */
} graph_mode;

void graph_reset_stats(graph *g);

/* Where the caller writes n rows of input, plain (N, C, H, W) float32, before graph_forward. */
float *graph_input_data(graph *g, node x);
/* n <= batch rows. */
int graph_forward(graph *g, int n, graph_mode mode, err *e);
/* An output's value: vectors in place as plain (N, D) rows; maps are copied to plain (N, C, H, W) on the first call. Valid until the next forward. */
const float *graph_value(graph *g, node x);
/* Rows of node x when the input has n rows (n / P after graph_concat_rows). */
int graph_rows(const graph *g, node x, int n);

/* Where the caller writes d loss / d output, same layout as graph_value, zeroed by graph_forward. */
float *graph_grad(graph *g, node x);
/* Fills graph_grads() (overwrites). */
int graph_backward(graph *g, err *e);
/* d loss / d input, plain (N, C, H, W); only if graph_want_input_grad was called before compile (tests, and composed graphs). */
void graph_want_input_grad(graph *g, node x);
const float *graph_input_grad(graph *g, node x);

/*
 * A batch of `rows` in chunks of `chunk` rows, as many as were compiled for, for a loss that needs all of its outputs at
 * once; fill(arg, first, n) writes rows first..first + n - 1 of the batch to the graph's input. After the forward pass
 * graph_value() and graph_grad() are of the whole batch, until the next pass; the loss fills the gradients. The backward
 * pass computes each chunk's forward pass anew, leaving the running statistics alone. Exact: batch statistics aside,
 * which are those of the chunk, the gradient is the whole's. The first batch is the largest. chunk 0: the batch as it is.
 */
typedef void graph_fill(void *arg, int first, int n);
int graph_forward_chunks(graph *g, int rows, int chunk, graph_fill *fill, void *arg, err *e);
int graph_backward_chunks(graph *g, int rows, int chunk, graph_fill *fill, void *arg, err *e);

/* Jobs of a loss on the engine's threads: fn(arg, job, thread) for each job, thread below graph_threads(); see team.h. */
void graph_run(graph *g, int jobs, void (*fn)(void *arg, int job, int thread), void *arg);
int graph_threads(const graph *g);

/* What runs where: layer, pass, kernel's name, GFLOP; and, while profiling, seconds. For --profile and for refusing reference kernels. */
typedef struct layer_report {
    const char *name, *kernel;
    int pass; /* 0 forward, 1 backward data, 2 backward weights */
    double gflop, seconds; /* per sample; summed over calls since graph_profile() */
    int64_t samples;
} layer_report;
void graph_profile(graph *g, bool on);
int graph_report_count(const graph *g);
const layer_report *graph_report(const graph *g, int i);
/* What all threads reach together in multiplications and additions in registers, GFLOP/s: measured, in some milliseconds. */
double graph_peak(graph *g);

#endif
