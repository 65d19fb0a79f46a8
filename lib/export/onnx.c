/*
 * ONNX (https://onnx.ai/onnx/repo-docs/IR.html), operators of set 13: a model's
 * encoder as one graph, from images of bytes, (N, H, W, C) as a stream has them,
 * to embeddings, (N, D). The input transform is its first nodes.
 *
 * The file is a protocol buffer
 * (https://protobuf.dev/programming-guides/encoding): fields are numbered as in
 * onnx.proto3.
 */
#include "base/io.h"
#include "base/version.h"
#include "export/export.h"
#include "nn/network.h"
#include "nn/vertices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 7, OPERATORS = 13 };
enum { FLOAT = 1, UINT8 = 2, INT32 = 6, DOUBLE = 11 }; /* TensorProto.DataType */
enum { ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_INTS = 7 };
enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };

/* ---- Protocol buffers --------------------------------------------------------------- */

/* A message under construction; a failure sticks. */
typedef struct message {
    buf b;
    bool failed;
    err *e;
} message;

static void add(message *m, const void *p, size_t n)
{
    m->failed = m->failed || buf_add(&m->b, p, n, m->e);
}

static void add_varint(message *m, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        add(m, &(uint8_t){(uint8_t)(v | 128)}, 1);
    add(m, &(uint8_t){(uint8_t)v}, 1);
}

static void add_int(message *m, int number, int64_t v)
{
    add_varint(m, (uint64_t)number << 3 | VARINT);
    add_varint(m, (uint64_t)v);
}

static void add_bytes(message *m, int number, const void *p, size_t n)
{
    add_varint(m, (uint64_t)number << 3 | BYTES);
    add_varint(m, n);
    add(m, p, n);
}

static void add_text(message *m, int number, const char *s)
{
    add_bytes(m, number, s, strlen(s));
}

/* Takes the inner message. */
static void add_message(message *m, int number, message *inner)
{
    m->failed = m->failed || inner->failed;
    add_bytes(m, number, inner->b.p, inner->b.n);
    buf_free(&inner->b);
}

/* ---- Nodes and tensors --------------------------------------------------------------- */

typedef struct export {
    const model *m;
    const network *n;
    message graph;
    int made; /* values that have got a name */
    err *e;
} export;

/* A node that gets its attributes before it is put. `in`: names, NULL-ended. */
static message node_begin(export *x, const char *operator, const char *const *in, const char *result)
{
    message n = {.e = x->e};

    for (; *in; in++)
        add_text(&n, 1, *in);
    add_text(&n, 2, result);
    add_text(&n, 3, result);
    add_text(&n, 4, operator);
    return n;
}

static void node_end(export *x, message *n)
{
    add_message(&x->graph, 1, n);
}

static void attribute_int(message *n, const char *name, int64_t v)
{
    message a = {.e = n->e};

    add_text(&a, 1, name);
    add_int(&a, 3, v);
    add_int(&a, 20, ATTRIBUTE_INT);
    add_message(n, 5, &a);
}

static void attribute_float(message *n, const char *name, float v)
{
    message a = {.e = n->e};

    add_text(&a, 1, name);
    add_varint(&a, 2 << 3 | FIXED32);
    add(&a, &v, sizeof v);
    add_int(&a, 20, ATTRIBUTE_FLOAT);
    add_message(n, 5, &a);
}

static void attribute_ints(message *n, const char *name, int count, const int64_t *v)
{
    message a = {.e = n->e};

    add_text(&a, 1, name);
    for (int i = 0; i < count; i++)
        add_int(&a, 8, v[i]);
    add_int(&a, 20, ATTRIBUTE_INTS);
    add_message(n, 5, &a);
}

static void attribute_same(message *n, const char *name, int count, int64_t v)
{
    attribute_ints(n, name, count, (int64_t[]){v, v, v, v});
}

static void node_plain(export *x, const char *operator, const char *a, const char *b, const char *result)
{
    message n = node_begin(x, operator, (const char *const[]){a, b, NULL}, result);

    node_end(x, &n);
}

