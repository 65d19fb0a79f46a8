#include "stream/describe.h"

#include "base/format.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL = 11, WIDTH = 100, FEW = 8 };

/* ---- Text -------------------------------------------------------------------- */

int describe_text(const char *s, size_t n, buf *out, err *e)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        int rc;

        if (c == '\n')
            rc = buf_add(out, "\\n", 2, e);
        else if (c == '\t')
            rc = buf_add(out, "\\t", 2, e);
        else if (c < 0x20 || c == 0x7f)
            rc = buf_addf(out, e, "\\x%02x", c);
        else if (c == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] < 0xa0) /* C1 controls, U+0080 to U+009F */
            rc = buf_addf(out, e, "\\x%02x", (unsigned char)s[++i]);
        else
            rc = buf_add(out, &c, 1, e);
        if (rc)
            return -1;
    }
    return 0;
}

/*
 * A paragraph: a label, then words that are wrapped at WIDTH and aligned behind
 * it. Failures stick and are reported by the one who looks.
 */
typedef struct para {
    buf *out;
    err *e;
    int column, indent; /* column 0: nothing on the line yet */
    bool failed;
} para;

static void para_start(para *p, const char *label)
{
    p->failed |= buf_addf(p->out, p->e, "%-*s", LABEL, label) != 0;
    p->column = p->indent = LABEL;
}

static void para_end(para *p)
{
    p->failed |= buf_add(p->out, "\n", 1, p->e) != 0;
}

/* One word of n bytes, which stays whole; `gap` spaces in front of it unless it begins a line. */
static void para_word(para *p, const char *s, size_t n, int gap)
{
    int width = 0;

    for (size_t i = 0; i < n; i++)
        width += (s[i] & 0xc0) != 0x80;
    if (p->column > p->indent && p->column + gap + width > WIDTH) {
        p->failed |= buf_addf(p->out, p->e, "\n%*s", p->indent, "") != 0;
        p->column = p->indent;
    } else if (p->column > p->indent) {
        p->failed |= buf_addf(p->out, p->e, "%*s", gap, "") != 0;
        p->column += gap;
    }
    p->failed |= buf_add(p->out, s, n, p->e) != 0;
    p->column += width;
}

/* The same for a formatted word. */
__attribute__((format(printf, 3, 4))) static void para_wordf(para *p, int gap, const char *fmt, ...)
{
    char s[512];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(s, sizeof s, fmt, ap);
    va_end(ap);
    para_word(p, s, n < (int)sizeof s ? (size_t)n : sizeof s - 1, gap);
}

/* A stream's string as a word, harmless, and followed by `tail`. */
static void para_text(para *p, int gap, const char *s, const char *tail)
{
    buf b = {0};

    if (describe_text(s, strlen(s), &b, p->e) || buf_add(&b, tail, strlen(tail), p->e))
        p->failed = true;
    else
        para_word(p, (const char *)b.p, b.n, gap);
    buf_free(&b);
}

/* key=value, a string without its quotes. */
static void para_pair(para *p, const char *key, const value *v)
{
    buf b = {0};
    int rc = describe_text(key, strlen(key), &b, p->e) || buf_add(&b, "=", 1, p->e);

    if (!rc)
        rc = v->type == VALUE_STR ? describe_text(v->s, v->n, &b, p->e) : value_json(v, -1, &b, p->e);
    if (rc)
        p->failed = true;
    else
        para_word(p, (const char *)b.p, b.n, 1);
    buf_free(&b);
}

/* ---- The header ---------------------------------------------------------------- */

static void fields(para *p, const header *h)
{
    para_start(p, "fields");
    for (size_t i = 0; h->fields && i < h->fields->n; i++) {
        const value *v = h->fields->child[i];
        dtype type;
        int64_t shape[TENSOR_MAX_DIMS];
        char text[160];
        int n = header_field(h, h->fields->key[i], &type, shape);

        if (n >= 0) {
            int at = snprintf(text, sizeof text, "%s", dtype_name(type));
            tensor_shape_text(n, shape, text + at);
        } else {
            const value *t = v->type == VALUE_ARRAY && v->n ? v->child[0] : v;
            snprintf(text, sizeof text, "%s", t->type == VALUE_STR ? t->s : "?");
        }
        buf word = {0};
        if (buf_addf(&word, p->e, "%s:%s", h->fields->key[i], text) || buf_add(&word, "", 1, p->e))
            p->failed = true;
        else
            para_text(p, i ? 2 : 0, (char *)word.p, "");
        buf_free(&word);
    }
    if (!h->fields || !h->fields->n)
        para_wordf(p, 0, "none declared");
    para_end(p);
}

