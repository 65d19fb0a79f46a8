/* ssl-embed: images in, embeddings out, by any named layer of a model. */
#include "tool.h"

#include "base/progress.h"
#include "image/resize.h"
#include "nn/network.h"
#include "stream/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LAYERS = 256 };

static struct {
    const char *model, *layer;
    int64_t batch, threads, size;
    bool flatten, list_layers, keep;
} o = {.batch = 64};

typedef struct run {
    tool *t;
    bool pixels;        /* -m pixels: no network */
    model m;
    objective obj;
    network_arch arch;  /* for pixels: only H, W, C */
    network net;
    node layer[MAX_LAYERS];
    int width[MAX_LAYERS], layers;
    int D;              /* of the embedding: all layers side by side */

    reader *in;
    writer *w;
    header h;
    image whole, scaled;
    uint8_t *cropped;
    float *row;         /* one embedding */
    frame *frames;      /* of the samples in the batch, begun */
    int n;              /* rows in the batch */
    int64_t done;
    progress bar;
} run;

/* ---- The model ------------------------------------------------------------------------ */

/* With heads only where they are asked for: what no output needs is not computed. */
static int build(run *r, bool heads, err *e)
{
    if (heads && !r->obj.type && objective_init(&r->obj, r->m.h.objective, NULL, 0, e))
        return -1;
    network_clear(&r->net);
    return network_build(&r->net, &r->arch, heads ? &r->obj : NULL, NULL, (int)o.threads, e);
}

/* Whether the model has tensors for all that was built. */
static int check_tensors(const run *r, err *e)
{
    for (int i = 0; i < graph_param_count(r->net.g); i++) {
        const param_info *p = graph_param(r->net.g, i);
        if (!model_need(&r->m, p->name, DT_F4, p->ndim, p->shape, e))
            return err_prefix(e, "model '%s'", o.model);
    }
    return 0;
}

/*
 * With heads where they can be had: a decoder may not fit another size of the images, and then the encoder's layers
 * are all there is. *why says what was in the way; its kind is ERR_NONE where nothing was.
 */
static int build_most(run *r, err *why, err *e)
{
    *why = (err){0};
    return build(r, true, why) || check_tensors(r, why) ? build(r, false, e) : 0;
}

/* A head that compares the inputs of an example with each other says nothing of one image. */
static bool sees_one(const run *r, node x)
{
    return graph_rows(r->net.g, x, 1 << 20) == 1 << 20;
}

static int unknown_layer(const run *r, const char *name, const err *why, err *e)
{
    const char *names[512];
    int n = 0;
    node x;

    for (int i = 0; i < graph_named_count(r->net.g) && n < 512; i++) {
        names[n] = graph_named(r->net.g, i, &x);
        n += sees_one(r, x);
    }
    const char *near = opt_nearest(name, names, n);
    if (near)
        return err_set(e, ERR_USAGE, "the model has no layer '%s'; did you mean '%s'?", name, near);
    if (why->kind != ERR_NONE) { /* it may be a layer of the heads */
        *e = *why;
        return -1;
    }
    return err_set(e, ERR_USAGE, "the model has no layer '%s'; --list-layers names them", name);
}

/* The next name of a list; false at its end. */
static bool next_name(const char **list, char name[256])
{
    size_t n = strcspn(*list, ",");

    if (!**list)
        return false;
    snprintf(name, 256, "%.*s", (int)n, *list);
    *list += n;
    *list += **list == ',';
    return true;
}

static bool has_layers(const run *r)
{
    const char *list = o.layer;
    char name[256];

    while (next_name(&list, name))
        if (graph_find(r->net.g, name) < 0)
            return false;
    return true;
}

static void take(run *r, node x)
{
    int C, H, W;

    graph_shape(r->net.g, x, &C, &H, &W);
    if (H > 0)
        x = o.flatten ? graph_flatten(r->net.g, x) : graph_global_avgpool(r->net.g, x);
    r->layer[r->layers++] = x;
}

/* The nodes that the embedding is read from, pooled or flattened when they are maps. */
static int choose_layers(run *r, err *e)
{
    const char *list = o.layer;
    char name[256];
    err why = {0};

    if (build(r, false, e))
        return -1;
    if (!o.layer) {
        take(r, r->net.at.features);
        return 0;
    }
    if (!has_layers(r) && r->m.h.objective && build_most(r, &why, e))
        return -1;
    while (next_name(&list, name)) {
        node x = graph_find(r->net.g, name);
        if (x < 0)
            return unknown_layer(r, name, &why, e);
        if (r->layers == MAX_LAYERS)
            return err_set(e, ERR_USAGE, "more than %d layers", MAX_LAYERS);
        if (!sees_one(r, x))
            return err_set(e, ERR_USAGE, "layer '%s' sees several inputs of an example at once, so it says nothing of one image", name);
        take(r, x);
    }
    return r->layers ? 0 : err_set(e, ERR_USAGE, "--layer names no layer");
}

