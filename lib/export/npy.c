/*
 * NumPy's .npy and .npz
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 *
 * An npz has an array for each field, one row a sample: numpy.load(f)["embedding"]
 * is (N, D), ["key"] and ["class"] are arrays of strings, ["label"] of integers.
 * An npy is the one tensor of the stream.
 */
#include "base/io.h"
#include "data/zip.h"
#include "export/columns.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 1 << 16, MAX_CHARACTERS = 1 << 16 };

static bool is_npy(const uint8_t *p, size_t n)
{
    return n >= 10 && memcmp(p, "\x93NUMPY", 6) == 0;
}

static bool is_npz(const uint8_t *p, size_t n)
{
    return n >= 4 && memcmp(p, "PK\3\4", 4) == 0;
}

/* ---- Writing ------------------------------------------------------------------------ */

/* The header, padded so that the data is aligned to 64 bytes. */
static int put_head(buf *b, const char *type, int64_t rows, int ndim, const int64_t *shape, err *e)
{
    static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};

    b->n = 0;
    if (buf_add(b, magic, sizeof magic, e) ||
        buf_addf(b, e, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld,", type, (long long)rows))
        return -1;
    for (int i = 0; i < ndim; i++)
        if (buf_addf(b, e, i + 1 < ndim ? " %lld," : " %lld", (long long)shape[i]))
            return -1;
    if (buf_addf(b, e, "), }"))
        return -1;
    while (b->n % 64 != 63)
        if (buf_add(b, " ", 1, e))
            return -1;
    if (buf_add(b, "\n", 1, e))
        return -1;
    b->p[8] = (uint8_t)((b->n - sizeof magic) & 255);
    b->p[9] = (uint8_t)((b->n - sizeof magic) >> 8);
    return 0;
}

/* Code points of UTF-8 (which a stream's strings are) to 32 bits each; dst may be NULL. Returns how many. */
static size_t code_points(const char *s, uint32_t *dst)
{
    size_t n = 0;

    for (const uint8_t *p = (const uint8_t *)s; *p; n++) {
        int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
        uint32_t v = more ? *p & (0x3fu >> more) : *p;
        for (p++; more > 0 && (*p & 0xc0) == 0x80; more--)
            v = v << 6 | (*p++ & 0x3f);
        if (dst)
            dst[n] = v;
    }
    return n;
}

/* The strings as numpy's <U: 32 bits a character, padded with zeros. */
static int put_strings(const column *c, buf *head, buf *data, err *e)
{
    size_t most = 1, at = 0;
    char type[32];

    for (int64_t i = 0; i < c->rows; i++) {
        const char *s = (const char *)c->data.p + at;
        size_t n = code_points(s, NULL);
        most = n > most ? n : most;
        at += strlen(s) + 1;
    }
    snprintf(type, sizeof type, "<U%zu", most);
    data->n = 0;
    if (most > MAX_CHARACTERS)
        return err_set(e, ERR_INPUT, "'%s' has a string of %zu characters", c->name, most);
    if (put_head(head, type, c->rows, 0, NULL, e) || buf_reserve(data, (size_t)c->rows * most * 4, e))
        return -1;
    data->n = (size_t)c->rows * most * 4;
    memset(data->p, 0, data->n);
    at = 0;
    for (int64_t i = 0; i < c->rows; i++) {
        const char *s = (const char *)c->data.p + at;
        code_points(s, (uint32_t *)(void *)data->p + (size_t)i * most);
        at += strlen(s) + 1;
    }
    return 0;
}

static int save_npz(reader *r, const export_options *o, int fd, err *e)
{
    columns t;
    buf head = {0}, strings = {0};
    zip_writer z = {.fd = fd};
    char name[300];
    int rc = -1;
    (void)o;

    if (columns_read(&t, r, e))
        goto out;
    for (int i = 0; i < t.n; i++) {
        const column *c = &t.c[i];
        const buf *data = &c->data;
        if (c->type == FIELD_STR) {
            if (put_strings(c, &head, &strings, e))
                goto out;
            data = &strings;
        } else if (put_head(&head, c->type == FIELD_INT ? "<i8" : c->type == FIELD_FLOAT ? "<f8" : dtype_name(c->dtype), t.rows,
                            c->type == FIELD_TENSOR ? c->ndim : 0, c->shape, e)) {
            goto out;
        }
        snprintf(name, sizeof name, "%s.npy", c->name);
        if (zip_put(&z, name, &head, data->p, data->n, e))
            goto out;
    }
    rc = zip_end(&z, e);
out:
    zip_write_end(&z);
    buf_free(&head);
    buf_free(&strings);
    columns_clear(&t);
    return rc;
}

static int save_npy(reader *r, const export_options *o, int fd, err *e)
{
    columns t;
    buf head = {0};
    const column *only = NULL;
    int rc = -1;
    (void)o;

    if (columns_read(&t, r, e))
        goto out;
    for (int i = 0; i < t.n; i++) {
        if (t.c[i].type != FIELD_TENSOR)
            continue;
        if (only) {
            err_set(e, ERR_INPUT, "the stream has the tensors '%s' and '%s', and an npy holds one; write npz", only->name, t.c[i].name);
            goto out;
        }
        only = &t.c[i];
    }
    if (!only)
        err_set(e, ERR_INPUT, "the stream has no tensor");
    else if (put_head(&head, dtype_name(only->dtype), t.rows, only->ndim, only->shape, e) == 0 &&
             io_write(fd, head.p, head.n, e) == 0)
        rc = io_write(fd, only->data.p, only->data.n, e);
out:
    buf_free(&head);
    columns_clear(&t);
    return rc;
}

/* ---- Reading ------------------------------------------------------------------------ */

typedef struct array {
    char type[16];
    int ndim;
    int64_t shape[TENSOR_MAX_DIMS + 1];
    const uint8_t *p; /* exactly what the shape needs */
    size_t size;      /* of an element */
} array;

/* What follows 'name': in the header's Python dictionary, or NULL. */
static const char *find(const char *dict, const char *name)
{
    const char *p = strstr(dict, name);

    return p ? p + strlen(name) + strspn(p + strlen(name), " :") : NULL;
}

static int parse_shape(array *a, const char *p)
{
    if (!p || *p++ != '(')
        return -1;
    for (a->ndim = 0;; a->ndim++) {
        char *end;
        p += strspn(p, ", ");
        if (*p == ')')
            return 0;
        if (*p < '0' || *p > '9' || a->ndim == TENSOR_MAX_DIMS + 1)
            return -1;
        a->shape[a->ndim] = strtoll(p, &end, 10);
        if (a->shape[a->ndim] > INT32_MAX)
            return -1;
        p = end;
    }
}

static int parse(array *a, const uint8_t *p, size_t n, err *e)
{
    char dict[MAX_HEADER];
    size_t wide = n >= 12 && p[6] >= 2 ? 2 : 0, head = 10 + wide;

    *a = (array){.ndim = 0};
    if (!is_npy(p, n) || n < head || p[6] < 1 || p[6] > 3)
        return err_set(e, ERR_INPUT, "no npy file of a known version");
    size_t len = p[8] | (size_t)p[9] << 8;
    if (wide)
        len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (len >= sizeof dict || len > n - head)
        return err_set(e, ERR_INPUT, "truncated");
    memcpy(dict, p + head, len);
    dict[len] = '\0';
    const char *type = find(dict, "'descr'"), *order = find(dict, "'fortran_order'");
    if (!type || !order || parse_shape(a, find(dict, "'shape'")) || *type != '\'')
        return err_set(e, ERR_INPUT, "a header that cannot be read");
    if (strncmp(order, "False", 5) != 0 && a->ndim > 1)
        return err_set(e, ERR_INPUT, "not in C order; save numpy.ascontiguousarray() of it");
    snprintf(a->type, sizeof a->type, "%.*s", (int)strcspn(type + 1, "'"), type + 1);
    long characters = strncmp(a->type, "<U", 2) == 0 ? strtol(a->type + 2, NULL, 10) : 0;
    int known = dtype_parse(a->type, strlen(a->type));
    a->size = known >= 0 ? dtype_size((dtype)known) : characters >= 0 && characters <= MAX_CHARACTERS ? 4 * (size_t)characters : 0;
    if (known < 0 && strncmp(a->type, "<U", 2) != 0)
        return err_set(e, ERR_INPUT, "numbers of the type '%s' have no place in a stream; it takes |u1, <i4, <i8, <f4, <f8 and strings", a->type);
    if (a->ndim < 1)
        return err_set(e, ERR_INPUT, "one value, where each sample has a row");
    size_t left = n - head - len, count = 1;
    for (int i = 0; i < a->ndim; i++) {
        if (a->shape[i] && count > left / (size_t)a->shape[i])
            return err_set(e, ERR_INPUT, "truncated");
        count *= (size_t)a->shape[i];
    }
    if (a->size && count > left / a->size)
        return err_set(e, ERR_INPUT, "truncated");
    a->p = p + head + len;
    return 0;
}

static int add_strings(column *c, const array *a, err *e)
{
    for (int64_t i = 0; i < a->shape[0]; i++) {
        const uint8_t *p = a->p + (size_t)i * a->size;
        for (size_t k = 0; k < a->size; k += 4) {
            uint32_t v = p[k] | (uint32_t)p[k + 1] << 8 | (uint32_t)p[k + 2] << 16 | (uint32_t)p[k + 3] << 24;
            uint8_t u[4];
            size_t n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
            if (v == 0)
                break; /* padding */
            if (v < 0x20 || (v >= 0x7f && v < 0xa0) || (v >= 0xd800 && v < 0xe000) || v > 0x10ffff)
                return err_set(e, ERR_INPUT, "row %lld holds a character that no stream has", (long long)i);
            for (size_t j = n; j-- > 1; v >>= 6)
                u[j] = (uint8_t)(0x80 | (v & 0x3f));
            u[0] = (uint8_t)(n == 1 ? v : (0xf00u >> n & 0xff) | v);
            if (buf_add(&c->data, u, n, e))
                return -1;
        }
        if (buf_add(&c->data, "", 1, e))
            return -1;
    }
    return 0;
}

static double element(const array *a, int type, size_t i)
{
    const uint8_t *p = a->p + i * a->size;
    int32_t i4;
    int64_t i8;
    float f4;
    double f8;

    switch (type) {
    case DT_U1: return *p;
    case DT_I4: memcpy(&i4, p, 4); return i4;
    case DT_I8: memcpy(&i8, p, 8); return (double)i8;
    case DT_F4: memcpy(&f4, p, 4); return (double)f4;
    default: memcpy(&f8, p, 8); return f8;
    }
}

/* Rows of numbers: integers and floats of their own, or a tensor a row. Embeddings become 32-bit floats. */
static int add_numbers(columns *t, const char *name, const array *a, err *e)
{
    int type = dtype_parse(a->type, strlen(a->type));
    size_t count = 1;

    for (int i = 0; i < a->ndim; i++)
        count *= (size_t)a->shape[i];
    if (a->ndim == 1) {
        bool whole = type != DT_F4 && type != DT_F8;
        column *c = columns_add(t, name, whole ? FIELD_INT : FIELD_FLOAT, e);
        for (size_t i = 0; c && i < count; i++) {
            double v = element(a, type, i);
            int64_t n = (int64_t)(whole ? v : 0);
            if (type == DT_I8)
                memcpy(&n, a->p + i * 8, 8);
            if (whole ? buf_add(&c->data, &n, 8, e) : buf_add(&c->data, &v, 8, e))
                return -1;
        }
        return c ? 0 : -1;
    }
    bool narrow = type == DT_F8 && strcmp(name, "embedding") == 0;
    column *c = columns_add_tensor(t, name, narrow ? DT_F4 : (dtype)type, a->ndim - 1, a->shape + 1, e);
    if (!c)
        return -1;
    if (!narrow)
        return buf_add(&c->data, a->p, count * a->size, e);
    for (size_t i = 0; i < count; i++) {
        float v = (float)element(a, type, i);
        if (buf_add(&c->data, &v, sizeof v, e))
            return -1;
    }
    return 0;
}

static int add_array(columns *t, const char *name, const uint8_t *p, size_t n, err *e)
{
    array a;

    if (parse(&a, p, n, e))
        return -1;
    if (t->n && a.shape[0] != t->rows)
        return err_set(e, ERR_INPUT, "%lld rows; the arrays before it have %lld", (long long)a.shape[0], (long long)t->rows);
    t->rows = a.shape[0];
    if (a.type[1] != 'U')
        return add_numbers(t, name, &a, e);
    if (a.ndim != 1)
        return err_set(e, ERR_INPUT, "strings in %d dimensions", a.ndim);
    column *c = columns_add(t, name, FIELD_STR, e);
    return c ? add_strings(c, &a, e) : -1;
}

static int fill_npz(columns *t, const export_file *f, err *e)
{
    zip_reader z;
    zip_member m;
    int rc = zip_read(&z, f->p, f->n, e);

    while (rc == 0 && (rc = zip_next(&z, &m, e)) > 0) {
        size_t n = strlen(m.name);
        if (n < 5 || strcmp(m.name + n - 4, ".npy") != 0) {
            rc = err_set(e, ERR_INPUT, "'%s' is no npy file", m.name);
            break;
        }
        m.name[n - 4] = '\0';
        rc = add_array(t, m.name, m.p, m.n, e);
        if (rc)
            err_prefix(e, "'%s'", m.name);
    }
    zip_read_end(&z);
    return rc;
}

/* What the one array of an npy is, is told by its type. */
static int fill_npy(columns *t, const export_file *f, err *e)
{
    array a;

    if (parse(&a, f->p, f->n, e))
        return -1;
    if (a.ndim != 2)
        return err_set(e, ERR_INPUT, "%d dimensions; embeddings have two, and ssl-load reads images", a.ndim);
    return add_array(t, a.type[1] == 'f' ? "embedding" : "cluster", f->p, f->n, e);
}

static int load(const export_file *f, int fd, int (*fill)(columns *t, const export_file *f, err *e), err *e)
{
    columns t = {0};
    int rc = fill(&t, f, e);

    if (rc) {
        err_prefix(e, "'%s'", f->operand);
        stream_abort(fd, f->tool, e);
    } else {
        rc = columns_write(&t, f, fd, e);
    }
    columns_clear(&t);
    return rc;
}

static int load_npz(const export_file *f, const export_options *o, int fd, err *e)
{
    (void)o;
    return load(f, fd, fill_npz, e);
}

static int load_npy(const export_file *f, const export_options *o, int fd, err *e)
{
    (void)o;
    return load(f, fd, fill_npy, e);
}

const export_format export_npz = {"npz", "NumPy arrays, one a field, with keys and labels: numpy.load()", is_npz, save_npz, load_npz, NULL};
const export_format export_npy = {"npy", "the one tensor of the stream, a row a sample: numpy.load()", is_npy, save_npy, load_npy, NULL};
