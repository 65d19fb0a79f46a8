#include "nn/trainer.h"

#include "base/rng.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Starting ------------------------------------------------------------------ */

static int start_optimizer(trainer *t, err *e)
{
    graph *g = t->net.g;
    int n = graph_param_count(g), spans = 0;
    optimizer_span *span = malloc((size_t)(n ? n : 1) * sizeof *span);

    if (!span)
        return err_nomem(e);
    for (int i = 0; i < n; i++) {
        const param_info *p = graph_param(g, i);
        if (p->role != PARAM_STATE)
            span[spans++] = (optimizer_span){p->offset, p->count, p->role == PARAM_WEIGHT};
    }
    int rc = optimizer_start(&t->opt, span, spans, graph_weights_count(g), e);
    free(span);
    return rc;
}

int trainer_start(trainer *t, const batch_shape *shape, int size, int64_t distinct, int threads, err *e)
{
    if (t->chunk >= size)
        t->chunk = 0;
    int64_t all = (int64_t)size * (shape ? shape->P : 1), rows = t->chunk ? (int64_t)t->chunk * (shape ? shape->P : 1) : all;

    if (t->chunk && !t->obj.type->chunks)
        return err_set(e, ERR_USAGE, "the objective '%s' takes no batch in chunks", t->obj.type->name);
    if (all > INT_MAX)
        return err_set(e, ERR_RUN, "a batch of %d images with %d inputs each is too large", size, shape->P);
    t->rows = (int)rows;
    if (network_build(&t->net, &t->arch, t->obj.type ? &t->obj : NULL, shape, threads, e))
        return -1;
    graph_output(t->net.g, t->net.at.features);
    if (graph_compile(t->net.g, GRAPH_TRAIN, (int)rows, e))
        return -1;
    graph_init_params(t->net.g, rng_mix_str(t->seed, "ssl-train"));
    if (!shape)
        return 0;
    if (start_optimizer(t, e))
        return -1;
    objective_setting s = {.arch = &t->arch, .batch = size, .chunk = t->chunk, .distinct = distinct, .threads = threads, .seed = t->seed};
    return t->obj.type->start ? t->obj.type->start(&t->obj, t->net.g, &s, e) : 0;
}

void trainer_clear(trainer *t)
{
    objective_clear(&t->obj);
    optimizer_clear(&t->opt);
    network_clear(&t->net);
}

/* ---- A step -------------------------------------------------------------------- */

typedef struct source {
    trainer *t;
    const batch *b;
    const batch_shape *shape;
} source;

/* Rows first..first + n - 1 of the batch into the graph. */
static void fill(void *arg, int first, int n)
{
    const source *s = arg;
    const batch_shape *shape = s->shape;
    size_t values = (shape->H ? (size_t)shape->H * (size_t)shape->W : 1) * (size_t)shape->C;

    network_fill(&s->t->net, &s->t->arch, s->b->input + (size_t)first * values * dtype_size(shape->type), 0, n);
}

static int not_finite(const trainer *t, const batch *b, int i, const char *what, double v, err *e)
{
    return err_set(e, ERR_RUN, "the %s is %s at step %lld, epoch %lld, %s '%s'; a lower --lr may help", what,
                   isnan(v) ? "nan" : "infinite", (long long)t->step + 1, (long long)b->epoch[i < 0 ? 0 : i],
                   i < 0 ? "in the batch that begins with" : "first for", b->key[i < 0 ? 0 : i]);
}

int trainer_step(trainer *t, const batch *b, const batch_shape *shape, err *e)
{
    graph *g = t->net.g;
    objective_result r;
    objective_step s = {.b = b, .shape = shape, .input = graph_input_data(g, t->net.input), .step = t->step,
                        .steps = t->sched.steps};
    source from = {t, b, shape};
    int rows = b->n * shape->P, chunk = t->chunk * shape->P;

    if (graph_forward_chunks(g, rows, chunk, fill, &from, e) || t->obj.type->loss(&t->obj, g, &s, &r, e))
        return -1;
    if (!isfinite(r.loss))
        return not_finite(t, b, r.bad, "loss", r.loss, e);
    if (graph_backward_chunks(g, rows, chunk, fill, &from, e) || (t->obj.type->backward && t->obj.type->backward(&t->obj, g, e)))
        return -1;
    t->grad_norm = optimizer_norm(&t->opt, graph_grads(g));
    if (!isfinite(t->grad_norm))
        return not_finite(t, b, -1, "gradient", t->grad_norm, e);

    double factor = schedule_at(&t->sched, t->step);
    t->lr = factor * optimizer_lr(&t->opt);
    optimizer_step_graph(&t->opt, g, factor);
    if (t->obj.type->update && t->obj.type->update(&t->obj, g, &s, e))
        return -1;

    t->step++;
    t->next_pos = b->pos[b->n - 1] + 1;
    t->epoch = b->epoch[b->n - 1];
    t->meter.loss += r.loss;
    t->meter.correct += r.correct;
    t->meter.counted += r.counted;
    t->meter.steps++;
    return 0;
}