/* Whether its inputs were parts of an image, several side by side. */
static bool sees_patches(const run *r)
{
    return value_get_int(value_get(r->m.h.objective, "parameters"), "concat", 1) > 1;
}

static int open_model(run *r, err *e)
{
    if (model_load(&r->m, o.model, e))
        return -1;
    if (network_arch_read(&r->arch, &r->m.h, e))
        return err_prefix(e, "model '%s'", o.model);
    if (!r->arch.H)
        return err_set(e, ERR_INPUT, "model '%s' takes vectors, not images", o.model);
    network_take_whole_images(&r->arch);
    if (o.size)
        r->arch.H = r->arch.W = (int)o.size;
    else if (sees_patches(r) && !r->arch.input.size[0])
        tool_note(r->t, "warning: model '%s' is of patches of images that varied in size, so images are embedded at a patch's "
                  "size, %d x %d; give --size N for more of them", o.model, r->arch.W, r->arch.H);
    return 0;
}

static int compile(run *r, err *e)
{
    int H, W;

    if (choose_layers(r, e))
        return -1;
    for (int i = 0; i < r->layers; i++)
        graph_output(r->net.g, r->layer[i]);
    if (graph_compile(r->net.g, GRAPH_INFER, (int)o.batch, e))
        return -1;
    if (network_load(&r->net, &r->m, PARTS_HEADS, e))
        return err_prefix(e, "model '%s'", o.model);
    for (int i = 0; i < r->layers; i++) {
        graph_shape(r->net.g, r->layer[i], &r->width[i], &H, &W);
        r->D += r->width[i];
    }
    return 0;
}

static int list_layers(run *r, err *e)
{
    err why = {0};

    if (open_model(r, e) || (r->m.h.objective ? build_most(r, &why, e) : build(r, false, e)))
        return -1;
    if (why.kind != ERR_NONE)
        tool_note(r->t, "the encoder's layers alone: %s", why.msg);
    FILE *f = fdopen(dup(r->t->out_fd), "w");
    if (!f)
        return err_sys(e, "cannot write the output");
    for (int i = 0; i < graph_named_count(r->net.g); i++) {
        int C, H, W;
        node x;
        const char *name = graph_named(r->net.g, i, &x);
        if (!sees_one(r, x))
            continue;
        graph_shape(r->net.g, x, &C, &H, &W);
        if (H > 0)
            fprintf(f, "%s\t%d x %d x %d\n", name, C, H, W);
        else
            fprintf(f, "%s\t%d\n", name, C);
    }
    return fclose(f) ? err_sys(e, "cannot write the output") : 0;
}

/* ---- The header ---------------------------------------------------------------------------- */

/* Raw pixels: the size is given, or the stream's own. */
static int pixel_size(run *r, err *e)
{
    int64_t d[TENSOR_MAX_DIMS];

    if (header_field(reader_header(r->in), "image", NULL, d) != 3)
        return err_set(e, ERR_INPUT, "the stream's header declares no images");
    if (o.size > 0)
        d[0] = d[1] = o.size;
    if (d[0] < 1 || d[1] < 1)
        return err_set(e, ERR_INPUT, "the images vary in size; give --size N");
    if (d[2] != 1 && d[2] != 3)
        return err_set(e, ERR_INPUT, "the images vary in channels; use ssl-load --gray, or not, throughout");
    if (tensor_bytes(DT_F4, 3, d, STREAM_MAX_FRAME) < 0)
        return err_set(e, ERR_INPUT, "the images are too large to be embeddings");
    r->arch.H = (int)d[0];
    r->arch.W = (int)d[1];
    r->arch.C = (int)d[2];
    r->D = r->arch.H * r->arch.W * r->arch.C;
    return 0;
}

static value *parameters(const run *r)
{
    value *v = value_map();

    if (r->pixels) {
        value_set(v, "pixels", value_bool(true));
        value_set(v, "height", value_int(r->arch.H));
        value_set(v, "width", value_int(r->arch.W));
    } else {
        value_set(v, "layer", o.layer ? value_str(o.layer) : value_nil());
        value_set(v, "flatten", value_bool(o.flatten));
        value_set(v, "height", value_int(r->arch.H));
        value_set(v, "width", value_int(r->arch.W));
    }
    if (o.keep) /* only then: the histories of those who never asked for it stay the same */
        value_set(v, "keep", value_bool(true));
    return v;
}