static bool is_model(const header *h)
{
    return strcmp(h->kind, KIND_MODEL) == 0;
}

/* A model's tensors are its samples, so here only their sum. */
static void weights(para *p, const header *h)
{
    int64_t values = 0, tensors = 0, shape[TENSOR_MAX_DIMS];
    char a[32], b[32];
    dtype type;

    for (size_t i = 0; h->fields && i < h->fields->n; i++) {
        int n = header_field(h, h->fields->key[i], &type, shape);
        int64_t bytes = n < 0 ? -1 : tensor_bytes(type, n, shape, INT64_MAX / STREAM_MAX_HEADER);
        if (bytes < 0)
            continue;
        tensors++;
        values += bytes / (int64_t)dtype_size(type);
    }
    para_start(p, "fields");
    para_wordf(p, 0, "%s tensors of %s values together", format_commas(tensors, a), format_commas(values, b));
    para_end(p);
}

static void classes(para *p, const header *h)
{
    enum { SHOWN = 20 };

    para_start(p, "classes");
    if (!h->classes) {
        para_wordf(p, 0, "unknown");
    } else {
        size_t n = h->classes->n;
        para_wordf(p, 0, "%zu", n);
        for (size_t i = 0; i < n && i < SHOWN; i++)
            if (h->classes->child[i]->type == VALUE_STR)
                para_text(p, i ? 1 : 2, h->classes->child[i]->s, i + 1 < n ? "," : "");
        if (n > SHOWN)
            para_wordf(p, 1, "... %zu more", n - SHOWN);
    }
    para_end(p);
}

static void number(para *p, const char *label, int64_t v, const char *unknown)
{
    char text[32];

    para_start(p, label);
    para_wordf(p, 0, "%s", v < 0 ? unknown : format_commas(v, text));
    para_end(p);
}

/* key=string string ..., each a word of its own. */
static void para_strings(para *p, const char *key, const value *list)
{
    para_pair(p, key, list->child[0]);
    for (size_t i = 1; i < list->n; i++)
        if (list->child[i]->type == VALUE_STR)
            para_text(p, 1, list->child[i]->s, "");
}

/* A map as key=value words, flattened; what is null is not mentioned. Depth is bounded by the format. */
static void pairs(para *p, const value *map)
{
    enum { LISTS = 8 }; /* more of them (the permutations of a puzzle) are only counted */

    for (size_t i = 0; map->type == VALUE_MAP && i < map->n; i++) {
        const value *v = map->child[i];
        value_type first = v->type == VALUE_ARRAY && v->n > 0 ? v->child[0]->type : VALUE_NIL;
        if (v->type == VALUE_MAP)
            pairs(p, v);
        else if (first == VALUE_STR)
            para_strings(p, map->key[i], v);
        else if (first == VALUE_MAP)
            for (size_t k = 0; k < v->n; k++)
                pairs(p, v->child[k]);
        else if (first == VALUE_ARRAY && v->n > LISTS)
            para_wordf(p, 2, "%s=[%zu lists]", map->key[i], v->n);
        else if (v->type != VALUE_NIL)
            para_pair(p, map->key[i], v);
    }
}

static void map_paragraph(para *p, const char *label, const value *map)
{
    if (!map)
        return;
    para_start(p, label);
    pairs(p, map);
    para_end(p);
}

/* The number of a record in the history, from 1; 0: it is not there. */
static size_t record_number(const header *h, const char *id)
{
    for (size_t i = 0; i < h->history->n; i++)
        if (strcmp(value_get_str(h->history->child[i], "id", ""), id) == 0)
            return i + 1;
    return 0;
}

