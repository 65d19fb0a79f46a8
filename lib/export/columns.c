#include "export/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

column *columns_find(columns *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->c[i].name, name) == 0)
            return &t->c[i];
    return NULL;
}

column *columns_add(columns *t, const char *name, field_type type, err *e)
{
    column *c = &t->c[t->n];

    if (t->n == STREAM_MAX_FIELDS) {
        err_set(e, ERR_INPUT, "more than %d columns", STREAM_MAX_FIELDS);
        return NULL;
    }
    if (columns_find(t, name)) {
        err_set(e, ERR_INPUT, "two columns '%s'", name);
        return NULL;
    }
    *c = (column){.name = strdup(name), .type = type, .size = type == FIELD_STR ? 0 : 8};
    if (!c->name) {
        err_nomem(e);
        return NULL;
    }
    t->n++;
    return c;
}

column *columns_add_tensor(columns *t, const char *name, dtype type, int ndim, const int64_t *shape, err *e)
{
    column *c = columns_add(t, name, FIELD_TENSOR, e);
    int64_t bytes = tensor_bytes(type, ndim, shape, STREAM_MAX_FRAME);

    if (!c)
        return NULL;
    if (bytes < 0) {
        err_set(e, ERR_INPUT, "a row of '%s' is over the limit of a frame", name);
        return NULL;
    }
    c->dtype = type;
    c->ndim = ndim;
    memcpy(c->shape, shape, (size_t)ndim * sizeof *shape);
    c->size = (size_t)bytes;
    return c;
}

void columns_clear(columns *t)
{
    for (int i = 0; i < t->n; i++) {
        free(t->c[i].name);
        buf_free(&t->c[i].data);
    }
    *t = (columns){0};
}

/* ---- From a stream --------------------------------------------------------------- */

static int add_missing(column *c, err *e)
{
    const int64_t none = -1;
    const double nan = NAN;

    c->rows++;
    switch (c->type) {
    case FIELD_INT: return buf_add(&c->data, &none, sizeof none, e);
    case FIELD_FLOAT: return buf_add(&c->data, &nan, sizeof nan, e);
    case FIELD_STR: return buf_add(&c->data, "", 1, e);
    default: return err_set(e, ERR_INPUT, "the field '%s' is missing, which others have", c->name);
    }
}

static column *column_for(columns *t, const field *f, int hint, err *e)
{
    char name[256];

    if (hint < t->n && strlen(t->c[hint].name) == f->name_len && memcmp(t->c[hint].name, f->name, f->name_len) == 0)
        return &t->c[hint];
    snprintf(name, sizeof name, "%.*s", (int)f->name_len, f->name);
    column *c = columns_find(t, name);
    if (c)
        return c;
    c = f->type == FIELD_TENSOR ? columns_add_tensor(t, name, f->t.type, f->t.ndim, f->t.shape, e) : columns_add(t, name, f->type, e);
    while (c && c->rows < t->rows)
        if (add_missing(c, e))
            return NULL;
    return c;
}

static int add_value(column *c, const field *f, err *e)
{
    char have[128], want[128];

    if (c->type != f->type)
        return err_set(e, ERR_INPUT, "the field '%s' is of another type than before", c->name);
    c->rows++;
    switch (f->type) {
    case FIELD_INT: return buf_add(&c->data, &f->i, sizeof f->i, e);
    case FIELD_FLOAT: return buf_add(&c->data, &f->f, sizeof f->f, e);
    case FIELD_STR: return buf_add(&c->data, f->str.p, f->str.n, e) || buf_add(&c->data, "", 1, e) ? -1 : 0;
    case FIELD_TENSOR:
        if (f->t.type != c->dtype || f->t.ndim != c->ndim || memcmp(f->t.shape, c->shape, (size_t)c->ndim * sizeof *c->shape) != 0)
            return err_set(e, ERR_INPUT, "'%s' is %s %s, but %s %s before; a table needs one shape", c->name, dtype_name(f->t.type),
                           tensor_shape_text(f->t.ndim, f->t.shape, have), dtype_name(c->dtype), tensor_shape_text(c->ndim, c->shape, want));
        return buf_add(&c->data, f->t.data, f->t.bytes, e);
    default: return err_set(e, ERR_INPUT, "the field '%s' has no place in a table", c->name);
    }
}

int columns_read(columns *t, reader *r, err *e)
{
    sample s;
    int rc;

    *t = (columns){0};
    while ((rc = reader_next(r, &s, e)) > 0) {
        for (int i = 0; i < s.n; i++) {
            column *c = column_for(t, &s.f[i], i, e);
            if (!c || add_value(c, &s.f[i], e))
                return reader_where(r, e);
        }
        t->rows++;
        for (int i = 0; i < t->n; i++)
            if (t->c[i].rows < t->rows && add_missing(&t->c[i], e))
                return reader_where(r, e);
    }
    if (rc == 0 && t->rows == 0)
        return err_set(e, ERR_INPUT, "the stream has no samples");
    return rc;
}

/* ---- To a stream ------------------------------------------------------------------ */

static const char *kind_of(columns *t)
{
    static const char *const kinds[][2] = {{"embedding", KIND_EMBEDDINGS}, {"cluster", KIND_ASSIGNMENTS}, {"input", KIND_EXAMPLES},
                                           {"views", KIND_VIEWS}, {"image", KIND_IMAGES}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const column *c = columns_find(t, kinds[i][0]);
        if (c && c->type == FIELD_TENSOR)
            return kinds[i][1];
    }
    return NULL;
}