/* A constant, of floats or doubles. */
static void constant_put(export *x, const char *name, int type, int ndim, const int64_t *shape, const void *p)
{
    message t = {.e = x->e};

    for (int i = 0; i < ndim; i++)
        add_int(&t, 1, shape[i]);
    add_int(&t, 2, type);
    add_text(&t, 8, name);
    add_bytes(&t, 9, p, (size_t)tensor_bytes(type == DOUBLE ? DT_F8 : DT_F4, ndim, shape, STREAM_MAX_FRAME));
    add_message(&x->graph, 5, &t);
}

static void tensor_put(export *x, const char *name, int ndim, const int64_t *shape, const void *p)
{
    constant_put(x, name, FLOAT, ndim, shape, p);
}

static void node_cast(export *x, const char *a, int type, const char *result)
{
    message n = node_begin(x, "Cast", (const char *const[]){a, NULL}, result);

    attribute_int(&n, "to", type);
    node_end(x, &n);
}

/* An input or output: its first dimension is the batch, "N". */
static void value_put(export *x, int number, const char *name, int type, int ndim, const int64_t *shape)
{
    message info = {.e = x->e}, kind = {.e = x->e}, array = {.e = x->e}, dims = {.e = x->e};

    for (int i = 0; i < ndim; i++) {
        message d = {.e = x->e};
        if (i == 0)
            add_text(&d, 2, "N");
        else
            add_int(&d, 1, shape[i]);
        add_message(&dims, 1, &d);
    }
    add_int(&array, 1, type);
    add_message(&array, 2, &dims);
    add_message(&kind, 1, &array);
    add_text(&info, 1, name);
    add_message(&info, 2, &kind);
    add_message(&x->graph, number, &info);
}

/* ---- The input transform --------------------------------------------------------------- */

/* Luma as the transform rounds it: its sums are below 2^24, so floats hold them exactly. */
static void put_luma(export *x, const char *result)
{
    static const float weights[3] = {19595, 38470, 7471}, half = 32768, unit = 1.0f / 65536;

    node_cast(x, "image", FLOAT, "colours");
    tensor_put(x, "luma_weights", 2, (int64_t[]){3, 1}, weights);
    tensor_put(x, "luma_half", 0, NULL, &half);
    tensor_put(x, "luma_unit", 0, NULL, &unit);
    node_plain(x, "MatMul", "colours", "luma_weights", "luma_sum");
    node_plain(x, "Add", "luma_sum", "luma_half", "luma_rounded");
    node_plain(x, "Mul", "luma_rounded", "luma_unit", "luma");
    node_plain(x, "Floor", "luma", NULL, result);
}

/*
 * The grey level of equal luminance: linear light of each channel by a table, their weighted sum in doubles, and a table
 * of the nearest level for each half unit of it; halves are where two levels are equally near.
 */
static int put_luminance(export *x, const lab *l, const char *result)
{
    enum { HALVES = 2 * 65536 };
    /* The weights of lab_gray(), in half units of 65535. */
    static const double weights[3] = {13938 / 32768.0, 46868 / 32768.0, 4730 / 32768.0};
    double linear[256];
    float *level = malloc(HALVES * sizeof *level);

    if (!level)
        return err_nomem(x->e);
    for (int v = 0; v < 256; v++)
        linear[v] = l->linear[v];
    for (int k = 0, v = 0; k < HALVES; k++) {
        /* Up to the middle between a level and the next. */
        while (v < 255 && k >= l->linear[v] + l->linear[v + 1])
            v++;
        level[k] = (float)v;
    }
    node_cast(x, "image", INT32, "levels_of_channels");
    constant_put(x, "linear_light", DOUBLE, 1, (int64_t[]){256}, linear);
    constant_put(x, "luminance_weights", DOUBLE, 2, (int64_t[]){3, 1}, weights);
    tensor_put(x, "level_of_luminance", 1, (int64_t[]){HALVES}, level);
    node_plain(x, "Gather", "linear_light", "levels_of_channels", "light");
    node_plain(x, "MatMul", "light", "luminance_weights", "luminance");
    node_cast(x, "luminance", INT32, "luminance_halves");
    node_plain(x, "Gather", "level_of_luminance", "luminance_halves", result);
    free(level);
    return 0;
}

