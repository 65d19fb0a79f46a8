/*
 * Tab-separated values: a row of names, then a line a sample. Each number of a
 * vector is a column, "embedding:0", "embedding:1", ..., so that cut, sort, awk
 * and join work on them. Floats have the digits that read back equal.
 */
#include "base/io.h"
#include "export/columns.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH = 1 << 16, MAX_CELLS = 1 << 20 };

static bool is_tsv(const uint8_t *p, size_t n)
{
    return n > 4 && (memcmp(p, "key\t", 4) == 0 || memcmp(p, "embedding:0", n < 11 ? n : 11) == 0);
}

/* ---- Writing ------------------------------------------------------------------------ */

static int put_names(const columns *t, buf *b, err *e)
{
    for (int i = 0; i < t->n; i++) {
        const column *c = &t->c[i];
        const char *gap = i ? "\t" : "";
        if (c->type != FIELD_TENSOR) {
            if (buf_addf(b, e, "%s%s", gap, c->name))
                return -1;
            continue;
        }
        if (c->ndim != 1)
            return err_set(e, ERR_INPUT, "'%s' has %d dimensions, and a line has one; write npz", c->name, c->ndim);
        for (int64_t k = 0; k < c->shape[0]; k++)
            if (buf_addf(b, e, "%s%s:%lld", k ? "\t" : gap, c->name, (long long)k))
                return -1;
    }
    return buf_addf(b, e, "\n");
}

static int put_number(buf *b, double v, int digits, bool single, err *e)
{
    char text[40];

    for (; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
            break;
    }
    return buf_add(b, text, strlen(text), e);
}

static int put_element(buf *b, const column *c, const uint8_t *p, err *e)
{
    int32_t i4;
    int64_t i8;
    float f4;
    double f8;

    switch (c->dtype) {
    case DT_U1: return buf_addf(b, e, "%d", *p);
    case DT_I4: memcpy(&i4, p, 4); return buf_addf(b, e, "%d", i4);
    case DT_I8: memcpy(&i8, p, 8); return buf_addf(b, e, "%lld", (long long)i8);
    case DT_F4: memcpy(&f4, p, 4); return put_number(b, (double)f4, 6, true, e);
    default: memcpy(&f8, p, 8); return put_number(b, f8, 15, false, e);
    }
}

static int put_cell(buf *b, const column *c, int64_t row, size_t *at, err *e)
{
    const uint8_t *p = c->data.p + (size_t)row * c->size;
    double v;
    int64_t i;

    switch (c->type) {
    case FIELD_INT:
        memcpy(&i, p, 8);
        return i < 0 ? 0 : buf_addf(b, e, "%lld", (long long)i);
    case FIELD_FLOAT:
        memcpy(&v, p, 8);
        return isnan(v) ? 0 : put_number(b, v, 6, false, e);
    case FIELD_STR: {
        const char *s = (const char *)c->data.p + *at;
        size_t n = strlen(s);
        *at += n + 1;
        if (s[strcspn(s, "\t\n")])
            return err_set(e, ERR_INPUT, "'%s' holds a tab or a line's end", c->name);
        return buf_add(b, s, n, e);
    }
    default:
        for (int64_t k = 0; k < c->shape[0]; k++, p += dtype_size(c->dtype))
            if ((k && buf_add(b, "\t", 1, e)) || put_element(b, c, p, e))
                return -1;
        return 0;
    }
}

static int save(reader *r, const export_options *o, int fd, err *e)
{
    columns t;
    buf b = {0};
    size_t at[STREAM_MAX_FIELDS] = {0};
    int rc = -1;
    (void)o;

    if (columns_read(&t, r, e) || put_names(&t, &b, e))
        goto out;
    for (int64_t row = 0; row < t.rows; row++) {
        for (int i = 0; i < t.n; i++)
            if ((i && buf_add(&b, "\t", 1, e)) || put_cell(&b, &t.c[i], row, &at[i], e))
                goto out;
        if (buf_add(&b, "\n", 1, e))
            goto out;
        if (b.n >= FLUSH || row + 1 == t.rows) {
            if (io_write(fd, b.p, b.n, e))
                goto out;
            b.n = 0;
        }
    }
    rc = 0;
out:
    buf_free(&b);
    columns_clear(&t);
    return rc;
}

/* ---- Reading ------------------------------------------------------------------------ */

typedef struct cells {
    const char *p, *end; /* what is left of the text, which ends with a line's end */
    int64_t line;
} cells;

/* The next cell of the line: its length, -1 after the last. */
static ptrdiff_t next_cell(cells *c, const char **cell, bool first)
{
    if (!first && c->p[-1] == '\n')
        return -1;
    *cell = c->p;
    while (*c->p != '\t' && *c->p != '\n')
        c->p++;
    return c->p++ - *cell;
}