const float *trainer_features(trainer *t, int *D)
{
    int H, W;

    graph_shape(t->net.g, t->net.at.features, D, &H, &W);
    return graph_value(t->net.g, t->net.at.features);
}

int trainer_picture(trainer *t, const batch *b, const batch_shape *shape, int row, objective_picture *p, err *e)
{
    const objective_type *type = t->obj.type;
    objective_step s = {.b = b, .shape = shape, .input = graph_input_data(t->net.g, t->net.input), .step = t->step,
                        .steps = t->sched.steps};

    *p = (objective_picture){0};
    if (!type->picture)
        return err_set(e, ERR_RUN, "the answers of the objective '%s' are no pictures", type->name);
    return type->picture(&t->obj, t->net.g, &s, row, p, e);
}

int trainer_embed(trainer *t, const uint8_t *images, size_t n, float *x, err *e)
{
    size_t bytes = (size_t)t->arch.H * (size_t)t->arch.W * (size_t)t->arch.C, most = (size_t)t->rows;
    int D, H, W;

    graph_shape(t->net.g, t->net.at.features, &D, &H, &W);
    for (size_t at = 0; at < n; at += most) {
        size_t rows = n - at < most ? n - at : most;
        network_fill(&t->net, &t->arch, images + at * bytes, 0, (int)rows);
        /* Whole batches: heads that put inputs side by side take no other number. */
        if (graph_forward(t->net.g, t->rows, GRAPH_MODE_EVAL, e))
            return -1;
        memcpy(x + at * (size_t)D, graph_value(t->net.g, t->net.at.features), rows * (size_t)D * sizeof *x);
    }
    return 0;
}

int trainer_estimate(trainer *t, const batch *b, const batch_shape *shape, err *e)
{
    fill(&(source){t, b, shape}, 0, b->n * shape->P);
    return graph_forward(t->net.g, b->n * shape->P, GRAPH_MODE_ESTIMATE, e);
}

/* ---- Checkpoints ---------------------------------------------------------------- */

/* The name of an optimiser's state for a parameter; NULL when that parameter is not trained. */
static const char *slot_name(const trainer *t, int slot, int i, char name[320])
{
    if (graph_param(t->net.g, i)->role == PARAM_STATE)
        return NULL;
    snprintf(name, 320, "optimizer.%s.%s", t->opt.type->slots[slot], graph_param(t->net.g, i)->name);
    return name;
}

static bool objective_state(const trainer *t, int i, objective_tensor *x, char name[320])
{
    if (!t->obj.type->state || !t->obj.type->state((objective *)&t->obj, i, x))
        return false;
    snprintf(name, 320, "objective.%s", x->name);
    return true;
}

static int declare_state(const trainer *t, header *h, err *e)
{
    objective_tensor x;
    char name[320];

    for (int s = 0; t->opt.type->slots[s]; s++)
        for (int i = 0; i < graph_param_count(t->net.g); i++) {
            const param_info *p = graph_param(t->net.g, i);
            if (slot_name(t, s, i, name) && header_set_field(h, name, dtype_name(DT_F4), p->ndim, p->shape, e))
                return -1;
        }
    for (int i = 0; objective_state(t, i, &x, name); i++)
        if (header_set_field(h, name, dtype_name(x.type), x.ndim, x.shape, e))
            return -1;
    return 0;
}

static int save_state(const trainer *t, writer *w, frame *scratch, err *e)
{
    objective_tensor x;
    char name[320];

    for (int s = 0; t->opt.type->slots[s]; s++)
        for (int i = 0; i < graph_param_count(t->net.g); i++) {
            const param_info *p = graph_param(t->net.g, i);
            if (!slot_name(t, s, i, name))
                continue;
            float *data = malloc((size_t)tensor_bytes(DT_F4, p->ndim, p->shape, STREAM_MAX_FRAME));
            if (!data)
                return err_nomem(e);
            graph_unpack(t->net.g, i, t->opt.slot[s], data);
            int rc = model_put(w, scratch, name, DT_F4, p->ndim, p->shape, data, e);
            free(data);
            if (rc)
                return -1;
        }
    for (int i = 0; objective_state(t, i, &x, name); i++)
        if (model_put(w, scratch, name, x.type, x.ndim, x.shape, x.data, e))
            return -1;
    return 0;
}