/* "image" to `result`: (N, H, W, C) bytes to (N, channels, H, W) floats, normalised. */
static int put_transform(export *x, const network_arch *a, const char *result)
{
    const transform *t = &a->input;
    int64_t shape[] = {1, t->channels, 1, 1}; /* a grey image is repeated by it where three channels are wanted */
    float scale[3], offset[3];

    if (a->C == 3 && t->space == SPACE_GRAY)
        put_luma(x, "float");
    else if (a->C == 3 && t->space == SPACE_LAB_L) {
        if (put_luminance(x, &t->lab, "float"))
            return -1;
    } else {
        node_cast(x, "image", FLOAT, "float");
    }
    message n = node_begin(x, "Transpose", (const char *const[]){"float", NULL}, "planes");
    attribute_ints(&n, "perm", 4, (int64_t[]){0, 3, 1, 2});
    node_end(x, &n);
    if (t->space == SPACE_LAB_L && !t->per_image) { /* lightness is no straight line over grey levels */
        tensor_put(x, "lightness", 1, (int64_t[]){256}, t->level[0]);
        node_cast(x, "planes", INT32, "planes_of_levels");
        node_plain(x, "Gather", "lightness", "planes_of_levels", result);
        return 0;
    }
    for (int c = 0; c < t->channels; c++) {
        scale[c] = (float)(t->per_image ? 1 / 255.0 : 1 / (255.0 * t->std[c]));
        offset[c] = (float)(t->per_image ? 0 : -t->mean[c] / t->std[c]);
    }
    tensor_put(x, "scale", 4, shape, scale);
    node_plain(x, "Mul", "planes", "scale", t->per_image ? "levels" : "scaled");
    if (!t->per_image) {
        tensor_put(x, "offset", 4, shape, offset);
        node_plain(x, "Add", "scaled", "offset", result);
        return 0;
    }
    /* Minus the image's mean, over its deviation, which is at least 1 / sqrt(values). */
    float least = (float)(1 / sqrt((double)a->H * a->W * t->channels));
    n = node_begin(x, "ReduceMean", (const char *const[]){"levels", NULL}, "mean");
    attribute_ints(&n, "axes", 3, (int64_t[]){1, 2, 3});
    node_end(x, &n);
    node_plain(x, "Sub", "levels", "mean", "centred");
    node_plain(x, "Mul", "centred", "centred", "squares");
    n = node_begin(x, "ReduceMean", (const char *const[]){"squares", NULL}, "variance");
    attribute_ints(&n, "axes", 3, (int64_t[]){1, 2, 3});
    node_end(x, &n);
    node_plain(x, "Sqrt", "variance", NULL, "spread");
    tensor_put(x, "least", 0, NULL, &least);
    node_plain(x, "Max", "spread", "least", "deviation");
    node_plain(x, "Div", "centred", "deviation", result);
    return 0;
}

/* ---- The encoder ----------------------------------------------------------------------- */

static const char *parameter(const export *x, int i)
{
    return i < 0 ? NULL : graph_param(x->n->g, i)->name;
}

static void put_window(message *n, const vertex_info *v)
{
    attribute_same(n, "kernel_shape", 2, v->kernel);
    attribute_same(n, "strides", 2, v->stride);
    attribute_same(n, "pads", 4, v->pad);
}

static bool is(const vertex_info *v, const char *layer)
{
    return strcmp(v->layer, layer) == 0;
}

