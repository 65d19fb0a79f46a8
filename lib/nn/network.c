#include "nn/network.h"

#include <stdlib.h>
#include <string.h>

/* ---- The description --------------------------------------------------------- */

static int read_sizes(network_arch *a, const value *input, err *e)
{
    int64_t d[3] = {0};

    if (!input || input->type != VALUE_ARRAY || (input->n != 1 && input->n != 3))
        return err_set(e, ERR_INPUT, "the header's 'model' gives no sound 'input'");
    for (size_t i = 0; i < input->n; i++) {
        const value *v = input->child[i];
        d[i] = v->type == VALUE_INT ? v->i : 0;
        if (d[i] < 1 || d[i] > 1 << 24)
            return err_set(e, ERR_INPUT, "the header's 'model' gives no sound 'input'");
    }
    bool images = input->n == 3;
    if (images && d[2] != 1 && d[2] != 3)
        return err_set(e, ERR_INPUT, "the model takes images of %lld channels; expected 1 or 3", (long long)d[2]);
    if (tensor_bytes(DT_F4, (int)input->n, d, STREAM_MAX_FRAME) < 0)
        return err_set(e, ERR_INPUT, "the header's 'model' takes an input over the limit of a frame");
    a->H = images ? (int)d[0] : 0;
    a->W = images ? (int)d[1] : 0;
    a->C = (int)d[images ? 2 : 0];
    return 0;
}

int network_arch_read(network_arch *a, const header *h, err *e)
{
    const value *v = value_get(h->extra, "model");
    const char *name = value_get_str(v, "encoder", ""), *projector = value_get_str(v, "projector", "none");
    int width[PROJECTOR_MAX_LAYERS];

    *a = (network_arch){.enc = encoder_find(name), .options.width = (int)value_get_int(v, "width", 0)};
    if (!a->enc)
        return err_set(e, ERR_INPUT, "its encoder '%s' is not known here", name);
    if (a->options.width < 0 || a->options.width > 4096)
        return err_set(e, ERR_INPUT, "the header's 'model' gives no sound 'width'");
    if (encoder_parse_stem(value_get_str(v, "stem", "auto"), &a->options.stem))
        return err_set(e, ERR_INPUT, "the header's 'model' gives no sound 'stem'");
    if (projector_parse(projector, width, e) < 0 || strlen(projector) >= sizeof a->projector)
        return err_set(e, ERR_INPUT, "the header's 'model' gives no sound 'projector'");
    snprintf(a->projector, sizeof a->projector, "%s", projector);
    if (read_sizes(a, value_get(v, "input"), e))
        return -1;
    return a->H ? transform_resolve(&a->input, h->input_transform, a->C, e) : 0;
}

void network_take_whole_images(network_arch *a)
{
    if (a->input.size[0]) {
        a->H = a->input.size[0];
        a->W = a->input.size[1];
    }
}

int network_arch_write(const network_arch *a, header *h, err *e)
{
    value *v = value_map(), *input = value_array();

    if (a->H) {
        value_push(input, value_int(a->H));
        value_push(input, value_int(a->W));
    }
    value_push(input, value_int(a->C));
    value_set(v, "version", value_int(MODEL_VERSION));
    value_set(v, "encoder", value_str(a->enc->name));
    value_set(v, "width", value_int(a->options.width));
    value_set(v, "stem", value_str(encoder_stem_name(a->options.stem)));
    value_set(v, "input", input);
    value_set(v, "projector", value_str(a->projector));
    if (!h->extra)
        h->extra = value_map();
    if (!h->extra) {
        value_free(v);
        return err_nomem(e);
    }
    value_set(h->extra, "model", v);
    value_free(h->input_transform);
    h->input_transform = a->H ? transform_value(&a->input) : NULL;
    return value_failed(h->extra) || (a->H && !h->input_transform) ? err_nomem(e) : 0;
}

/* ---- The graph ---------------------------------------------------------------- */

int network_build(network *n, const network_arch *a, objective *o, const batch_shape *shape, int threads, err *e)
{
    *n = (network){.g = graph_new(threads, e)};
    if (!n->g)
        return -1;
    n->input = graph_input(n->g, a->H ? a->input.channels : a->C, a->H, a->W);
    n->at.input = n->input;
    n->at.features = encoder_build(a->enc, n->g, n->input, a->options, e);
    if (n->at.features < 0)
        return -1;
    n->at.z = projector_build(n->g, "projector", n->at.features, a->projector);
    return o ? o->type->build(o, n->g, &n->at, shape, e) : 0;
}

void network_clear(network *n)
{
    graph_free(n->g);
    *n = (network){0};
}

void network_fill(network *n, const network_arch *a, const uint8_t *src, int row, int count)
{
    size_t pixels = a->H ? (size_t)a->H * (size_t)a->W : 1;
    size_t in = a->H ? pixels * (size_t)a->C : (size_t)a->C * sizeof(float);
    size_t out = pixels * (size_t)(a->H ? a->input.channels : a->C);
    float *dst = graph_input_data(n->g, n->input) + (size_t)row * out;

    if (!a->H) {
        memcpy(dst, src, (size_t)count * in);
        return;
    }
    for (int i = 0; i < count; i++)
        transform_apply(&a->input, src + (size_t)i * in, a->H, a->W, a->C, dst + (size_t)i * out);
}

/* ---- Parameters ----------------------------------------------------------------- */

int network_load(network *n, const model *m, network_parts parts, err *e)
{
    for (int i = 0; i < graph_param_count(n->g); i++) {
        const param_info *p = graph_param(n->g, i);
        if (parts == PARTS_ENCODER && strncmp(p->name, "encoder.", 8) != 0)
            continue;
        const model_tensor *t = model_need(m, p->name, DT_F4, p->ndim, p->shape, e);
        if (!t)
            return -1;
        graph_set_tensor(n->g, i, t->data);
    }
    return 0;
}

int network_declare(const network *n, header *h, err *e)
{
    for (int i = 0; i < graph_param_count(n->g); i++) {
        const param_info *p = graph_param(n->g, i);
        if (header_set_field(h, p->name, dtype_name(DT_F4), p->ndim, p->shape, e))
            return -1;
    }
    return 0;
}

int network_save(const network *n, writer *w, frame *scratch, err *e)
{
    int rc = 0;

    for (int i = 0; i < graph_param_count(n->g) && rc == 0; i++) {
        const param_info *p = graph_param(n->g, i);
        int64_t bytes = tensor_bytes(DT_F4, p->ndim, p->shape, STREAM_MAX_FRAME);
        float *data = bytes < 0 ? NULL : malloc((size_t)bytes);
        if (!data)
            return bytes < 0 ? err_set(e, ERR_RUN, "parameter '%s' is over the limit of a frame", p->name) : err_nomem(e);
        graph_get_tensor(n->g, i, data);
        rc = model_put(w, scratch, p->name, DT_F4, p->ndim, p->shape, data, e);
        free(data);
    }
    return rc;
}