/* Where the i-th record's input came from, unless it is simply the record before it. */
static void parents(para *p, const header *h, size_t i)
{
    const value *list = value_get(h->history->child[i], "parents");
    size_t n = list && list->type == VALUE_ARRAY ? list->n : 0;

    for (size_t k = 0; k < n; k++) {
        size_t from = record_number(h, value_get_str(list->child[k], "id", ""));
        if (n > 1 || from != i)
            para_wordf(p, 1, "%.64s=[%zu]", value_get_str(list->child[k], "role", "input"), from);
    }
}

/* One paragraph a stage, oldest first: number, tool, parameters, seed, and what it was made from. */
static void history(para *p, const header *h)
{
    size_t n = h->history ? h->history->n : 0;
    int tool_width = 0;

    for (size_t i = 0; i < n; i++) {
        int w = (int)strlen(value_get_str(h->history->child[i], "tool", "?"));
        tool_width = w > tool_width && w <= 24 ? w : tool_width;
    }
    for (size_t i = 0; i < n; i++) {
        const value *r = h->history->child[i], *params = value_get(r, "parameters");
        para_start(p, i ? "" : "history");
        para_wordf(p, 0, n < 10 ? "[%zu]" : "[%2zu]", i + 1);
        int column = p->column;
        para_text(p, 1, value_get_str(r, "tool", "?"), "");
        while (p->column < column + 1 + tool_width)
            para_word(p, " ", 1, 0);
        p->failed |= buf_add(p->out, "  ", 2, p->e) != 0;
        p->indent = p->column += 2; /* the rest wraps behind the tool */
        if (params)
            pairs(p, params);
        para_wordf(p, 1, "seed=%llu", (unsigned long long)value_get_int(r, "seed", 0));
        parents(p, h, i);
        para_end(p);
    }
    if (n == 0) {
        para_start(p, "history");
        para_wordf(p, 0, "none");
        para_end(p);
    }
}

int describe_header(const header *h, buf *out, err *e)
{
    para p = {.out = out, .e = e};

    para_start(&p, "kind");
    para_text(&p, 0, h->kind, "");
    para_end(&p);
    if (is_model(h))
        weights(&p, h);
    else
        fields(&p, h);
    classes(&p, h);
    number(&p, "distinct", h->distinct, "unknown");
    number(&p, "count", h->count, "unknown");
    para_start(&p, "seed");
    para_wordf(&p, 0, "%llu", (unsigned long long)h->seed);
    para_end(&p);
    map_paragraph(&p, "objective", h->objective);
    map_paragraph(&p, "transform", h->input_transform);
    for (size_t i = 0; h->extra && i < h->extra->n; i++)
        if (h->extra->child[i]->type == VALUE_MAP)
            map_paragraph(&p, h->extra->key[i], h->extra->child[i]);
    history(&p, h);
    return p.failed ? -1 : 0;
}

static value *copy_or_nil(const value *v)
{
    return v ? value_copy(v) : value_nil();
}

value *describe_header_value(const header *h)
{
    value *v = value_map();

    value_set(v, "kind", value_str(h->kind));
    value_set(v, "fields", copy_or_nil(h->fields));
    value_set(v, "classes", copy_or_nil(h->classes));
    value_set(v, "distinct", h->distinct < 0 ? value_nil() : value_int(h->distinct));
    value_set(v, "count", h->count < 0 ? value_nil() : value_int(h->count));
    value_set(v, "seed", value_int((int64_t)h->seed));
    value_set(v, "objective", copy_or_nil(h->objective));
    value_set(v, "input_transform", copy_or_nil(h->input_transform));
    for (size_t i = 0; h->extra && i < h->extra->n; i++)
        value_set(v, h->extra->key[i], value_copy(h->extra->child[i]));
    value_set(v, "history", copy_or_nil(h->history));
    if (value_failed(v)) {
        value_free(v);
        return NULL;
    }
    return v;
}

/* ---- Samples ------------------------------------------------------------------- */

