/*
 * From vertices to operations and memory.
 *
 * Time is counted in operations: operation i runs forward at i and, of m,
 * backward at 2m - 1 - i. Every value and gradient has a first and a last
 * moment at which it must exist; buffers whose spans do not meet share memory.
 */
#include "nn/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct span {
    size_t size; /* bytes; 0: not needed */
    int from, to;
    size_t at;
    int same; /* index of the span whose memory this one takes over; -1: none */
} span;

typedef struct plan {
    graph *g;
    span *spans;  /* value and gradient of each vertex, then each op's aux */
    int count;
} plan;

static span *value_span(const plan *p, node x)
{
    return &p->spans[p->g->vertices[x].root];
}

static span *grad_span(const plan *p, node x)
{
    return &p->spans[p->g->count + p->g->vertices[x].root];
}

static span *aux_span(const plan *p, int i)
{
    return &p->spans[2 * p->g->count + i];
}

/* ---- What is needed ---------------------------------------------------------------- */

static void mark_live(graph *g)
{
    for (int i = g->count - 1; i >= 0; i--) {
        vertex *v = &g->vertices[i];
        v->live |= v->output;
        if (!v->live)
            continue;
        for (int j = 0; j < v->inputs; j++) {
            g->vertices[v->in[j]].live = true;
            g->vertices[v->in[j]].uses++;
        }
    }
}

static void mark_grads(graph *g)
{
    for (int i = 0; i < g->count; i++) {
        vertex *v = &g->vertices[i];
        v->needs_grad = v->want_grad && v->layer == &layer_input;
        for (int j = 0; j < 4; j++)
            v->needs_grad |= v->param[j] >= 0 && g->params[v->param[j]].trained;
        for (int j = 0; j < v->inputs; j++)
            v->needs_grad |= g->vertices[v->in[j]].needs_grad;
        if (g->use != GRAPH_TRAIN || !v->live)
            v->needs_grad = false;
    }
}

/* A reshape of whole blocks is no work: it shares its input's memory. */
static void mark_roots(graph *g)
{
    for (int i = 0; i < g->count; i++) {
        vertex *v = &g->vertices[i];
        const vertex *in = v->inputs ? &g->vertices[v->in[0]] : NULL;
        bool view = (v->layer == &layer_flatten && in->pixels == 1) ||
                    (v->layer == &layer_concat_rows && in->C % g->k->lanes == 0) ||
                    (v->layer == &layer_concat_rows && v->parts == 1);
        if (view)
            v->root = in->root;
    }
}

/* ---- Operations ----------------------------------------------------------------------- */

/* The one live consumer of x, if x is read nowhere else; else -1. */
static node only_consumer(const graph *g, node x)
{
    const vertex *v = &g->vertices[x];

    if (v->uses != 1 || v->output)
        return -1;
    for (int i = x + 1; i < g->count; i++) {
        const vertex *c = &g->vertices[i];
        for (int j = 0; c->live && j < c->inputs; j++)
            if (c->in[j] == x)
                return i;
    }
    return -1;
}

/* The operation takes a following addition and ReLU with it. */
static void fuse_tail(const graph *g, op *o, bool *done)
{
    node next = only_consumer(g, o->y);

    if (next >= 0 && g->vertices[next].layer == &layer_add && !done[next]) {
        const vertex *sum = &g->vertices[next];
        o->other = sum->in[sum->in[0] == o->y];
        o->y = next;
        done[next] = true;
        next = only_consumer(g, o->y);
    }
    if (next >= 0 && g->vertices[next].layer == &layer_relu) {
        o->relu = true;
        o->y = next;
        done[next] = true;
    }
}

static bool convolves(const op *o)
{
    return o->layer == &layer_conv2d || o->layer == &layer_linear;
}

/* With running statistics a batch normalisation is part of the convolution's or linear layer's weights. */
static void fold_norm(const graph *g, op *o, bool *done)
{
    node next = only_consumer(g, o->y);

    if (next < 0 || g->vertices[next].layer != &layer_batchnorm)
        return;
    o->norm = next;
    o->y = next;
    done[next] = true;
}

static int by_output(const void *a, const void *b)
{
    return ((const op *)a)->y - ((const op *)b)->y;
}

