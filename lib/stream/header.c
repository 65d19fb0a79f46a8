#include "stream/header.h"

#include "stream/frame.h"
#include "stream/pack.h"
#include "stream/stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static const char format[] = "ssl-stream";
static const char version[] = TEXT(STREAM_VERSION_MAJOR) "." TEXT(STREAM_VERSION_MINOR);

/* Every key that this version knows, in the order in which they are written. */
static const char *const keys[] = {
    "format", "version", "kind", "fields", "classes", "distinct", "count", "seed", "objective", "input_transform", "history",
};
enum { KEYS = sizeof keys / sizeof *keys };

int header_init(header *h, const char *kind, err *e)
{
    *h = (header){.distinct = -1, .count = -1};
    h->kind = strdup(kind);
    h->fields = value_map();
    h->history = value_array();
    if (h->kind && h->fields && h->history)
        return 0;
    header_clear(h);
    return err_nomem(e);
}

void header_clear(header *h)
{
    free(h->kind);
    free(h->tip);
    value_free(h->fields);
    value_free(h->classes);
    value_free(h->objective);
    value_free(h->input_transform);
    value_free(h->history);
    value_free(h->extra);
    *h = (header){.distinct = -1, .count = -1};
}

static int copy(value **dst, const value *src)
{
    *dst = value_copy(src);
    return src && !*dst;
}

int header_copy(header *dst, const header *src, err *e)
{
    *dst = (header){.distinct = src->distinct, .count = src->count, .seed = src->seed};
    dst->kind = strdup(src->kind);
    dst->tip = src->tip ? strdup(src->tip) : NULL;
    if (dst->kind && !(src->tip && !dst->tip) && !copy(&dst->fields, src->fields) && !copy(&dst->classes, src->classes) &&
        !copy(&dst->objective, src->objective) && !copy(&dst->input_transform, src->input_transform) &&
        !copy(&dst->history, src->history) && !copy(&dst->extra, src->extra))
        return 0;
    header_clear(dst);
    return err_nomem(e);
}

/* ---- Fields --------------------------------------------------------------- */

int header_set_field(header *h, const char *name, const char *type, int ndim, const int64_t *shape, err *e)
{
    value *entry = value_array(), *dims = value_array();

    for (int i = 0; i < ndim; i++)
        value_push(dims, value_int(shape[i]));
    value_push(entry, value_str(type));
    value_push(entry, dims);
    value_set(h->fields, name, entry);
    return value_failed(h->fields) ? err_nomem(e) : 0;
}

void header_remove_field(header *h, const char *name)
{
    value_remove(h->fields, name);
}

int header_field(const header *h, const char *name, dtype *type, int64_t shape[TENSOR_MAX_DIMS])
{
    const value *f = value_get(h->fields, name);

    if (!f)
        return -1;
    const value *dims = f->child[1];
    int t = dtype_parse(f->child[0]->s, f->child[0]->n);
    if (t < 0 || dims->n > TENSOR_MAX_DIMS)
        return -1;
    if (type)
        *type = (dtype)t;
    for (size_t i = 0; i < dims->n; i++)
        shape[i] = dims->child[i]->i;
    return (int)dims->n;
}