/* The i-th element. Little-endian bytes, unaligned. */
static double element(const tensor *t, int64_t i)
{
    size_t size = dtype_size(t->type);
    uint64_t u = 0;

    for (size_t k = 0; k < size; k++)
        u |= (uint64_t)t->data[(size_t)i * size + k] << 8 * k;
    switch (t->type) {
    case DT_I4: return (int32_t)(uint32_t)u;
    case DT_I8: return (double)(int64_t)u;
    case DT_F4: { uint32_t w = (uint32_t)u; float f; memcpy(&f, &w, 4); return f; }
    case DT_F8: { double d; memcpy(&d, &u, 8); return d; }
    default: return (double)u;
    }
}

static int statistics(const tensor *t, buf *out, err *e)
{
    int64_t n = tensor_count(t), finite = 0;
    double lo = INFINITY, hi = -INFINITY, sum = 0;

    for (int64_t i = 0; i < n; i++) {
        double v = element(t, i);
        if (!isfinite(v))
            continue;
        finite++;
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
        sum += v;
    }
    if (finite && buf_addf(out, e, "  min %.4g  max %.4g  mean %.4g", lo, hi, sum / (double)finite))
        return -1;
    return finite < n ? buf_addf(out, e, "  %lld not finite", (long long)(n - finite)) : 0;
}

static int elements(const tensor *t, buf *out, err *e)
{
    int64_t n = tensor_count(t);

    for (int64_t i = 0; i < n; i++)
        if (buf_addf(out, e, "%s%.6g", i ? " " : "  ", element(t, i)))
            return -1;
    return 0;
}

static int tensor_line(const field *x, int indent, int name_width, buf *out, err *e)
{
    char shape[128];
    int64_t n = tensor_count(&x->t);
    size_t from;

    if (buf_addf(out, e, "%*s", indent, ""))
        return -1;
    from = out->n;
    if (describe_text(x->name, x->name_len, out, e) ||
        buf_addf(out, e, "%*s", name_width > (int)(out->n - from) ? name_width - (int)(out->n - from) : 0, "") ||
        buf_addf(out, e, "  %s %-14s", dtype_name(x->t.type), tensor_shape_text(x->t.ndim, x->t.shape, shape)) ||
        (n <= FEW ? elements(&x->t, out, e) : statistics(&x->t, out, e)))
        return -1;
    return buf_add(out, "\n", 1, e);
}

static int scalar(const field *x, buf *out, err *e)
{
    if (buf_add(out, "  ", 2, e) || describe_text(x->name, x->name_len, out, e) || buf_add(out, " ", 1, e))
        return -1;
    switch (x->type) {
    case FIELD_INT: return buf_addf(out, e, "%lld", (long long)x->i);
    case FIELD_FLOAT: return buf_addf(out, e, "%g", x->f);
    case FIELD_STR: return describe_text(x->str.p, x->str.n, out, e);
    default: return buf_addf(out, e, "(%zu bytes)", x->raw_len);
    }
}

/* The widest name of the tensors among a model's fields. */
static int model_width(const header *h)
{
    size_t width = 0;

    for (size_t i = 0; h->fields && i < h->fields->n; i++) {
        size_t n = strlen(h->fields->key[i]);
        if (n > width && n <= 60)
            width = n;
    }
    return (int)width;
}

int describe_sample(const header *h, const sample *s, int64_t n, buf *out, err *e)
{
    bool model = is_model(h);
    int name_width = model ? model_width(h) : 0;

    for (int i = 0; i < s->n && !model; i++)
        if (s->f[i].type == FIELD_TENSOR && (int)s->f[i].name_len > name_width)
            name_width = (int)s->f[i].name_len;
    if (!model && buf_addf(out, e, "sample %lld", (long long)n))
        return -1;
    for (int i = 0; i < s->n && !model; i++)
        if (s->f[i].type != FIELD_TENSOR && scalar(&s->f[i], out, e))
            return -1;
    if (!model && buf_add(out, "\n", 1, e))
        return -1;
    for (int i = 0; i < s->n; i++)
        if (s->f[i].type == FIELD_TENSOR && tensor_line(&s->f[i], model ? 0 : 4, name_width, out, e))
            return -1;
    return 0;
}
