#include "stream/tally.h"

#include "base/format.h"
#include "stream/describe.h"

#include <stdlib.h>
#include <string.h>

/* ---- Fields against the header --------------------------------------------------- */

static bool fits(int ndim, const int64_t *declared, const tensor *t)
{
    if (ndim != t->ndim)
        return false;
    for (int i = 0; i < ndim; i++)
        if (declared[i] >= 0 && declared[i] != t->shape[i])
            return false;
    return true;
}

static int check_field(const header *h, const field *x, err *e)
{
    char name[64], is[128], said[128];
    int64_t shape[TENSOR_MAX_DIMS];
    dtype type;

    if (x->type != FIELD_TENSOR || x->name_len >= sizeof name)
        return 0;
    memcpy(name, x->name, x->name_len);
    name[x->name_len] = '\0';
    int ndim = header_field(h, name, &type, shape);
    if (ndim < 0 || (type == x->t.type && fits(ndim, shape, &x->t)))
        return 0;
    return err_set(e, ERR_INPUT, "the field '%s' is %s%s, but the header declares %s%s", name,
                   dtype_name(x->t.type), tensor_shape_text(x->t.ndim, x->t.shape, is),
                   dtype_name(type), tensor_shape_text(ndim, shape, said));
}

/* ---- Counts ---------------------------------------------------------------------- */

/* The bytes of a string field, or none. */
static const char *text_of(const sample *s, const char *name, size_t *n)
{
    const field *x = sample_find(s, name);

    *n = x && x->type == FIELD_STR ? x->str.n : 0;
    return *n ? x->str.p : "";
}

static int compare(const char *a, const char *b, size_t n)
{
    size_t na = strlen(a);
    int d = memcmp(a, b, na < n ? na : n);

    return d ? d : na < n ? -1 : na > n;
}

static tally_row *insert(tally *t, size_t at, const char *split, size_t ns, const char *class_name, size_t nc)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 32;
        tally_row *row = realloc(t->row, cap * sizeof *row);
        if (!row)
            return NULL;
        t->row = row;
        t->cap = cap;
    }
    tally_row r = {strndup(split, ns), strndup(class_name, nc), 0};
    if (!r.split || !r.class_name) {
        free(r.split);
        free(r.class_name);
        return NULL;
    }
    memmove(t->row + at + 1, t->row + at, (t->n - at) * sizeof *t->row);
    t->n++;
    t->row[at] = r;
    return &t->row[at];
}

static tally_row *find(tally *t, const char *split, size_t ns, const char *class_name, size_t nc)
{
    size_t lo = 0, hi = t->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int d = compare(t->row[mid].split, split, ns);
        if (d == 0)
            d = compare(t->row[mid].class_name, class_name, nc);
        if (d == 0)
            return &t->row[mid];
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return insert(t, lo, split, ns, class_name, nc);
}

int tally_add(tally *t, const header *h, const sample *s, err *e)
{
    size_t ns, nc;
    const char *split = text_of(s, "split", &ns), *class_name = text_of(s, "class", &nc);

    for (int i = 0; i < s->n; i++)
        if (check_field(h, &s->f[i], e))
            return -1;
    tally_row *r = find(t, split, ns, class_name, nc);
    if (!r)
        return err_nomem(e);
    r->n++;
    t->samples++;
    return 0;
}

void tally_clear(tally *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->row[i].split);
        free(t->row[i].class_name);
    }
    free(t->row);
    *t = (tally){0};
}

/* ---- The table ------------------------------------------------------------------- */

/* A cell of a column `width` wide; "-" for an empty one. */
static int cell(const char *s, size_t width, buf *out, err *e)
{
    size_t from = out->n;

    if (describe_text(*s ? s : "-", *s ? strlen(s) : 1, out, e))
        return -1;
    return buf_addf(out, e, "%*s", out->n - from < width ? (int)(width - (out->n - from)) : 0, "");
}

static size_t longer(size_t width, const char *s)
{
    size_t n = strlen(s);

    return n > width ? n : width;
}

int tally_text(const tally *t, buf *out, err *e)
{
    size_t split = strlen("split"), class_name = strlen("class");
    char n[32];

    if (t->n == 0 || (t->n == 1 && !*t->row[0].split && !*t->row[0].class_name))
        return 0;
    for (size_t i = 0; i < t->n; i++) {
        split = longer(split, t->row[i].split);
        class_name = longer(class_name, t->row[i].class_name);
    }
    if (buf_addf(out, e, "%-*s  %-*s  %10s\n", (int)split, "split", (int)class_name, "class", "samples"))
        return -1;
    for (size_t i = 0; i < t->n; i++)
        if (cell(t->row[i].split, split, out, e) || buf_add(out, "  ", 2, e) ||
            cell(t->row[i].class_name, class_name, out, e) ||
            buf_addf(out, e, "  %10s\n", format_commas(t->row[i].n, n)))
            return -1;
    return 0;
}

value *tally_value(const tally *t)
{
    value *list = value_array();

    for (size_t i = 0; i < t->n; i++) {
        value *r = value_map();
        value_set(r, "split", *t->row[i].split ? value_str(t->row[i].split) : value_nil());
        value_set(r, "class", *t->row[i].class_name ? value_str(t->row[i].class_name) : value_nil());
        value_set(r, "samples", value_int(t->row[i].n));
        value_push(list, r);
    }
    if (value_failed(list)) {
        value_free(list);
        return NULL;
    }
    return list;
}