/* "embedding:3" is cell 3 of the tensor "embedding". Which types the columns have, by their names. */
static int read_names(cells *c, columns *t, err *e)
{
    const char *cell;
    char name[256];
    ptrdiff_t n;
    int count = 0;

    for (bool first = true; (n = next_cell(c, &cell, first)) >= 0; first = false) {
        if (n == 0 || n >= (ptrdiff_t)sizeof name || ++count > MAX_CELLS)
            return err_set(e, ERR_INPUT, "the first line names no columns");
        memcpy(name, cell, (size_t)n);
        name[n] = '\0';
        char *colon = strrchr(name, ':'), *end = NULL;
        long k = colon ? strtol(colon + 1, &end, 10) : 0;
        if (!colon || !colon[1] || *end) {
            static const char *const integers[] = {"index", "pos", "epoch", "label"};
            field_type type = FIELD_STR;
            for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
                type = strcmp(name, integers[i]) == 0 ? FIELD_INT : type;
            if (!columns_add(t, name, type, e))
                return -1;
            continue;
        }
        *colon = '\0';
        column *last = t->n ? &t->c[t->n - 1] : NULL;
        bool more = last && last->type == FIELD_TENSOR && strcmp(last->name, name) == 0;
        if (k != (more ? last->shape[0] : 0))
            return err_set(e, ERR_INPUT, "the column '%s:%ld' is out of order", name, k);
        if (more) {
            last->shape[0]++;
            last->size += 4;
        } else if (!columns_add_tensor(t, name, strcmp(name, "cluster") && strcmp(name, "target") ? DT_F4 : DT_I4, 1, &(int64_t){1}, e)) {
            return -1;
        }
    }
    return 0;
}

static int bad_cell(const column *c, const char *cell, ptrdiff_t n, err *e)
{
    return err_set(e, ERR_INPUT, "'%.*s' is no value of '%s'", (int)(n < 40 ? n : 40), cell, c->name);
}

/* The text goes on after the cell with a tab or a line's end, where the numbers stop. */
static int read_cell(column *c, const char *cell, ptrdiff_t n, err *e)
{
    char *end;

    if (c->type == FIELD_STR) {
        if (memchr(cell, '\0', (size_t)n))
            return bad_cell(c, cell, n, e);
        return buf_add(&c->data, cell, (size_t)n, e) || buf_add(&c->data, "", 1, e) ? -1 : 0;
    }
    if (c->type == FIELD_INT) {
        errno = 0;
        int64_t v = n ? strtoll(cell, &end, 10) : -1;
        if (n && (end != cell + n || errno || v < 0))
            return bad_cell(c, cell, n, e);
        return buf_add(&c->data, &v, sizeof v, e);
    }
    if (n == 0)
        return bad_cell(c, cell, n, e);
    if (c->dtype == DT_I4) {
        long v = strtol(cell, &end, 10);
        int32_t i = (int32_t)v;
        if (end != cell + n || i != v)
            return bad_cell(c, cell, n, e);
        return buf_add(&c->data, &i, sizeof i, e);
    }
    float f = strtof(cell, &end);
    if (end != cell + n)
        return bad_cell(c, cell, n, e);
    return buf_add(&c->data, &f, sizeof f, e);
}

static int read_row(cells *c, columns *t, err *e)
{
    const char *cell;
    bool first = true;

    for (int i = 0; i < t->n; i++) {
        int64_t parts = t->c[i].type == FIELD_TENSOR ? t->c[i].shape[0] : 1;
        for (int64_t k = 0; k < parts; k++, first = false) {
            ptrdiff_t n = next_cell(c, &cell, first);
            if (n < 0)
                return err_set(e, ERR_INPUT, "too few columns");
            if (read_cell(&t->c[i], cell, n, e))
                return -1;
        }
    }
    return next_cell(c, &cell, false) < 0 ? 0 : err_set(e, ERR_INPUT, "too many columns");
}

static int load(const export_file *f, const export_options *o, int fd, err *e)
{
    columns t = {0};
    buf text = {0};
    int rc = -1;
    (void)o;

    if (buf_add(&text, f->p, f->n, e) || ((!f->n || f->p[f->n - 1] != '\n') && buf_add(&text, "\n", 1, e)))
        goto out;
    cells c = {(const char *)text.p, (const char *)text.p + text.n, 1};
    if (read_names(&c, &t, e)) {
        err_prefix(e, "'%s'", f->operand);
        goto out;
    }
    for (; c.p < c.end; t.rows++) {
        c.line++;
        if (read_row(&c, &t, e)) {
            err_prefix(e, "'%s', line %lld", f->operand, (long long)c.line);
            goto out;
        }
    }
    rc = columns_write(&t, f, fd, e);
    fd = -1;
out:
    if (rc && fd >= 0)
        stream_abort(fd, f->tool, e);
    buf_free(&text);
    columns_clear(&t);
    return rc;
}

const export_format export_tsv = {"tsv", "tab-separated text, a line a sample: for cut, sort, awk and join", is_tsv, save, load, NULL};