/* One vertex; `a` and `b` are its inputs' names. */
static int put_vertex(export *x, const vertex_info *v, const char *a, const char *b, const char *result)
{
    const char *p[4];
    char pooled[64];
    message n;

    for (int i = 0; i < 4; i++)
        p[i] = parameter(x, v->param[i]);
    if (is(v, "conv2d")) {
        n = node_begin(x, "Conv", (const char *const[]){a, p[0], p[1], NULL}, result);
        put_window(&n, v);
        node_end(x, &n);
    } else if (is(v, "batchnorm") && p[0] && p[1]) {
        n = node_begin(x, "BatchNormalization", (const char *const[]){a, p[0], p[1], p[2], p[3], NULL}, result);
        attribute_float(&n, "epsilon", (float)v->eps);
        node_end(x, &n);
    } else if (is(v, "relu")) {
        node_plain(x, "Relu", a, NULL, result);
    } else if (is(v, "add")) {
        node_plain(x, "Add", a, b, result);
    } else if (is(v, "maxpool")) {
        n = node_begin(x, "MaxPool", (const char *const[]){a, NULL}, result);
        put_window(&n, v);
        node_end(x, &n);
    } else if (is(v, "global_avgpool")) {
        snprintf(pooled, sizeof pooled, "%s.map", result);
        node_plain(x, "GlobalAveragePool", a, NULL, pooled);
        node_plain(x, "Flatten", pooled, NULL, result);
    } else if (is(v, "flatten")) {
        node_plain(x, "Flatten", a, NULL, result);
    } else if (is(v, "linear")) {
        n = node_begin(x, "Gemm", (const char *const[]){a, p[0], p[1], NULL}, result);
        attribute_int(&n, "transB", 1);
        node_end(x, &n);
    } else {
        return err_set(x->e, ERR_INPUT, "the layer '%s' has no operator in ONNX here", v->layer);
    }
    return 0;
}

static int put_graph(export *x, const network_arch *a)
{
    const graph *g = x->n->g;
    char name[3][32];
    int C, H, W;

    graph_shape(g, x->n->at.features, &C, &H, &W);
    for (node i = 0; i <= x->n->at.features; i++) {
        vertex_info v = graph_vertex(g, i);
        for (int k = 0; k < 2; k++)
            snprintf(name[k], sizeof name[k], "v%d", k < v.inputs ? v.in[k] : -1);
        snprintf(name[2], sizeof name[2], i == x->n->at.features ? "embedding" : "v%d", i);
        if (strcmp(v.layer, "input") == 0 ? put_transform(x, a, name[2]) : put_vertex(x, &v, name[0], name[1], name[2]))
            return -1;
    }
    for (int i = 0; i < graph_param_count(g); i++) {
        const param_info *p = graph_param(g, i);
        const model_tensor *t = model_need(x->m, p->name, DT_F4, p->ndim, p->shape, x->e);
        if (!t)
            return -1;
        tensor_put(x, p->name, t->ndim, t->shape, t->data);
    }
    add_text(&x->graph, 2, a->enc->name);
    value_put(x, 11, "image", UINT8, 4, (int64_t[]){0, a->H, a->W, a->C});
    value_put(x, 12, "embedding", FLOAT, 2, (int64_t[]){0, C});
    return 0;
}

static int save(reader *r, const export_options *o, int fd, err *e)
{
    model m = {0};
    network n = {0};
    network_arch a;
    export x = {.m = &m, .n = &n, .graph.e = e, .e = e};
    message whole = {.e = e}, operators = {.e = e};
    int rc = -1;

    if (model_read(&m, r, e) || network_arch_read(&a, &m.h, e))
        goto out;
    if (o->channels)
        a.C = (int)o->channels;
    network_take_whole_images(&a);
    snprintf(a.projector, sizeof a.projector, "none");
    if (!a.H) {
        err_set(e, ERR_INPUT, "the model takes vectors; only those that take images are written");
        goto out;
    }
    if (network_build(&n, &a, NULL, NULL, 1, e) || put_graph(&x, &a))
        goto out;
    add_int(&whole, 1, IR_VERSION);
    add_text(&whole, 2, "ssl-tools");
    add_text(&whole, 3, TOOLS_VERSION);
    add_message(&whole, 7, &x.graph);
    add_text(&operators, 1, "");
    add_int(&operators, 2, OPERATORS);
    add_message(&whole, 8, &operators);
    rc = whole.failed ? -1 : io_write(fd, whole.b.p, whole.b.n, e);
out:
    buf_free(&x.graph.b);
    buf_free(&whole.b);
    network_clear(&n);
    model_clear(&m);
    return rc;
}

const export_format export_onnx = {
    "onnx", "an encoder with its input transform, from bytes to embeddings: for ONNX Runtime", NULL, save, NULL, NULL,
};
