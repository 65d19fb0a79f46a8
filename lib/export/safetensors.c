/*
 * safetensors (https://github.com/huggingface/safetensors): the length of a
 * JSON header, 8 bytes little endian; the header, which maps names to types,
 * shapes and places; the bytes.
 *
 * A model's encoder is written under torchvision's names, so that
 * torchvision.models.resnet18().load_state_dict(..., strict=False) takes it; how
 * our network is built stands in the header's metadata. A file without that is
 * recognised as a ResNet by its tensors.
 */
#include "base/io.h"
#include "export/export.h"
#include "nn/network.h"
#include "stream/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 4 << 20 };

static const char prefix[] = "encoder.", own[] = "ssl-tools";

static bool is_safetensors(const uint8_t *p, size_t n)
{
    return n >= 10 && p[8] == '{' && p[5] == 0 && p[6] == 0 && p[7] == 0;
}

/* ---- Writing ------------------------------------------------------------------------ */

static const char *type_name(dtype t)
{
    static const char *const names[] = {[DT_U1] = "U8", [DT_I4] = "I32", [DT_I8] = "I64", [DT_F4] = "F32", [DT_F8] = "F64"};

    return names[t];
}

/* The name in the file, or NULL: what is not the encoder's stays out unless all is wanted, and a trainer's state always. */
static const char *name_of(const model_tensor *t, bool all)
{
    if (strncmp(t->name, prefix, sizeof prefix - 1) == 0)
        return t->name + sizeof prefix - 1;
    return all && strncmp(t->name, "optimizer.", 10) != 0 && strncmp(t->name, "objective.", 10) != 0 ? t->name : NULL;
}

static size_t bytes_of(const model_tensor *t)
{
    return (size_t)tensor_bytes(t->type, t->ndim, t->shape, STREAM_MAX_FRAME);
}

/* Metadata are strings: ours is JSON in one. */
static value *metadata(const model *m, err *e)
{
    value *v = value_map(), *inner = value_map();
    buf text = {0};

    value_set(inner, "model", value_copy(value_get(m->h.extra, "model")));
    value_set(inner, "input_transform", m->h.input_transform ? value_copy(m->h.input_transform) : value_nil());
    value_set(v, "format", value_str("pt"));
    if (value_json(inner, -1, &text, e) == 0)
        value_set(v, own, value_strn((char *)text.p, text.n));
    value_free(inner);
    buf_free(&text);
    return v;
}

static int save_tensors(const model *m, bool all, int fd, err *e)
{
    value *head = value_map();
    buf text = {0};
    uint8_t length[8] = {0};
    size_t at = 0;
    int rc = -1;

    value_set(head, "__metadata__", metadata(m, e));
    for (int i = 0; i < m->n; i++) {
        const model_tensor *t = &m->t[i];
        const char *name = name_of(t, all);
        value *v = value_map(), *shape = value_array(), *place = value_array();
        for (int k = 0; k < t->ndim; k++)
            value_push(shape, value_int(t->shape[k]));
        value_push(place, value_int((int64_t)at));
        value_push(place, value_int((int64_t)(at + bytes_of(t))));
        value_set(v, "dtype", value_str(type_name(t->type)));
        value_set(v, "shape", shape);
        value_set(v, "data_offsets", place);
        if (name) {
            at += bytes_of(t);
            value_set(head, name, v);
        } else {
            value_free(v);
        }
    }
    if (value_failed(head)) {
        err_nomem(e);
        goto out;
    }
    if (value_json(head, -1, &text, e))
        goto out;
    while (text.n % 8) /* the data is aligned */
        if (buf_add(&text, " ", 1, e))
            goto out;
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(text.n >> 8 * i);
    if (io_write(fd, length, sizeof length, e) || io_write(fd, text.p, text.n, e))
        goto out;
    rc = 0;
    for (int i = 0; i < m->n && rc == 0; i++)
        if (name_of(&m->t[i], all))
            rc = io_write(fd, m->t[i].data, bytes_of(&m->t[i]), e);
out:
    value_free(head);
    buf_free(&text);
    return rc;
}

static int save(reader *r, const export_options *o, int fd, err *e)
{
    model m = {0};
    int rc = model_read(&m, r, e);

    if (rc == 0)
        rc = save_tensors(&m, o->all, fd, e);
    model_clear(&m);
    return rc;
}

