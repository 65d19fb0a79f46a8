/*
 * What the parts of the graph share. graph.c builds and runs, plan.c turns the
 * vertices that the user built into operations and memory, layers/ has a file
 * for each kind of layer, kernels/ the inner loops, reference.c a naive
 * interpreter of the same vertices in double precision.
 */
#ifndef NN_INTERNAL_H
#define NN_INTERNAL_H

#include "nn/graph.h"
#include "nn/kernels/kernels.h"
#include "nn/team.h"

typedef struct layer layer;
typedef struct op op;

/* A layer's output as the user built it. */
typedef struct vertex {
    const layer *layer;
    node in[2];
    int inputs;
    int C, H, W;        /* logical shape; H = W = 0 for vectors */
    int blocks, pixels; /* ceil(C / lanes); H W, 1 for vectors */
    int div;            /* rows here = rows at the input / div (graph_concat_rows) */
    int kernel, stride, pad;
    int parts;          /* graph_concat_rows, graph_pixel_shuffle */
    int param[4];       /* weight, bias, running mean, running variance; -1: none */
    char *name;
    bool output, want_grad;

    /* Planned. */
    node root;       /* whose memory this vertex shares (itself, mostly) */
    bool live;       /* an output depends on it */
    bool needs_grad; /* a trained parameter or a wanted input lies before it */
    int uses;        /* live consumers */
    float *value, *grad;             /* blocked; of a root */
    float *plain_value, *plain_grad; /* what the caller reads and writes, where blocked will not do */
    bool plain_fresh;
} vertex;

/* How a weight's elements lie in the arena. */
typedef enum param_layout {
    LAYOUT_VECTOR, /* (C), padded to whole blocks */
    LAYOUT_BLOCKED, /* (K, C, R, S) as [K/L][C/L][R S][L of C][L of K] */
    LAYOUT_PLAIN   /* (K, C, R, S) as [K/L][C R S][L of K] */
} param_layout;

typedef struct param {
    param_info info;
    param_layout layout;
    bool trained;
} param;

/* One step of a pass: a layer, or a chain of layers fused into its first. */
struct op {
    const layer *layer;
    node v;     /* the vertex that has the parameters and attributes */
    node x;     /* input */
    node norm;  /* a batch normalisation folded into this convolution, -1: none */
    node other; /* second input (a fused addition), -1: none */
    node y;     /* output: the last vertex of the chain */
    bool relu;  /* fused */

    /* Training: what neighbours do for each other (see link_ops). */
    op *producer;  /* of a normalisation: the convolution that leaves the statistics of its output in `stats` */
    op *reader;    /* of a normalisation with ReLU: the one convolution that reads it, and applies it while reading */
    const op *pre; /* of that convolution: the normalisation */
    float *stats;  /* of the producing convolution; NULL: nobody asks */

    /* Set by layer->plan. */
    bool keep_x, keep_y; /* their values are read by the backward pass */
    size_t scratch;      /* floats for each thread */
    size_t shared;       /* floats for all threads together */
    size_t aux;          /* bytes that live from forward to backward */
    void *state;         /* one malloc()ed block, freed with the graph */

    /* Set by the planner. */
    bool x_grad, other_grad;             /* the gradient is wanted */
    bool x_accumulate, other_accumulate; /* it has been written by a later layer: add */
    unsigned char *aux_data;
    int report[3]; /* indices of the three passes, -1: none */
};

typedef struct ref_op ref_op;

struct layer {
    const char *name;
    int (*plan)(graph *g, op *o, err *e);
    void (*forward)(graph *g, op *o, int n); /* n rows at the graph's input */
    void (*backward)(graph *g, op *o, int n);
    /* The same on plain (N, C, H, W) arrays of doubles, by naive loops. */
    void (*reference_forward)(const ref_op *o);
    void (*reference_backward)(const ref_op *o); /* adds to dx and dparam */
};

struct graph {
    const kernels *k;
    team *team;
    err error; /* the first failed build call */

    vertex *vertices;
    int count, capacity;
    param *params;
    int param_count, param_capacity;
    size_t weight_count, state_count;
    float *weights, *grads, *states; /* the arenas */
    uint64_t version; /* of the weights; changes with each change */

    bool compiled;
    graph_use use;
    int batch;
    op *ops;
    int op_count;
    unsigned char *memory; /* values, gradients, scratch */
    size_t memory_size;
    float *scratch; /* threads times scratch_size floats */
    size_t scratch_size;
    float *shared;

    int rows; /* of the last forward pass */
    graph_mode mode;
    int estimates; /* ESTIMATE passes since graph_reset_stats() */
    err *run_error;

    /* graph_forward_chunks(): the outputs of all chunks, plain. */
    struct { float *value, *grad; } *whole; /* [count] */
    int whole_rows;      /* that there is room for, at the input */
    bool showing_whole;
    float *kept_states;
    float *chunk_sum;    /* [weights]: the gradients of the chunks before */

    bool profiling;
    layer_report *reports;
    int report_count;
};

#define NORM_EPS 1e-5 /* added to the variance by batch normalisation */

extern const layer layer_input, layer_conv2d, layer_batchnorm, layer_relu, layer_add, layer_maxpool, layer_global_avgpool,
    layer_linear, layer_flatten, layer_concat_rows, layer_pixel_shuffle, layer_crop;

/* From plan: the kernel and the work of an operation's pass, for reports. */
void op_report(graph *g, op *o, int pass, const char *kernel, double gflop);

/* Around a pass that a layer times itself (the weights' gradient). */
double op_begin(const graph *g);
void op_end(graph *g, const op *o, int pass, double begin);

int graph_compile_plan(graph *g, err *e);
void gather_free(graph *g);

/* At least `bytes`, aligned for any vector, for free(); not cleared. */
void *graph_allocate(size_t bytes);

static inline vertex *root_of(const graph *g, node x)
{
    return &g->vertices[g->vertices[x].root];
}

static inline float *value_of(const graph *g, node x)
{
    return root_of(g, x)->value;
}

static inline float *grad_of(const graph *g, node x)
{
    return root_of(g, x)->grad;
}

/* True for a layer that reads its input vertex as the caller wrote it. */
static inline bool reads_plain(const graph *g, const vertex *v)
{
    if (v->inputs < 1 || g->vertices[v->in[0]].layer != &layer_input)
        return false;
    return v->layer == &layer_flatten ? v->root != v->in[0]
                                      : v->layer == &layer_conv2d && g->params[v->param[0]].layout == LAYOUT_PLAIN;
}

/* Floats of one row of a vertex, blocked. */
static inline size_t row_size(const graph *g, const vertex *v)
{
    return (size_t)v->blocks * (size_t)v->pixels * (size_t)g->k->lanes;
}

/* Arrays this large are better written past the caches: they would not stay there until they are read. */
static inline bool streams(size_t floats)
{
    return floats > 2 << 20;
}

static inline float *thread_scratch(const graph *g, int thread)
{
    return g->scratch + (size_t)thread * g->scratch_size;
}

static inline int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static inline size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Floats rounded up so that what follows is on a cache line of its own. */
static inline size_t line_up(size_t floats)
{
    return (floats + 15) & ~(size_t)15;
}

/* Runs fn on slices of `rows` rows: fn(arg, first, end). The slices do not depend on the number of threads. */
enum { MAX_SLICES = 64 };
static inline int slice_count(int rows)
{
    return rows < MAX_SLICES ? rows : MAX_SLICES;
}

static inline int slice_begin(int rows, int slice)
{
    return (int)((int64_t)rows * slice / slice_count(rows));
}

#endif