static int make_header(run *r, err *e)
{
    header *h = &r->h;
    history_parent from = {"model", NULL};
    int64_t shape[1] = {r->D};

    if (header_copy(h, reader_header(r->in), e))
        return -1;
    free(h->kind);
    h->kind = strdup(KIND_EMBEDDINGS);
    if (!h->kind)
        return err_nomem(e);
    if (!o.keep)
        header_remove_field(h, "image");
    if (header_set_field(h, "embedding", dtype_name(DT_F4), 1, shape, e))
        return -1;
    if (!r->pixels && history_merge(h, r->m.h.history, &from.id, e))
        return -1;
    return history_add(h, "ssl-embed", parameters(r), &from, from.id ? 1 : 0, e);
}

/* ---- Samples ---------------------------------------------------------------------------------- */

/* The image in the model's size: as it is, or resized by its short side and cropped at the centre. */
static int fit(run *r, const tensor *t, const uint8_t **at, err *e)
{
    int h = (int)t->shape[0], w = (int)t->shape[1], c = (int)t->shape[2], H = r->arch.H, W = r->arch.W;

    *at = t->data;
    if (h == H && w == W)
        return 0;
    if (image_shape(&r->whole, h, w, c, e))
        return -1;
    memcpy(r->whole.p, t->data, t->bytes);
    /* The largest centred box of the model's proportions, scaled: the same as scaling, then cropping. */
    double scale = fmin((double)h / H, (double)w / W), bw = W * scale, bh = H * scale;
    if (image_resize(&r->whole, (w - bw) / 2, (h - bh) / 2, bw, bh, W, H, RESAMPLE_BILINEAR, &r->scaled, e))
        return -1;
    *at = r->scaled.p;
    return 0;
}

static const tensor *sample_image(const run *r, const sample *s, err *e)
{
    const tensor *t = sample_tensor(s, "image", DT_U1, 3, e);

    if (!t)
        return NULL;
    int64_t h = t->shape[0], w = t->shape[1], c = t->shape[2];
    if (h < 1 || w < 1 || (c != 1 && c != 3)) {
        char text[128];
        err_set(e, ERR_INPUT, "the image has the shape %s", tensor_shape_text(3, t->shape, text));
        return NULL;
    }
    if (r->pixels && c != r->arch.C) {
        err_set(e, ERR_INPUT, "the image has %lld channels where the stream's header declares %d", (long long)c, r->arch.C);
        return NULL;
    }
    if (r->pixels && !o.size && (h != r->arch.H || w != r->arch.W)) {
        err_set(e, ERR_INPUT, "the image is %lld x %lld where the stream's header declares %d x %d", (long long)w,
                (long long)h, r->arch.W, r->arch.H);
        return NULL;
    }
    return t;
}

static int put_embedding(run *r, frame *f, const float *x, err *e)
{
    int64_t shape[1] = {r->D};
    uint8_t *dst = frame_tensor(f, "embedding", DT_F4, 1, shape);

    if (dst)
        memcpy(dst, x, (size_t)r->D * sizeof *x);
    if (frame_end(f, e) || writer_put(r->w, f, e))
        return -1;
    progress_update(&r->bar, ++r->done, NULL);
    return 0;
}

/* Run what has been gathered. */
static int flush(run *r, err *e)
{
    if (r->n == 0)
        return 0;
    if (graph_forward(r->net.g, r->n, GRAPH_MODE_EVAL, e))
        return -1;
    for (int i = 0; i < r->n; i++) {
        float *to = r->row;
        for (int k = 0; k < r->layers; to += r->width[k++])
            memcpy(to, graph_value(r->net.g, r->layer[k]) + (size_t)i * (size_t)r->width[k], (size_t)r->width[k] * sizeof *to);
        if (put_embedding(r, &r->frames[i], r->row, e))
            return -1;
    }
    r->n = 0;
    return 0;
}

/* The input has paused: what is there goes out, so that a slow source is not held back. */
static int on_wait(void *arg, err *e)
{
    run *r = arg;

    return flush(r, e) || writer_flush(r->w, e) ? -1 : 0;
}

static int add(run *r, const sample *s, err *e)
{
    const tensor *t = sample_image(r, s, e);
    const uint8_t *at;
    frame *f = &r->frames[r->n];

    if (!t || fit(r, t, &at, e))
        return -1;
    frame_begin(f, FRAME_SAMPLE);
    frame_fields_except(f, s, "embedding", o.keep ? (char *)NULL : "image", (char *)NULL);
    if (r->pixels) {
        for (int i = 0; i < r->D; i++)
            r->row[i] = (float)at[i] / 255;
        return put_embedding(r, f, r->row, e);
    }
    network_arch one = r->arch;
    one.C = (int)t->shape[2];
    network_fill(&r->net, &one, at, r->n++, 1);
    return r->n == o.batch ? flush(r, e) : 0;
}