/* ---- Reading ------------------------------------------------------------------------ */

typedef struct file {
    value *head;
    const uint8_t *data;
    size_t n;
} file;

static int open_file(file *s, const export_file *f, err *e)
{
    uint64_t n = 0;

    *s = (file){0};
    for (int i = 0; i < 8 && f->n >= 8; i++)
        n |= (uint64_t)f->p[i] << 8 * i;
    if (f->n < 8 || n > MAX_HEADER || n > f->n - 8)
        return err_set(e, ERR_INPUT, "the file is truncated");
    s->data = f->p + 8 + n;
    s->n = f->n - 8 - n;
    s->head = json_parse((const char *)f->p + 8, n, e);
    return !s->head ? -1 : s->head->type == VALUE_MAP ? 0 : err_set(e, ERR_INPUT, "the header is no map");
}

/* Tensor `name` of the file, whose entry is v, as one of ours; its bytes are in the file. */
static int tensor_at(const file *s, const char *name, const value *v, tensor *t, err *e)
{
    const value *shape = value_get(v, "shape"), *place = value_get(v, "data_offsets");
    const char *type = value_get_str(v, "dtype", "");

    *t = (tensor){.ndim = -1};
    for (dtype k = 0; k < DT_COUNT; k++)
        if (strcmp(type, type_name(k)) == 0) {
            t->type = k;
            t->ndim = 0;
        }
    if (t->ndim < 0)
        return err_set(e, ERR_INPUT, "'%s' is of the type '%s', which no stream has; convert it to F32", name, type);
    if (!shape || shape->type != VALUE_ARRAY || shape->n > TENSOR_MAX_DIMS || !place || place->type != VALUE_ARRAY || place->n != 2)
        return err_set(e, ERR_INPUT, "'%s' has no sound shape and place", name);
    for (size_t i = 0; i < shape->n; i++)
        t->shape[t->ndim++] = shape->child[i]->type == VALUE_INT ? shape->child[i]->i : -1;
    int64_t bytes = tensor_bytes(t->type, t->ndim, t->shape, STREAM_MAX_FRAME);
    int64_t from = place->child[0]->type == VALUE_INT ? place->child[0]->i : -1, to = place->child[1]->type == VALUE_INT ? place->child[1]->i : -1;
    if (bytes < 0 || from < 0 || to < from || (uint64_t)to > s->n || to - from != bytes)
        return err_set(e, ERR_INPUT, "'%s' has no sound shape and place, or the file is truncated", name);
    t->data = s->data + from;
    t->bytes = (size_t)bytes;
    return 0;
}

static const value *entry(const file *s, const char *format, int a, int b)
{
    char name[64];

    snprintf(name, sizeof name, format, a, b);
    return value_get(s->head, name);
}

static int64_t dimension(const value *v, size_t i)
{
    const value *shape = value_get(v, "shape");

    return shape && shape->type == VALUE_ARRAY && i < shape->n && shape->child[i]->type == VALUE_INT ? shape->child[i]->i : 0;
}

/* A ResNet, told by its blocks; the transform is torchvision's. */
static int recognise(const file *s, int64_t size, value *description, err *e)
{
    static const struct { const char *name; int blocks[4]; bool bottleneck; } known[] = {
        {"resnet10", {1, 1, 1, 1}, false}, {"resnet18", {2, 2, 2, 2}, false}, {"resnet34", {3, 4, 6, 3}, false},
        {"resnet50", {3, 4, 6, 3}, true},  {"resnet20", {3, 3, 3, 0}, false},
    };
    const value *stem = value_get(s->head, "conv1.weight");
    bool bottleneck = entry(s, "layer%d.%d.conv3.weight", 1, 0) != NULL;
    const char *name = NULL;
    int blocks[4] = {0};

    for (int k = 0; k < 4; k++)
        while (blocks[k] < 100 && entry(s, "layer%d.%d.conv1.weight", k + 1, blocks[k]))
            blocks[k]++;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (memcmp(known[i].blocks, blocks, sizeof blocks) == 0 && known[i].bottleneck == bottleneck)
            name = known[i].name;
    int64_t kernel = dimension(stem, 2), width = dimension(stem, 0), C = dimension(stem, 1);
    if (!name || (kernel != 3 && kernel != 7) || (C != 3 && C != 1) || width < 1)
        return err_set(e, ERR_INPUT, "its tensors are of no ResNet that is known here (10, 18, 34, 50, or 20 for CIFAR)");
    int64_t side = size ? size : kernel == 7 ? 224 : 32;
    value *input = value_array();
    value_push(input, value_int(side));
    value_push(input, value_int(side));
    value_push(input, value_int(C));
    value_set(description, "version", value_int(MODEL_VERSION));
    value_set(description, "encoder", value_str(name));
    value_set(description, "width", value_int(width));
    value_set(description, "stem", value_str(kernel == 7 ? "7x7" : "3x3"));
    value_set(description, "input", input);
    value_set(description, "projector", value_str("none"));
    return 0;
}