static int build_ops(graph *g, err *e)
{
    bool *done = calloc((size_t)g->count + 1, sizeof *done);

    g->ops = calloc((size_t)g->count + 1, sizeof *g->ops);
    if (!done || !g->ops) {
        free(done);
        return err_nomem(e);
    }
    for (int i = 0; i < g->count; i++) {
        const vertex *v = &g->vertices[i];
        if (!v->live || done[i] || v->root != i)
            continue;
        op *o = &g->ops[g->op_count++];
                *o = (op){.layer = v->layer, .v = i, .x = v->in[0], .norm = -1, .other = v->inputs > 1 ? v->in[1] : -1, .y = i,
                  .report = {-1, -1, -1}};
        bool weighted = convolves(o);
        if (weighted && g->use == GRAPH_INFER)
            fold_norm(g, o, done);
        if (v->layer == &layer_batchnorm || (weighted && g->use == GRAPH_INFER))
            fuse_tail(g, o, done);
    }
    free(done);
    /* A chain runs where its last layer stands: then its other input exists. */
    qsort(g->ops, (size_t)g->op_count, sizeof *g->ops, by_output);
    return 0;
}

/*
 * A normalisation between two convolutions costs no pass over memory going
 * forward: the first sums its output's statistics while it writes, the second
 * applies scale, shift and ReLU while it reads.
 */
static void link_ops(graph *g)
{
    for (int i = 0; i < g->op_count; i++) {
        op *norm = &g->ops[i];
        if (norm->layer != &layer_batchnorm)
            continue;
        node next = norm->relu && norm->other < 0 ? only_consumer(g, norm->y) : -1;
        for (int j = 0; j < g->op_count; j++) {
            op *o = &g->ops[j];
            if (convolves(o) && o->y == norm->x)
                norm->producer = o;
            if (convolves(o) && o->v == next) {
                norm->reader = o;
                o->pre = norm;
            }
        }
    }
}

/* ---- Spans --------------------------------------------------------------------------------- */

static void reach(span *s, int at)
{
    if (at < s->from)
        s->from = at;
    if (at > s->to)
        s->to = at;
}

static size_t value_bytes(const graph *g, const vertex *v)
{
    return line_up(row_size(g, v) * (size_t)(g->batch / v->div ? g->batch / v->div : 1)) * sizeof(float);
}

static void open_span(span *s, size_t size, int at)
{
    if (s->size < size)
        s->size = size;
    reach(s, at);
}

/* An input is converted to blocks unless it is blocked as it stands or every reader takes it plain. */
static bool converts_input(const graph *g, node x)
{
    const vertex *v = &g->vertices[x];
    bool plain_readers = true;

    for (int i = x + 1; i < g->count; i++) {
        const vertex *c = &g->vertices[i];
        for (int j = 0; c->live && j < c->inputs; j++)
            plain_readers &= c->in[j] != x || reads_plain(g, c);
    }
    return !plain_readers && !(v->pixels == 1 && v->C % g->k->lanes == 0);
}

static void value_spans(plan *p)
{
    graph *g = p->g;
    int m = g->op_count, end = 2 * m;

    for (int i = 0; i < m; i++) {
        const op *o = &g->ops[i];
        int back = 2 * m - 1 - i;
        if (!o->reader && (o->layer != &layer_input || converts_input(g, o->y)))
            open_span(value_span(p, o->y), value_bytes(g, root_of(g, o->y)), i);
        if (o->x >= 0)
            reach(value_span(p, o->pre ? o->pre->x : o->x), o->keep_x && g->use == GRAPH_TRAIN ? back : i);
        if (o->other >= 0)
            reach(value_span(p, o->other), i);
        if (o->keep_y && g->use == GRAPH_TRAIN)
            reach(value_span(p, o->y), back);
        if (o->aux) {
            open_span(aux_span(p, i), o->aux, i);
            reach(aux_span(p, i), g->use == GRAPH_TRAIN ? back : i);
        }
    }
    for (node x = 0; x < g->count; x++)
        if (g->vertices[x].output)
            reach(value_span(p, x), end);
}

/* True if the gradient of x has been written before; from now on it has been. */
static bool written(bool *seen, const graph *g, node x)
{
    bool before = seen[g->vertices[x].root];

    seen[g->vertices[x].root] = true;
    return before;
}

/* The gradient of `to` may be written over that of `from`, which nothing needs afterwards. */
static void take_over(plan *p, node from, node to)
{
    span *s = grad_span(p, to);

    if (s->same < 0 && s->size == grad_span(p, from)->size)
        s->same = (int)(grad_span(p, from) - p->spans);
}

