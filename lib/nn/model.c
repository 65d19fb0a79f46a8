#include "nn/model.h"

#include "base/io.h"
#include "nn/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one tensor of a sample. */
static const field *only_tensor(const sample *s, err *e)
{
    const field *found = NULL;

    for (int i = 0; i < s->n; i++) {
        if (s->f[i].type != FIELD_TENSOR)
            continue;
        if (found) {
            err_set(e, ERR_INPUT, "more than one tensor in a sample of a model");
            return NULL;
        }
        found = &s->f[i];
    }
    if (!found)
        err_set(e, ERR_INPUT, "no tensor in a sample of a model");
    return found;
}

static int add_tensor(model *m, const sample *s, err *e)
{
    const field *f = only_tensor(s, e);

    if (!f)
        return -1;
    if ((m->n & (m->n - 1)) == 0) { /* doubled at each power of two */
        model_tensor *t = realloc(m->t, (size_t)(m->n ? 2 * m->n : 1) * sizeof *t);
        if (!t)
            return err_nomem(e);
        m->t = t;
    }
    model_tensor *t = &m->t[m->n];
    *t = (model_tensor){.type = f->t.type, .ndim = f->t.ndim};
    memcpy(t->shape, f->t.shape, sizeof t->shape);
    t->name = strndup(f->name, f->name_len);
    t->data = graph_allocate(f->t.bytes);
    m->n++; /* from here on model_clear() frees it */
    if (!t->name || !t->data)
        return err_nomem(e);
    memcpy(t->data, f->t.data, f->t.bytes);
    return 0;
}

static int check_version(const header *h, err *e)
{
    const value *v = value_get(h->extra, "model");

    if (!v)
        return err_set(e, ERR_INPUT, "the header does not describe the model");
    int64_t version = value_get_int(v, "version", -1);
    if (version != MODEL_VERSION)
        return err_set(e, ERR_INPUT, "the model is of version %lld; this program reads version %d", (long long)version,
                       MODEL_VERSION);
    return 0;
}

int model_read(model *m, reader *r, err *e)
{
    sample s;
    int rc;

    *m = (model){0};
    if (header_expect(reader_header(r), e, KIND_MODEL, (char *)NULL) || header_copy(&m->h, reader_header(r), e) ||
        check_version(&m->h, e))
        return -1;
    while ((rc = reader_next(r, &s, e)) == 1)
        if (add_tensor(m, &s, e))
            return reader_where(r, e);
    return rc;
}

int model_load(model *m, const char *path, err *e)
{
    *m = (model){0};
    int fd = io_open_read(path, e);

    if (fd < 0)
        return -1;
    reader *r = reader_new(fd, 0, e);
    int rc = r ? model_read(m, r, e) : -1;
    reader_free(r);
    close(fd);
    if (rc) {
        /* The tool that failed while writing this file did not speak to this user. */
        if (e->kind == ERR_ABORTED)
            e->kind = ERR_INPUT;
        err_prefix(e, "model '%s'", path);
    }
    return rc;
}

void model_clear(model *m)
{
    for (int i = 0; i < m->n; i++) {
        free(m->t[i].name);
        free(m->t[i].data);
    }
    free(m->t);
    header_clear(&m->h);
    *m = (model){0};
}

const model_tensor *model_find(const model *m, const char *name)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->t[i].name, name) == 0)
            return &m->t[i];
    return NULL;
}

const model_tensor *model_need(const model *m, const char *name, dtype type, int ndim, const int64_t *shape, err *e)
{
    const model_tensor *t = model_find(m, name);
    char have[128], want[128];

    if (!t) {
        err_set(e, ERR_INPUT, "it has no tensor '%s'", name);
        return NULL;
    }
    if (t->type != type || t->ndim != ndim || memcmp(t->shape, shape, (size_t)ndim * sizeof *shape) != 0) {
        err_set(e, ERR_INPUT, "its tensor '%s' is %s %s; expected %s %s", name, dtype_name(t->type),
                tensor_shape_text(t->ndim, t->shape, have), dtype_name(type), tensor_shape_text(ndim, shape, want));
        return NULL;
    }
    return t;
}

int model_put(writer *w, frame *scratch, const char *name, dtype type, int ndim, const int64_t *shape, const void *data,
              err *e)
{
    frame_begin(scratch, FRAME_SAMPLE);
    frame_str(scratch, "key", name, strlen(name));
    uint8_t *dst = frame_tensor(scratch, name, type, ndim, shape);
    if (dst)
        memcpy(dst, data, (size_t)tensor_bytes(type, ndim, shape, STREAM_MAX_FRAME));
    return frame_end(scratch, e) ? -1 : writer_put(w, scratch, e);
}
