#include "stream/value.h"

#include "base/utf8.h"
#include "stream/pack.h"
#include "stream/stream.h"
#include "stream/walk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Building ---------------------------------------------------------- */

static value *new_value(value_type type)
{
    value *v = calloc(1, sizeof *v);

    if (v)
        v->type = type;
    return v;
}

value *value_nil(void)
{
    return new_value(VALUE_NIL);
}

value *value_bool(bool b)
{
    value *v = new_value(VALUE_BOOL);

    if (v)
        v->b = b;
    return v;
}

value *value_int(int64_t i)
{
    value *v = new_value(VALUE_INT);

    if (v)
        v->i = i;
    return v;
}

value *value_float(double f)
{
    value *v = new_value(VALUE_FLOAT);

    if (v)
        v->f = f;
    return v;
}

static value *bytes(value_type type, const char *s, size_t n)
{
    value *v = new_value(type);

    if (!v)
        return NULL;
    v->s = malloc(n + 1);
    if (!v->s) {
        free(v);
        return NULL;
    }
    if (n)
        memcpy(v->s, s, n);
    v->s[n] = '\0';
    v->n = n;
    return v;
}

value *value_strn(const char *s, size_t n)
{
    return bytes(VALUE_STR, s, n);
}

value *value_str(const char *s)
{
    return value_strn(s, strlen(s));
}

value *value_array(void)
{
    return new_value(VALUE_ARRAY);
}

value *value_map(void)
{
    return new_value(VALUE_MAP);
}

void value_free(value *v)
{
    if (!v)
        return;
    for (size_t i = 0; v->child && i < v->n; i++)
        value_free(v->child[i]);
    for (size_t i = 0; v->key && i < v->n; i++)
        free(v->key[i]);
    free(v->child);
    free(v->key);
    free(v->s);
    free(v);
}

/* Room for n children, and keys in a map. */
static int reserve(value *v, size_t n)
{
    if (n <= v->cap)
        return 0;
    size_t cap = v->cap ? 2 * v->cap : 4;
    if (cap < n)
        cap = n;
    if (cap > SIZE_MAX / sizeof *v->child)
        return -1;
    value **child = realloc(v->child, cap * sizeof *child);
    if (!child)
        return -1;
    v->child = child;
    if (v->type == VALUE_MAP) {
        char **key = realloc(v->key, cap * sizeof *key);
        if (!key)
            return -1;
        v->key = key;
    }
    v->cap = cap;
    return 0;
}

void value_push(value *a, value *child)
{
    if (!a || a->type != VALUE_ARRAY || !child || reserve(a, a->n + 1)) {
        value_free(child);
        if (a)
            a->failed = true;
        return;
    }
    a->child[a->n++] = child;
}

static size_t find(const value *m, const char *key)
{
    size_t i = 0;

    while (i < m->n && strcmp(m->key[i], key) != 0)
        i++;
    return i;
}

void value_set(value *m, const char *key, value *child)
{
    if (!m || m->type != VALUE_MAP || !child)
        goto fail;
    size_t at = find(m, key);
    if (at < m->n) {
        value_free(m->child[at]);
        m->child[at] = child;
        return;
    }
    char *name = strdup(key);
    if (!name || reserve(m, m->n + 1)) {
        free(name);
        goto fail;
    }
    m->key[m->n] = name;
    m->child[m->n++] = child;
    return;
fail:
    value_free(child);
    if (m)
        m->failed = true;
}

void value_remove(value *m, const char *key)
{
    if (!m || m->type != VALUE_MAP)
        return;
    size_t at = find(m, key);
    if (at == m->n)
        return;
    free(m->key[at]);
    value_free(m->child[at]);
    m->n--;
    memmove(m->key + at, m->key + at + 1, (m->n - at) * sizeof *m->key);
    memmove(m->child + at, m->child + at + 1, (m->n - at) * sizeof *m->child);
}

bool value_failed(const value *v)
{
    if (!v || v->failed)
        return true;
    for (size_t i = 0; v->child && i < v->n; i++)
        if (value_failed(v->child[i]))
            return true;
    return false;
}