static int grad_spans(plan *p, err *e)
{
    graph *g = p->g;
    int m = g->op_count;
    bool *seen = calloc((size_t)g->count, sizeof *seen);

    if (!seen)
        return err_nomem(e);
    for (node x = 0; x < g->count; x++) {
        vertex *v = &g->vertices[x];
        if (v->output && root_of(g, x)->needs_grad) {
            /* Cleared when the forward pass ends. */
            open_span(grad_span(p, x), value_bytes(g, root_of(g, x)), m - 1);
            written(seen, g, x);
        }
    }
    for (int i = m - 1; i >= 0; i--) {
        op *o = &g->ops[i];
        int back = 2 * m - 1 - i;
        if (!g->vertices[o->y].needs_grad)
            continue;
        /* Every live vertex leads to an output, so its gradient is there by now. */
        reach(grad_span(p, o->y), back);
        bool in_place = o->layer == &layer_batchnorm || o->layer == &layer_relu || o->layer == &layer_add;
        /* The residual's gradient is written first (it is the masked gradient itself), then x's. */
        if (o->other >= 0 && g->vertices[o->other].needs_grad) {
            o->other_grad = true;
            open_span(grad_span(p, o->other), value_bytes(g, root_of(g, o->other)), back);
            o->other_accumulate = written(seen, g, o->other);
            if (!o->other_accumulate && in_place) {
                take_over(p, o->y, o->other);
                in_place = false;
            }
        }
        if (o->x >= 0 && g->vertices[o->x].needs_grad) {
            o->x_grad = true;
            open_span(grad_span(p, o->x), value_bytes(g, root_of(g, o->x)), back);
            o->x_accumulate = written(seen, g, o->x);
            if (!o->x_accumulate && in_place)
                take_over(p, o->y, o->x);
        }
    }
    free(seen);
    return 0;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static int larger_first(const void *a, const void *b)
{
    const span *x = *(span *const *)a, *y = *(span *const *)b;

    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x < y ? -1 : x > y;
}

static bool meet(const span *a, const span *b)
{
    return a->from <= b->to && b->from <= a->to;
}

/* The lowest address that no placed span occupies while s lives: greedy by size, as in Pisarchyk and Lee 2020. */
static size_t lowest(span *const *placed, int count, const span *s)
{
    size_t at = 0;

    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const span *q = placed[i];
            if (meet(q, s) && at < q->at + q->size && q->at < at + s->size) {
                at = q->at + q->size;
                moved = true;
            }
        }
    }
    return at;
}

static int place(plan *p, size_t *total, err *e)
{
    span **order = calloc((size_t)p->count + 1, sizeof *order);
    int n = 0;

    if (!order)
        return err_nomem(e);
    /* A span that takes over another's memory lengthens it. */
    for (int i = 0; i < p->count; i++) {
        span *s = &p->spans[i];
        if (s->size == 0)
            continue;
        span *first = s;
        while (first->same >= 0)
            first = &p->spans[first->same];
        if (first == s)
            order[n++] = s;
        else {
            reach(first, s->from);
            reach(first, s->to);
        }
    }
    qsort(order, (size_t)n, sizeof *order, larger_first);
    for (int i = 0; i < n; i++) {
        order[i]->at = lowest(order, i, order[i]);
        if (order[i]->at + order[i]->size > *total)
            *total = order[i]->at + order[i]->size;
    }
    for (int i = 0; i < p->count; i++) {
        span *first = &p->spans[i];
        while (first->same >= 0)
            first = &p->spans[first->same];
        p->spans[i].at = first->at;
    }
    free(order);
    return 0;
}

typedef struct clearing {
    char *p;
    size_t bytes;
} clearing;

enum { CLEAR_BYTES = 2 << 20 }; /* by one job */

/* The threads share the first touch of the pages, which is what takes the time. */
static void clear_job(void *arg, int job, int thread)
{
    const clearing *c = arg;
    size_t at = (size_t)job * CLEAR_BYTES, left = c->bytes - at;

    (void)thread;
    memset(c->p + at, 0, left < CLEAR_BYTES ? left : CLEAR_BYTES);
}

static void *zeroed(graph *g, size_t bytes)
{
    clearing c = {graph_allocate(bytes), bytes};

    if (c.p && bytes > 4 * CLEAR_BYTES)
        graph_run(g, (int)((bytes + CLEAR_BYTES - 1) / CLEAR_BYTES), clear_job, &c);
    else if (c.p)
        memset(c.p, 0, bytes);
    return c.p;
}

static int allocate_arenas(graph *g, err *e)
{
    g->weights = zeroed(g, g->weight_count * sizeof(float));
    g->states = zeroed(g, g->state_count * sizeof(float));
    if (g->use == GRAPH_TRAIN)
        g->grads = zeroed(g, g->weight_count * sizeof(float));
    return !g->weights || !g->states || (g->use == GRAPH_TRAIN && !g->grads) ? err_nomem(e) : 0;
}