/* The header of the model that the file holds. */
static int describe(const file *s, const export_file *f, const export_options *o, header *h, err *e)
{
    const char *text = value_get_str(value_get(s->head, "__metadata__"), own, NULL);
    value *meta = NULL, *description = NULL;
    int rc = -1;

    if (header_init(h, KIND_MODEL, e))
        return -1;
    if (text) {
        meta = json_parse(text, strlen(text), e);
        if (!meta) {
            err_prefix(e, "the metadata '%s'", own);
            return -1;
        }
        description = value_copy(value_get(meta, "model"));
        const value *input = value_get(meta, "input_transform");
        if (input && input->type == VALUE_MAP)
            h->input_transform = value_copy(input);
        value_set(description, "projector", value_str("none"));
    } else if ((description = value_map()) && recognise(s, o->size, description, e)) {
        goto out;
    }
    h->extra = value_map();
    value_set(h->extra, "model", description);
    description = NULL;
    rc = value_failed(h->extra) ? err_nomem(e) : export_history(h, f, e);
out:
    value_free(description);
    value_free(meta);
    return rc;
}

/* Each parameter of the network is looked for in the file; what else is there (fc.weight) is no part of an encoder. */
static int write_model(const file *s, const network *n, const header *h, int fd, err *e)
{
    frame scratch = {0};
    writer *w = writer_new(fd, h, e);
    int rc = w ? 0 : -1;

    for (int i = 0; i < graph_param_count(n->g) && rc == 0; i++) {
        const param_info *p = graph_param(n->g, i);
        const value *v = value_get(s->head, p->name + sizeof prefix - 1);
        tensor t;
        char have[128], want[128];
        if (!v)
            rc = err_set(e, ERR_INPUT, "it has no tensor '%s'", p->name + sizeof prefix - 1);
        else if ((rc = tensor_at(s, p->name + sizeof prefix - 1, v, &t, e)) == 0 &&
                 (t.type != DT_F4 || t.ndim != p->ndim || memcmp(t.shape, p->shape, (size_t)t.ndim * sizeof *t.shape) != 0))
            rc = err_set(e, ERR_INPUT, "its tensor '%s' is %s %s; expected <f4 %s", p->name + sizeof prefix - 1, dtype_name(t.type),
                         tensor_shape_text(t.ndim, t.shape, have), tensor_shape_text(p->ndim, p->shape, want));
        else if (rc == 0)
            rc = model_put(w, &scratch, p->name, DT_F4, t.ndim, t.shape, t.data, e);
    }
    if (rc == 0)
        rc = writer_finish(w, 0, e);
    else if (w)
        writer_abort(w, "ssl-convert", e);
    writer_free(w);
    frame_free(&scratch);
    return rc;
}

static int load(const export_file *f, const export_options *o, int fd, err *e)
{
    file s;
    header h = {0};
    network_arch arch;
    network n = {0};
    int rc = -1;

    if (open_file(&s, f, e) || describe(&s, f, o, &h, e) || network_arch_read(&arch, &h, e) || network_arch_write(&arch, &h, e) ||
        network_build(&n, &arch, NULL, NULL, 1, e) || network_declare(&n, &h, e)) {
        stream_abort(fd, f->tool, e);
        goto out;
    }
    rc = write_model(&s, &n, &h, fd, e);
out:
    if (rc)
        err_prefix(e, "'%s'", f->operand);
    network_clear(&n);
    header_clear(&h);
    value_free(s.head);
    return rc;
}

const export_format export_safetensors = {
    "safetensors", "an encoder's weights, under torchvision's names: for PyTorch", is_safetensors, save, load, NULL,
};