static int64_t integer(const column *c, int64_t row)
{
    int64_t v;

    memcpy(&v, c->data.p + (size_t)row * 8, 8);
    return v;
}

/* The next string of a column, from *at on. */
static const char *string(const column *c, size_t *at)
{
    const char *s = (const char *)c->data.p + *at;

    *at += strlen(s) + 1;
    return s;
}

/* The classes, if labels are indices into their sorted names. */
static int find_classes(columns *t, header *h, err *e)
{
    const column *label = columns_find(t, "label"), *class = columns_find(t, "class");
    const char **names;
    size_t at = 0;
    int64_t n = 0;

    if (!label || !class || label->type != FIELD_INT || class->type != FIELD_STR)
        return 0;
    for (int64_t i = 0; i < t->rows; i++)
        n = integer(label, i) >= n ? integer(label, i) + 1 : n;
    if (n == 0 || n > t->rows)
        return 0;
    if (!(names = calloc((size_t)n, sizeof *names)))
        return err_nomem(e);
    bool good = true;
    for (int64_t i = 0; i < t->rows && good; i++) {
        int64_t l = integer(label, i);
        const char *s = string(class, &at);
        if (l < 0)
            continue;
        good = *s && (!names[l] || strcmp(names[l], s) == 0);
        names[l] = s;
    }
    for (int64_t i = 0; i < n && good; i++)
        good = names[i] && (i == 0 || strcmp(names[i - 1], names[i]) < 0);
    value *list = good ? value_array() : NULL;
    for (int64_t i = 0; i < n && good; i++)
        value_push(list, value_str(names[i]));
    free(names);
    h->classes = list;
    return good && value_failed(list) ? err_nomem(e) : 0;
}

static int describe(columns *t, header *h, const export_file *f, err *e)
{
    const column *epoch = columns_find(t, "epoch");
    const char *kind = kind_of(t);

    if (!kind)
        return err_set(e, ERR_INPUT, "'%s' has no column embedding, cluster or image", f->operand);
    if (header_init(h, kind, e))
        return -1;
    h->count = h->distinct = t->rows;
    for (int64_t i = 0; epoch && epoch->type == FIELD_INT && i < t->rows; i++)
        if (integer(epoch, i) > 0)
            h->distinct = -1;
    for (int i = 0; i < t->n; i++) {
        const column *c = &t->c[i];
        const char *type = c->type == FIELD_INT ? "int" : c->type == FIELD_FLOAT ? "float" : c->type == FIELD_STR ? "str" : dtype_name(c->dtype);
        if (header_set_field(h, c->name, type, c->type == FIELD_TENSOR ? c->ndim : -1, c->shape, e))
            return -1;
    }
    return find_classes(t, h, e) || export_history(h, f, e) ? -1 : 0;
}

/* Keys and indices are the numbers of the rows where the file has none. They come first. */
static int complete(columns *t, err *e)
{
    char text[32];

    for (int which = 1; which >= 0; which--) {
        const char *name = which ? "index" : "key";
        if (columns_find(t, name))
            continue;
        column *c = columns_add(t, name, which ? FIELD_INT : FIELD_STR, e);
        for (int64_t i = 0; c && i < t->rows; i++) {
            snprintf(text, sizeof text, "%lld", (long long)i);
            if (which ? buf_add(&c->data, &i, sizeof i, e) : buf_add(&c->data, text, strlen(text) + 1, e))
                return -1;
        }
        if (!c)
            return -1;
        column last = *c;
        memmove(t->c + 1, t->c, (size_t)(t->n - 1) * sizeof *t->c);
        t->c[0] = last;
    }
    return 0;
}

static void put(frame *f, const column *c, int64_t row, size_t *at)
{
    const uint8_t *p = c->data.p + (size_t)row * c->size;
    double v;

    switch (c->type) {
    case FIELD_INT:
        if (integer(c, row) >= 0)
            frame_int(f, c->name, integer(c, row));
        break;
    case FIELD_FLOAT:
        memcpy(&v, p, sizeof v);
        if (!isnan(v))
            frame_float(f, c->name, v);
        break;
    case FIELD_STR: {
        const char *s = string(c, at);
        if (*s)
            frame_str(f, c->name, s, strlen(s));
        break;
    }
    default: {
        uint8_t *to = frame_tensor(f, c->name, c->dtype, c->ndim, c->shape);
        if (to)
            memcpy(to, p, c->size);
    }
    }
}

int columns_write(columns *t, const export_file *f, int fd, err *e)
{
    header h = {0};
    frame out = {0};
    size_t at[STREAM_MAX_FIELDS] = {0};
    writer *w = NULL;
    int rc = -1;

    if (t->rows == 0)
        err_set(e, ERR_INPUT, "'%s' has no rows", f->operand);
    else if (complete(t, e) == 0 && describe(t, &h, f, e) == 0 && header_check(&h, e) == 0)
        w = writer_new(fd, &h, e);
    if (!w)
        goto out;
    for (int64_t row = 0; row < t->rows; row++) {
        frame_begin(&out, FRAME_SAMPLE);
        for (int i = 0; i < t->n; i++)
            put(&out, &t->c[i], row, &at[i]);
        if (frame_end(&out, e) || writer_put(w, &out, e))
            goto out;
    }
    rc = writer_finish(w, 0, e);
out:
    if (rc && w)
        writer_abort(w, f->tool, e);
    else if (rc)
        stream_abort(fd, f->tool, e);
    writer_free(w);
    frame_free(&out);
    header_clear(&h);
    return rc;
}