value *value_copy(const value *v)
{
    if (!v)
        return NULL;
    if (v->type == VALUE_STR || v->type == VALUE_BIN)
        return bytes(v->type, v->s, v->n);

    value *c = new_value(v->type);
    if (!c)
        return NULL;
    if (v->type == VALUE_ARRAY || v->type == VALUE_MAP) {
        c->failed = v->failed;
        for (size_t i = 0; i < v->n; i++) {
            value *child = value_copy(v->child[i]);
            if (v->type == VALUE_MAP)
                value_set(c, v->key[i], child);
            else
                value_push(c, child);
            if (c->failed) {
                value_free(c);
                return NULL;
            }
        }
    } else {
        c->i = v->i;
        if (v->type == VALUE_FLOAT)
            c->f = v->f;
        if (v->type == VALUE_BOOL)
            c->b = v->b;
    }
    return c;
}

/* ---- Reading ------------------------------------------------------------ */

value *value_get_mutable(value *v, const char *key)
{
    if (!v || v->type != VALUE_MAP)
        return NULL;
    size_t at = find(v, key);
    return at < v->n ? v->child[at] : NULL;
}

const value *value_get(const value *v, const char *key)
{
    if (!v || v->type != VALUE_MAP)
        return NULL;
    size_t at = find(v, key);
    return at < v->n ? v->child[at] : NULL;
}

int64_t value_get_int(const value *v, const char *key, int64_t otherwise)
{
    const value *c = value_get(v, key);

    return c && c->type == VALUE_INT ? c->i : otherwise;
}

double value_get_float(const value *v, const char *key, double otherwise)
{
    const value *c = value_get(v, key);

    if (c && c->type == VALUE_INT)
        return (double)c->i;
    return c && c->type == VALUE_FLOAT ? c->f : otherwise;
}

const char *value_get_str(const value *v, const char *key, const char *otherwise)
{
    const value *c = value_get(v, key);

    return c && c->type == VALUE_STR ? c->s : otherwise;
}

bool value_get_bool(const value *v, const char *key, bool otherwise)
{
    const value *c = value_get(v, key);

    return c && c->type == VALUE_BOOL ? c->b : otherwise;
}

/* Insertion sort: it needs no memory, so it cannot fail, and the maps that are sorted are short. */
void value_sort(value *v)
{
    for (size_t i = 0; v->child && i < v->n; i++)
        value_sort(v->child[i]);
    for (size_t i = 1; v->key && i < v->n; i++) {
        char *key = v->key[i];
        value *child = v->child[i];
        size_t j = i;
        for (; j > 0 && strcmp(v->key[j - 1], key) > 0; j--) {
            v->key[j] = v->key[j - 1];
            v->child[j] = v->child[j - 1];
        }
        v->key[j] = key;
        v->child[j] = child;
    }
}

bool value_equal(const value *a, const value *b)
{
    if (!a || !b)
        return a == b;
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_NIL:
        return true;
    case VALUE_BOOL:
        return a->b == b->b;
    case VALUE_INT:
        return a->i == b->i;
    case VALUE_FLOAT:
        return a->f == b->f || (isnan(a->f) && isnan(b->f));
    case VALUE_STR:
    case VALUE_BIN:
        return a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
    case VALUE_ARRAY:
    case VALUE_MAP:
        break;
    }
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const value *other = a->type == VALUE_MAP ? value_get(b, a->key[i]) : b->child[i];
        if (!value_equal(a->child[i], other))
            return false;
    }
    return true;
}

/* ---- msgpack -------------------------------------------------------------- */

int value_pack_with(msgpack_packer *k, const value *v)
{
    switch (v->type) {
    case VALUE_NIL:
        return msgpack_pack_nil(k);
    case VALUE_BOOL:
        return v->b ? msgpack_pack_true(k) : msgpack_pack_false(k);
    case VALUE_INT:
        return msgpack_pack_int64(k, v->i);
    case VALUE_FLOAT:
        return msgpack_pack_double(k, v->f);
    case VALUE_STR:
        return pack_str(k, v->s, v->n);
    case VALUE_BIN:
        return msgpack_pack_bin(k, v->n) || (v->n && msgpack_pack_bin_body(k, v->s, v->n)) ? -1 : 0;
    case VALUE_ARRAY:
        if (msgpack_pack_array(k, v->n))
            return -1;
        break;
    case VALUE_MAP:
        if (msgpack_pack_map(k, v->n))
            return -1;
        break;
    }
    for (size_t i = 0; i < v->n; i++)
        if ((v->key && pack_text(k, v->key[i])) || value_pack_with(k, v->child[i]))
            return -1;
    return 0;
}