static int load_state(trainer *t, const model *m, err *e)
{
    objective_tensor x;
    char name[320];

    for (int s = 0; t->opt.type->slots[s]; s++)
        for (int i = 0; i < graph_param_count(t->net.g); i++) {
            const param_info *p = graph_param(t->net.g, i);
            if (!slot_name(t, s, i, name))
                continue;
            const model_tensor *v = model_need(m, name, DT_F4, p->ndim, p->shape, e);
            if (!v)
                return -1;
            graph_pack(t->net.g, i, v->data, t->opt.slot[s]);
        }
    for (int i = 0; objective_state(t, i, &x, name); i++) {
        const model_tensor *v = model_need(m, name, x.type, x.ndim, x.shape, e);
        if (!v)
            return -1;
        memcpy(x.data, v->data, (size_t)tensor_bytes(x.type, x.ndim, x.shape, STREAM_MAX_FRAME));
    }
    return 0;
}

static int write_counters(const trainer *t, header *h, err *e)
{
    value *v = value_map();

    value_set(v, "step", value_int(t->step));
    value_set(v, "pos", value_int(t->next_pos));
    value_set(v, "epoch", value_int(t->epoch));
    value_set(v, "updates", value_int(t->opt.steps));
    value_set(v, "loss", value_float(t->meter.loss));
    value_set(v, "correct", value_float(t->meter.correct));
    value_set(v, "counted", value_float(t->meter.counted));
    value_set(v, "since_log", value_int(t->meter.steps));
    value_set(h->extra, "train", v);
    return value_failed(h->extra) ? err_nomem(e) : 0;
}

int trainer_checkpoint_pos(const model *m, int64_t *pos, err *e)
{
    const value *v = value_get(m->h.extra, "train");

    *pos = value_get_int(v, "pos", -1);
    if (*pos < 0 || value_get_int(v, "step", -1) < 0)
        return err_set(e, ERR_INPUT, "this is a model but no checkpoint");
    return 0;
}

int trainer_init_from(trainer *t, const model *m, network_parts parts, err *e)
{
    if (network_load(&t->net, m, parts, e))
        return -1;
    if (parts != PARTS_ALL)
        return 0;
    t->opt.steps = value_get_int(value_get(m->h.extra, "train"), "updates", 0);
    return load_state(t, m, e);
}

int trainer_resume(trainer *t, const model *checkpoint, err *e)
{
    const value *v = value_get(checkpoint->h.extra, "train");

    if (trainer_checkpoint_pos(checkpoint, &t->next_pos, e) || trainer_init_from(t, checkpoint, PARTS_ALL, e))
        return -1;
    t->step = value_get_int(v, "step", 0);
    t->epoch = value_get_int(v, "epoch", 0);
    t->meter = (trainer_meter){
        .loss = value_get_float(v, "loss", 0),
        .correct = value_get_float(v, "correct", 0),
        .counted = value_get_float(v, "counted", 0),
        .steps = value_get_int(v, "since_log", 0),
    };
    return 0;
}

/* ---- Saving ----------------------------------------------------------------------- */

static int write_model(const trainer *t, const header *h, bool checkpoint, int fd, err *e)
{
    writer *w = writer_new(fd, h, e);
    frame scratch = {0};
    int rc = -1;

    if (!w)
        return -1;
    if (network_save(&t->net, w, &scratch, e) == 0 && (!checkpoint || save_state(t, w, &scratch, e) == 0))
        rc = writer_finish(w, 0, e);
    if (rc)
        writer_abort(w, "ssl-train", e);
    frame_free(&scratch);
    writer_free(w);
    return rc;
}

int trainer_save(const trainer *t, const header *h, bool checkpoint, int fd, err *e)
{
    header copy;
    int rc = -1;

    if (header_copy(&copy, h, e))
        return -1;
    if (network_declare(&t->net, &copy, e) == 0 &&
        (!checkpoint || (declare_state(t, &copy, e) == 0 && write_counters(t, &copy, e) == 0)))
        rc = write_model(t, &copy, checkpoint, fd, e);
    header_clear(&copy);
    return rc;
}