static int embed_all(run *r, err *e)
{
    sample s;
    int rc;

    reader_on_wait(r->in, on_wait, r);
    while ((rc = reader_next(r->in, &s, e)) == 1)
        if (add(r, &s, e))
            return reader_where(r->in, e);
    return rc < 0 || flush(r, e) || writer_finish(r->w, reader_skipped(r->in), e) ? -1 : 0;
}

static int embed(run *r, err *e)
{
    if (!r->pixels && (open_model(r, e) || compile(r, e)))
        return -1;
    r->in = reader_new(r->t->in_fd, 0, e);
    if (!r->in || header_expect(reader_header(r->in), e, KIND_IMAGES, (char *)NULL))
        return -1;
    if ((r->pixels && pixel_size(r, e)) || make_header(r, e))
        return -1;
    r->frames = calloc((size_t)o.batch, sizeof *r->frames);
    r->row = malloc((size_t)r->D * sizeof *r->row);
    if (!r->frames || !r->row)
        return err_nomem(e);
    r->w = writer_new(r->t->out_fd, &r->h, e);
    if (!r->w)
        return -1;
    r->t->writes_stream = false;
    progress_start(&r->bar, 2, r->t->name, "images", 0, reader_header(r->in)->count, r->t->quiet);
    int rc = embed_all(r, e);
    progress_end(&r->bar);
    if (rc)
        writer_abort(r->w, r->t->name, e);
    return rc;
}

static void tear_down(run *r)
{
    for (int i = 0; r->frames && i < o.batch; i++)
        frame_free(&r->frames[i]);
    free(r->frames);
    free(r->row);
    writer_free(r->w);
    reader_free(r->in);
    header_clear(&r->h);
    image_free(&r->whole);
    image_free(&r->scaled);
    objective_clear(&r->obj);
    network_clear(&r->net);
    model_clear(&r->m);
}

static int check(const run *r, err *e)
{
    if (!o.model)
        return err_set(e, ERR_USAGE, "-m MODEL is missing (or -m pixels, for the pixels themselves)");
    if (r->pixels && (o.layer || o.flatten || o.list_layers))
        return err_set(e, ERR_USAGE, "-m pixels has no layers");
    if (!o.list_layers && isatty(r->t->out_fd))
        return err_set(e, ERR_USAGE, "embeddings are no text for a terminal; redirect standard output");
    return 0;
}

static int run_embed(tool *t, err *e)
{
    run r = {.t = t, .pixels = o.model && strcmp(o.model, "pixels") == 0};
    t->writes_stream = !o.list_layers;
    int rc = check(&r, e);

    if (rc == 0 && !t->dry_run)
        rc = o.list_layers ? list_layers(&r, e) : embed(&r, e);
    tear_down(&r);
    return rc;
}

int main(int argc, char **argv)
{
    const opt opts[] = {
        {'m', "model", OPT_STRING, &o.model, "MODEL", "a model or checkpoint of ssl-train; or pixels: the raw pixels", 0, 0},
        {'l', "layer", OPT_STRING, &o.layer, "NAME", "the layer to read (default: the encoder's output), or several,\nside by side: layer2,layer3", 0, 0},
        {0, "flatten", OPT_FLAG, &o.flatten, NULL, "take a map's values one by one (default: their averages by channel)", 0, 0},
        {0, "list-layers", OPT_FLAG, &o.list_layers, NULL, "print the model's layers and their shapes, and stop", 0, 0},
        {0, "size", OPT_INT, &o.size, "N", "make images N x N, resized by the short side and cropped (default:\nthe model's size, for patches that of the whole images)", 1, 16384},
        {0, "keep", OPT_FLAG, &o.keep, NULL, "pass the images on, for ssl-plot's neighbours and maps", 0, 0},
        {'b', "batch", OPT_INT, &o.batch, "N", "images computed together at most (default 64)", 1, 1 << 16},
        {'j', "threads", OPT_INT, &o.threads, "N", "threads (default: all processors given to the process)", 1, 1024},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
    };
    tool t = {
        .name = "ssl-embed",
        .synopsis = "-m MODEL [option ...] < IMAGES > EMBEDDINGS",
        .about = "Runs a stream of images through a model and writes what one of its layers says.",
        .opts = opts,
        .examples = "  ssl-load photos --size 32 | ssl-embed -m rot.model | ssl-probe\n"
                    "  ssl-load photos | ssl-embed -m rot.model --layer layer2 | ssl-probe\n"
                    "  ssl-load photos | ssl-embed -m pixels --size 32 | ssl-probe      # the baseline\n"
                    "  ssl-embed -m rot.model --list-layers\n"
                    "  ssl-load photos --size 32 | ssl-embed -m rot.model --keep | ssl-plot neighbours -o near.png\n",
        .writes_stream = true,
        .run = run_embed,
    };

    return tool_main(&t, argc, argv);
}