int value_pack(const value *v, buf *out, err *e)
{
    msgpack_packer k = pack_start(out);

    return value_failed(v) || value_pack_with(&k, v) ? err_nomem(e) : 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Readers differ in which of two equal keys they believe, so there may not be any. */
static int keys_differ(const value *map, err *e)
{
    int rc = 0;

    if (map->n < 2)
        return 0;
    char **sorted = malloc(map->n * sizeof *sorted);
    if (!sorted)
        return -1;
    memcpy(sorted, map->key, map->n * sizeof *sorted);
    qsort(sorted, map->n, sizeof *sorted, by_text);
    for (size_t i = 1; rc == 0 && i < map->n; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            rc = err_set(e, ERR_INPUT, "two entries of a map have the key '%s'", sorted[i]);
    free(sorted);
    return rc;
}

/* NULL either because memory is out or, with e set, because the object is unsuitable. */
static value *from_object(const msgpack_object *o, err *e);

static value *from_map(const msgpack_object_map *m, err *e)
{
    value *v = value_map();

    if (!v || reserve(v, m->size))
        goto fail;
    for (; v->n < m->size; v->n++) {
        const msgpack_object *key = &m->ptr[v->n].key;
        if (key->type != MSGPACK_OBJECT_STR || memchr(key->via.str.ptr, 0, key->via.str.size)) {
            err_set(e, ERR_INPUT, "a key of a map is not a string");
            goto fail;
        }
        char *name = strndup(key->via.str.ptr, key->via.str.size);
        value *child = name ? from_object(&m->ptr[v->n].val, e) : NULL;
        if (!child) {
            free(name);
            goto fail;
        }
        v->key[v->n] = name;
        v->child[v->n] = child;
    }
    if (keys_differ(v, e) == 0)
        return v;
fail:
    value_free(v);
    return NULL;
}

static value *from_array(const msgpack_object_array *a, err *e)
{
    value *v = value_array();

    for (uint32_t i = 0; v && i < a->size; i++) {
        value *child = from_object(&a->ptr[i], e);
        if (child)
            value_push(v, child);
        if (!child || v->failed) {
            value_free(v);
            return NULL;
        }
    }
    return v;
}

static value *from_object(const msgpack_object *o, err *e)
{
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        return value_nil();
    case MSGPACK_OBJECT_BOOLEAN:
        return value_bool(o->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (o->via.u64 > INT64_MAX) {
            err_set(e, ERR_INPUT, "the integer %llu is above the limit of 2^63 - 1", (unsigned long long)o->via.u64);
            return NULL;
        }
        return value_int((int64_t)o->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return value_int(o->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return value_float(o->via.f64);
    case MSGPACK_OBJECT_STR:
        return value_strn(o->via.str.ptr, o->via.str.size);
    case MSGPACK_OBJECT_BIN:
        return bytes(VALUE_BIN, o->via.bin.ptr, o->via.bin.size);
    case MSGPACK_OBJECT_ARRAY:
        return from_array(&o->via.array, e);
    case MSGPACK_OBJECT_MAP:
        return from_map(&o->via.map, e);
    default:
        err_set(e, ERR_INPUT, "an extension type where none is expected");
        return NULL;
    }
}

static int check(const uint8_t *p, size_t n, err *e)
{
    const uint8_t *end = p + n;
    size_t values = STREAM_MAX_VALUES;

    switch (walk_skip(&p, end, STREAM_MAX_DEPTH, &values)) {
    case 0:
        return p == end ? 0 : err_set(e, ERR_INPUT, "%zu bytes too many after a msgpack object", (size_t)(end - p));
    case -2:
        return err_set(e, ERR_INPUT, "nested deeper than the limit of %d", STREAM_MAX_DEPTH);
    case -3:
        return err_set(e, ERR_INPUT, "more values than the limit of %d", STREAM_MAX_VALUES);
    default:
        return err_set(e, ERR_INPUT, "malformed msgpack");
    }
}

value *value_unpack(const uint8_t *p, size_t n, err *e)
{
    msgpack_zone zone;
    msgpack_object o;
    size_t off = 0;

    if (check(p, n, e))
        return NULL;
    err_nomem(e); /* unless something more precise is found */
    if (!msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE))
        return NULL;
    value *v = NULL;
    switch (msgpack_unpack((const char *)p, n, &off, &zone, &o)) {
    case MSGPACK_UNPACK_SUCCESS:
        v = from_object(&o, e);
        break;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        break;
    default:
        err_set(e, ERR_INPUT, "malformed msgpack");
    }
    msgpack_zone_destroy(&zone);
    if (v)
        e->kind = ERR_NONE;
    return v;
}

/* ---- JSON ------------------------------------------------------------------ */

static int json_string(const char *s, size_t n, buf *out, err *e)
{
    int rc = buf_add(out, "\"", 1, e);

    for (size_t i = 0; rc == 0 && i < n;) {
        size_t k = utf8_length(s + i, n - i);
        if (k == 0)
            rc = buf_add(out, "\xef\xbf\xbd", 3, e); /* U+FFFD */
        else if (s[i] == '"' || s[i] == '\\')
            rc = buf_addf(out, e, "\\%c", s[i]);
        else if (s[i] == '\n')
            rc = buf_add(out, "\\n", 2, e);
        else if (s[i] == '\t')
            rc = buf_add(out, "\\t", 2, e);
        else if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            rc = buf_addf(out, e, "\\u%04x", (unsigned)s[i]);
        else
            rc = buf_add(out, s + i, k, e);
        i += k ? k : 1;
    }
    return rc ? rc : buf_add(out, "\"", 1, e);
}

static int json_float(double f, buf *out, err *e)
{
    char text[40];

    if (!isfinite(f))
        return buf_add(out, "null", 4, e);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, f);
        if (strtod(text, NULL) == f)
            break;
    }
    /* Still a float when it is read back. */
    return buf_addf(out, e, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static int json_hex(const value *v, buf *out, err *e)
{
    int rc = buf_add(out, "\"", 1, e);

    for (size_t i = 0; rc == 0 && i < v->n; i++)
        rc = buf_addf(out, e, "%02x", (unsigned char)v->s[i]);
    return rc ? rc : buf_add(out, "\"", 1, e);
}

static int newline(int indent, int level, buf *out, err *e)
{
    return indent < 0 ? 0 : buf_addf(out, e, "\n%*s", indent * level, "");
}

static int json(const value *v, int indent, int level, buf *out, err *e)
{
    switch (v->type) {
    case VALUE_NIL:
        return buf_add(out, "null", 4, e);
    case VALUE_BOOL:
        return buf_addf(out, e, "%s", v->b ? "true" : "false");
    case VALUE_INT:
        return buf_addf(out, e, "%lld", (long long)v->i);
    case VALUE_FLOAT:
        return json_float(v->f, out, e);
    case VALUE_STR:
        return json_string(v->s, v->n, out, e);
    case VALUE_BIN:
        return json_hex(v, out, e);
    case VALUE_ARRAY:
    case VALUE_MAP:
        break;
    }

    bool map = v->type == VALUE_MAP;
    int rc = buf_add(out, map ? "{" : "[", 1, e);
    for (size_t i = 0; rc == 0 && i < v->n; i++) {
        if (i && buf_add(out, indent < 0 ? ", " : ",", indent < 0 ? 2 : 1, e))
            return -1;
        rc = newline(indent, level + 1, out, e);
        if (rc == 0 && map && (json_string(v->key[i], strlen(v->key[i]), out, e) || buf_add(out, ": ", 2, e)))
            return -1;
        if (rc == 0)
            rc = json(v->child[i], indent, level + 1, out, e);
    }
    if (rc == 0 && v->n)
        rc = newline(indent, level, out, e);
    return rc ? rc : buf_add(out, map ? "}" : "]", 1, e);
}

int value_json(const value *v, int indent, buf *out, err *e)
{
    return value_failed(v) ? err_nomem(e) : json(v, indent, 0, out, e);
}