/* Arrays that the caller reads and writes in plain order. */
static int allocate_plain(graph *g, err *e)
{
    for (node x = 0; x < g->count; x++) {
        vertex *v = &g->vertices[x];
        bool input = v->layer == &layer_input;
        if (!input && !v->output)
            continue;
        size_t bytes = (size_t)v->C * v->pixels * (size_t)(g->batch / v->div ? g->batch / v->div : 1) * sizeof(float);
        bool direct = v->pixels == 1 && v->C % g->k->lanes == 0;
        if ((input || !direct) && !(v->plain_value = zeroed(g, bytes)))
            return err_nomem(e);
        /* An output that shares another's memory has a gradient of its own. */
        if (g->use == GRAPH_TRAIN && (input ? v->want_grad : !direct || v->root != x || !v->needs_grad) &&
            !(v->plain_grad = zeroed(g, bytes)))
            return err_nomem(e);
    }
    return 0;
}

/* The memory is not cleared: pages that are never used are never touched. Padding channels are written by every kernel. */
static int allocate_memory(plan *p, err *e)
{
    graph *g = p->g;
    size_t total = 0, shared = 0;

    if (place(p, &total, e) != 0)
        return -1;
    for (int i = 0; i < g->op_count; i++) {
        const op *o = &g->ops[i];
        if (g->scratch_size < o->scratch)
            g->scratch_size = o->scratch;
        if (shared < o->shared)
            shared = o->shared;
    }
    g->scratch_size = line_up(g->scratch_size);
    shared = line_up(shared);
    size_t scratch_bytes = g->scratch_size * sizeof(float) * (size_t)team_threads(g->team);
    g->memory_size = total + scratch_bytes + shared * sizeof(float) + 64;
    g->memory = graph_allocate(g->memory_size);
    if (!g->memory)
        return err_nomem(e);
    g->scratch = (float *)(g->memory + total);
    g->shared = (float *)(g->memory + total + scratch_bytes);

    for (node x = 0; x < g->count; x++) {
        vertex *v = &g->vertices[x];
        if (value_span(p, x)->size && v->root == x)
            v->value = (float *)(g->memory + value_span(p, x)->at);
        if (grad_span(p, x)->size && v->root == x)
            v->grad = (float *)(g->memory + grad_span(p, x)->at);
        /* An input of whole blocks needs no conversion. */
        if (v->layer == &layer_input && v->pixels == 1 && v->C % g->k->lanes == 0) {
            v->value = v->plain_value;
            if (v->plain_grad)
                v->grad = v->plain_grad;
        }
    }
    for (int i = 0; i < g->op_count; i++)
        if (g->ops[i].aux)
            g->ops[i].aux_data = g->memory + aux_span(p, i)->at;
    return 0;
}

void op_report(graph *g, op *o, int pass, const char *kernel, double gflop)
{
    const vertex *v = &g->vertices[o->v];
    layer_report *r = &g->reports[g->report_count];
    char *name = NULL;
    const char *of = v->param[0] >= 0   ? g->params[v->param[0]].info.name
                     : v->param[2] >= 0 ? g->params[v->param[2]].info.name
                                        : NULL;
    const char *dot = of ? strrchr(of, '.') : NULL;

    /* The layer's name is its parameters' prefix, or its kind. */
    if ((dot ? asprintf(&name, "%.*s", (int)(dot - of), of) : asprintf(&name, "%s", o->layer->name)) < 0)
        name = NULL;
    *r = (layer_report){.name = name, .kernel = kernel, .pass = pass, .gflop = gflop};
    o->report[pass] = g->report_count++;
}

int graph_compile_plan(graph *g, err *e)
{
    plan p = {.g = g};
    int rc = -1;

    mark_live(g);
    mark_grads(g);
    mark_roots(g);
    if (allocate_arenas(g, e) != 0 || build_ops(g, e) != 0)
        return -1;
    g->reports = calloc((size_t)g->op_count * 3 + 1, sizeof *g->reports);
    p.count = 2 * g->count + g->op_count;
    p.spans = calloc((size_t)p.count + 1, sizeof *p.spans);
    if (!p.spans || !g->reports) {
        err_nomem(e);
        goto out;
    }
    for (int i = 0; i < p.count; i++)
        p.spans[i] = (span){.from = 2 * g->op_count + 1, .to = -1, .same = -1};

    if (g->use == GRAPH_TRAIN) {
        link_ops(g);
        if (grad_spans(&p, e) != 0)
            goto out;
    }
    for (int i = 0; i < g->op_count; i++)
        if (g->ops[i].layer->plan(g, &g->ops[i], e) != 0)
            goto out;
    value_spans(&p);
    if (allocate_plain(g, e) == 0 && allocate_memory(&p, e) == 0)
        rc = 0;
out:
    free(p.spans);
    return rc;
}