int64_t header_class_index(const header *h, const char *name, size_t n)
{
    size_t lo = 0, hi = h->classes ? h->classes->n : 0;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const value *c = h->classes->child[mid];
        int order = memcmp(c->s, name, c->n < n ? c->n : n);
        if (order == 0)
            order = c->n < n ? -1 : c->n > n;
        if (order == 0)
            return (int64_t)mid;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

/* ---- Checks --------------------------------------------------------------- */

static bool is(const value *v, value_type type)
{
    return v && v->type == type;
}

static bool all(const value *array, value_type type)
{
    for (size_t i = 0; i < array->n; i++)
        if (!is(array->child[i], type))
            return false;
    return true;
}

static int bad(err *e, const char *key, const char *expected)
{
    return err_set(e, ERR_INPUT, "the header's '%s' is not %s", key, expected);
}

static int check_fields(const value *fields, err *e)
{
    if (!is(fields, VALUE_MAP))
        return bad(e, "fields", "a map");
    for (size_t i = 0; i < fields->n; i++) {
        const value *f = fields->child[i];
        if (!is(f, VALUE_ARRAY) || f->n != 2 || !is(f->child[0], VALUE_STR) || !is(f->child[1], VALUE_ARRAY) ||
            !all(f->child[1], VALUE_INT))
            return err_set(e, ERR_INPUT, "the header's field '%s' is not [type, [dimensions]]", fields->key[i]);
    }
    return 0;
}

static int check_classes(const value *classes, err *e)
{
    if (!classes)
        return 0;
    if (!is(classes, VALUE_ARRAY) || !all(classes, VALUE_STR))
        return bad(e, "classes", "an array of strings");
    for (size_t i = 1; i < classes->n; i++) {
        const value *a = classes->child[i - 1], *b = classes->child[i];
        int order = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
        if (order > 0 || (order == 0 && a->n >= b->n))
            return err_set(e, ERR_INPUT, "the header's classes are not sorted, or not distinct: '%s' before '%s'", a->s, b->s);
    }
    return 0;
}

static int check_history(const value *history, err *e)
{
    if (!is(history, VALUE_ARRAY))
        return bad(e, "history", "an array");
    for (size_t i = 0; i < history->n; i++)
        if (!value_get_str(history->child[i], "id", NULL) || !value_get_str(history->child[i], "tool", NULL))
            return bad(e, "history", "an array of records with an id and a tool");
    return 0;
}

int header_check(const header *h, err *e)
{
    if (h->distinct < -1)
        return bad(e, "distinct", "a count");
    if (h->count < -1)
        return bad(e, "count", "a count");
    if (h->seed > INT64_MAX)
        return bad(e, "seed", "below 2^63");
    if (h->objective && !(is(h->objective, VALUE_MAP) && value_get_str(h->objective, "name", NULL)))
        return bad(e, "objective", "a map with a name");
    if (h->input_transform && !is(h->input_transform, VALUE_MAP))
        return bad(e, "input_transform", "a map");
    return check_fields(h->fields, e) || check_classes(h->classes, e) || check_history(h->history, e) ? -1 : 0;
}

int header_expect(const header *h, err *e, ...)
{
    char list[256] = "";
    size_t n = 0;
    const char *kind, *next;
    va_list ap;

    va_start(ap, e);
    kind = va_arg(ap, const char *);
    for (bool first = true; kind; kind = next, first = false) {
        next = va_arg(ap, const char *);
        if (strcmp(h->kind, kind) == 0) {
            va_end(ap);
            return 0;
        }
        if (n < sizeof list)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", first ? "" : next ? ", " : " or ", kind);
    }
    va_end(ap);
    return err_set(e, ERR_INPUT, "this is a stream of %s; expected %s", h->kind, list);
}

/* ---- The frame -------------------------------------------------------------- */

static int pack_or_nil(msgpack_packer *k, const char *key, const value *v)
{
    return pack_text(k, key) || (v ? value_pack_with(k, v) : msgpack_pack_nil(k)) ? -1 : 0;
}

static int pack_count(msgpack_packer *k, const char *key, int64_t n)
{
    return pack_text(k, key) || (n >= 0 ? msgpack_pack_int64(k, n) : msgpack_pack_nil(k)) ? -1 : 0;
}

static int pack_map(const header *h, msgpack_packer *k)
{
    if (msgpack_pack_map(k, KEYS + (h->extra ? h->extra->n : 0)))
        return -1;
    if (pack_text(k, "format") || pack_text(k, format) || pack_text(k, "version") || pack_text(k, version) ||
        pack_text(k, "kind") || pack_text(k, h->kind) || pack_or_nil(k, "fields", h->fields) ||
        pack_or_nil(k, "classes", h->classes) || pack_count(k, "distinct", h->distinct) || pack_count(k, "count", h->count) ||
        pack_count(k, "seed", (int64_t)h->seed) || pack_or_nil(k, "objective", h->objective) ||
        pack_or_nil(k, "input_transform", h->input_transform) || pack_or_nil(k, "history", h->history))
        return -1;
    for (size_t i = 0; h->extra && i < h->extra->n; i++)
        if (pack_or_nil(k, h->extra->key[i], h->extra->child[i]))
            return -1;
    return 0;
}

int header_pack(const header *h, buf *out, err *e)
{
    static const uint8_t head[FRAME_HEAD + FRAME_CRC] = {0xc9, 0, 0, 0, 0, FRAME_HEADER};
    msgpack_packer k = pack_start(out);

    if (header_check(h, e)) {
        e->kind = ERR_RUN; /* ours, not the input's */
        return -1;
    }
    for (size_t i = 0; h->extra && i < h->extra->n; i++)
        for (int j = 0; j < KEYS; j++)
            if (strcmp(h->extra->key[i], keys[j]) == 0)
                return err_set(e, ERR_RUN, "the header's extra key '%s' is one of its own", keys[j]);
    if (KEYS + (h->extra ? h->extra->n : 0) > STREAM_MAX_ENTRIES)
        return err_set(e, ERR_RUN, "the header has more keys than the limit of %d", STREAM_MAX_ENTRIES);
    if (value_failed(h->fields) || value_failed(h->history) || (h->classes && value_failed(h->classes)) ||
        (h->objective && value_failed(h->objective)) || (h->input_transform && value_failed(h->input_transform)) ||
        (h->extra && value_failed(h->extra)))
        return err_nomem(e);
    if (buf_add(out, head, sizeof head, e))
        return -1;
    if (pack_map(h, &k))
        return err_nomem(e);
    if (out->n - FRAME_HEAD > STREAM_MAX_HEADER)
        return err_set(e, ERR_RUN, "the header of %zu bytes is above the limit of 16 MiB", out->n - FRAME_HEAD);
    frame_seal(out->p, out->n);
    return 0;
}

/* Move the value of a key out of the tree; NULL where it is absent or nil. */
static value *take(value *map, const char *key)
{
    for (size_t i = 0; i < map->n; i++) {
        if (strcmp(map->key[i], key) == 0) {
            value *v = map->child[i];
            map->child[i] = NULL;
            value_remove(map, key);
            if (v->type != VALUE_NIL)
                return v;
            value_free(v);
            return NULL;
        }
    }
    return NULL;
}

static int check_version(const char *v, err *e)
{
    char *end;
    long major = strtol(v, &end, 10);

    if (end == v || *end != '.' || major < 1)
        return err_set(e, ERR_INPUT, "'%s' is not a version of the stream format", v);
    if (major > STREAM_VERSION_MAJOR)
        return err_set(e, ERR_INPUT, "the stream has version %s; this program reads versions up to %d.x", v, STREAM_VERSION_MAJOR);
    return 0;
}

/* -1 where it is absent or null; -2 where it is not a count. */
static int64_t get_count(const value *map, const char *key)
{
    const value *v = value_get(map, key);

    if (!v || v->type == VALUE_NIL)
        return -1;
    return v->type == VALUE_INT && v->i >= 0 ? v->i : -2;
}

/* The keys of h, from the map that holds all of them. */
static int from_map(header *h, value *map, err *e)
{
    if (strcmp(value_get_str(map, "format", ""), format) != 0)
        return err_set(e, ERR_INPUT, "the header's format is not '%s'", format);
    if (check_version(value_get_str(map, "version", ""), e))
        return -1;
    const char *kind = value_get_str(map, "kind", NULL);
    if (!kind)
        return bad(e, "kind", "a string");
    if (header_init(h, kind, e))
        return -1;

    int64_t seed = get_count(map, "seed");
    h->distinct = get_count(map, "distinct");
    h->count = get_count(map, "count");
    if (seed == -2)
        return bad(e, "seed", "an integer from 0 to 2^63 - 1");
    h->seed = seed < 0 ? 0 : (uint64_t)seed;

    value *v;
    if ((v = take(map, "fields"))) {
        value_free(h->fields);
        h->fields = v;
    }
    if ((v = take(map, "history"))) {
        value_free(h->history);
        h->history = v;
    }
    h->classes = take(map, "classes");
    h->objective = take(map, "objective");
    h->input_transform = take(map, "input_transform");
    if (header_check(h, e))
        return -1;
    if (h->history->n) {
        h->tip = strdup(history_last(h));
        if (!h->tip)
            return err_nomem(e);
    }
    for (int i = 0; i < KEYS; i++)
        value_remove(map, keys[i]);
    return 0;
}

int header_unpack(header *h, const uint8_t *p, size_t n, err *e)
{
    *h = (header){.distinct = -1, .count = -1};
    if (n && (p[0] & 0xf0) != 0x80)
        return err_set(e, ERR_INPUT, "the header is not a map of at most %d keys", STREAM_MAX_ENTRIES);
    value *map = value_unpack(p, n, e);
    if (!map)
        return err_prefix(e, "bad header");
    if (from_map(h, map, e)) {
        value_free(map);
        header_clear(h);
        return -1;
    }
    if (map->n)
        h->extra = map;
    else
        value_free(map);
    return 0;
}
