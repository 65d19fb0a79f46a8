/*
 * Samples are read by the walk alone. It has to decode every head to find the
 * bounds, so nothing is left for msgpack-c to do, and nothing is allocated: a
 * field of a million nils costs nobody a million objects.
 */
#include "stream/stream.h"
#include "stream/walk.h"

#include <stdio.h>
#include <string.h>

static int malformed(err *e)
{
    return err_set(e, ERR_INPUT, "malformed msgpack");
}

static int is_head(const uint8_t **p, const uint8_t *end, head_type type, head *h)
{
    return walk_head(p, end, h) == 0 && h->type == type;
}

/*
 * The tensor [dtype, [shape...], bin] at p: 1 when it is one, 0 when it is
 * something else (or a dtype of the future), -1 when it contradicts itself.
 */
static int parse_tensor(field *f, const uint8_t *p, const uint8_t *end, err *e)
{
    tensor *t = &f->t;
    head h;

    if (!is_head(&p, end, HEAD_ARRAY, &h) || h.n != 3 || !is_head(&p, end, HEAD_STR, &h))
        return 0;
    int type = dtype_parse((const char *)p, h.n);
    p += h.n;
    if (type < 0 || !is_head(&p, end, HEAD_ARRAY, &h))
        return 0;
    if (h.n > TENSOR_MAX_DIMS)
        return err_set(e, ERR_INPUT, "field '%.*s': %u dimensions are above the limit of %d", (int)f->name_len, f->name, h.n,
                       TENSOR_MAX_DIMS);
    t->type = (dtype)type;
    t->ndim = (int)h.n;
    for (int i = 0; i < t->ndim; i++) {
        if (!is_head(&p, end, HEAD_INT, &h))
            return err_set(e, ERR_INPUT, "field '%.*s': a dimension is not an integer", (int)f->name_len, f->name);
        t->shape[i] = h.i;
    }
    if (!is_head(&p, end, HEAD_BIN, &h))
        return err_set(e, ERR_INPUT, "field '%.*s': a tensor without bytes", (int)f->name_len, f->name);

    char shape[128];
    if (tensor_bytes(t->type, t->ndim, t->shape, INT64_MAX) != (int64_t)h.n)
        return err_set(e, ERR_INPUT, "field '%.*s': %u bytes do not fill the shape %s of %s", (int)f->name_len, f->name, h.n,
                       tensor_shape_text(t->ndim, t->shape, shape), dtype_name(t->type));
    t->data = p;
    t->bytes = h.n;
    f->type = FIELD_TENSOR;
    return 1;
}

static int parse_value(field *f, const uint8_t **p, const uint8_t *end, err *e)
{
    const uint8_t *start = *p;
    head h;

    f->type = FIELD_OTHER;
    if (walk_head(p, end, &h))
        return malformed(e);
    switch (h.type) {
    case HEAD_INT:
        f->type = FIELD_INT;
        f->i = h.i;
        return 0;
    case HEAD_FLOAT:
        f->type = FIELD_FLOAT;
        f->f = h.f;
        return 0;
    case HEAD_STR:
        f->type = FIELD_STR;
        f->str.p = (const char *)*p;
        f->str.n = h.n;
        *p += h.n;
        return 0;
    case HEAD_ARRAY: {
        int rc = parse_tensor(f, start, end, e);
        if (rc < 0)
            return -1;
        if (rc) {
            *p = f->t.data + f->t.bytes;
            return 0;
        }
        break;
    }
    default:
        break;
    }

    size_t values = SIZE_MAX; /* bounded by the bytes; none is kept */
    *p = start;
    int rc = walk_skip(p, end, STREAM_MAX_DEPTH - 1, &values);
    if (rc == -2)
        return err_set(e, ERR_INPUT, "field '%.*s' is nested deeper than the limit of %d", (int)f->name_len, f->name, STREAM_MAX_DEPTH);
    return rc ? malformed(e) : 0;
}

int sample_parse(sample *s, const uint8_t *p, size_t n, err *e)
{
    const uint8_t *end = p + n;
    head h;

    s->n = 0;
    if (!is_head(&p, end, HEAD_MAP, &h))
        return malformed(e);
    if (h.n > STREAM_MAX_FIELDS)
        return err_set(e, ERR_INPUT, "%u fields are above the limit of %d", h.n, STREAM_MAX_FIELDS);
    for (uint32_t k = h.n; k > 0; k--) {
        field *f = &s->f[s->n];
        f->raw = p;
        if (!is_head(&p, end, HEAD_STR, &h))
            return err_set(e, ERR_INPUT, "the name of field %d is not a string", s->n + 1);
        f->name = (const char *)p;
        f->name_len = h.n;
        p += h.n;
        /* Readers differ in which of two equal names they believe. */
        for (int i = 0; i < s->n; i++)
            if (s->f[i].name_len == f->name_len && memcmp(s->f[i].name, f->name, f->name_len) == 0)
                return err_set(e, ERR_INPUT, "two fields are named '%.*s'", (int)f->name_len, f->name);
        if (parse_value(f, &p, end, e))
            return -1;
        f->raw_len = (size_t)(p - f->raw);
        s->n++;
    }
    return p == end ? 0 : err_set(e, ERR_INPUT, "%zu bytes too many after the fields", (size_t)(end - p));
}

const field *sample_find(const sample *s, const char *name)
{
    size_t n = strlen(name);

    for (int i = 0; i < s->n; i++)
        if (s->f[i].name_len == n && memcmp(s->f[i].name, name, n) == 0)
            return &s->f[i];
    return NULL;
}

const tensor *sample_tensor(const sample *s, const char *name, dtype type, int ndim, err *e)
{
    const field *f = sample_find(s, name);
    char shape[128];

    if (!f)
        err_set(e, ERR_INPUT, "there is no field '%s'", name);
    else if (f->type != FIELD_TENSOR)
        err_set(e, ERR_INPUT, "field '%s' is not a tensor", name);
    else if (f->t.type != type)
        err_set(e, ERR_INPUT, "field '%s' is %s; expected %s", name, dtype_name(f->t.type), dtype_name(type));
    else if (ndim >= 0 && f->t.ndim != ndim)
        err_set(e, ERR_INPUT, "field '%s' has the shape %s; expected %d dimensions", name,
                tensor_shape_text(f->t.ndim, f->t.shape, shape), ndim);
    else
        return &f->t;
    return NULL;
}

int64_t sample_int(const sample *s, const char *name, int64_t otherwise)
{
    const field *f = sample_find(s, name);

    return f && f->type == FIELD_INT ? f->i : otherwise;
}

const char *sample_str(const sample *s, const char *name, char *out, size_t size)
{
    const field *f = sample_find(s, name);
    size_t n = f && f->type == FIELD_STR ? f->str.n : 0;

    if (n >= size)
        n = size - 1;
    if (n)
        memcpy(out, f->str.p, n);
    out[n] = '\0';
    return out;
}

int sample_where(const sample *s, int64_t number, err *e)
{
    char key[256];

    sample_str(s, "key", key, sizeof key);
    /* Keys are free of controls, but a foreign stream's may not be, and this goes to a terminal. */
    for (char *p = key; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (*key)
        return err_prefix(e, "sample %lld '%s'", (long long)number, key);
    return err_prefix(e, "sample %lld", (long long)number);
}
