#include "stream/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

typedef struct parser {
    const char *p, *end;
    err *e;
} parser;

static value *parse(parser *j, int depth);

static void *wrong(parser *j)
{
    err_set(j->e, ERR_INPUT, "the JSON text is damaged");
    return NULL;
}

static char peek(parser *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
        j->p++;
    return j->p < j->end ? *j->p : '\0';
}

static bool take(parser *j, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
        return false;
    j->p += n;
    return true;
}

static int hex(parser *j, uint32_t *v)
{
    *v = 0;
    for (int i = 0; i < 4; i++, j->p++) {
        static const char digits[] = "0123456789abcdef";
        const char *d = j->p < j->end && *j->p ? strchr(digits, *j->p | 32) : NULL;
        if (!d)
            return -1;
        *v = *v << 4 | (uint32_t)(d - digits);
    }
    return 0;
}

static int add_code(parser *j, buf *b, uint32_t v)
{
    uint8_t u[4];
    size_t n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;

    if (v == 0 || (v >= 0xd800 && v < 0xe000))
        return -1;
    for (size_t i = n; i-- > 1; v >>= 6)
        u[i] = (uint8_t)(0x80 | (v & 0x3f));
    u[0] = (uint8_t)(n == 1 ? v : (0xf00u >> n & 0xff) | v);
    return buf_add(b, u, n, j->e);
}

static int escape(parser *j, buf *b)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t v, low;

    if (j->p == j->end)
        return -1;
    const char *k = *j->p ? strchr(from, *j->p) : NULL;
    if (k) {
        j->p++;
        return buf_add(b, &to[k - from], 1, j->e);
    }
    if (*j->p++ != 'u' || hex(j, &v))
        return -1;
    if (v >= 0xd800 && v < 0xdc00) {
        if (!take(j, "\\u") || hex(j, &low) || low < 0xdc00 || low > 0xdfff)
            return -1;
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
    }
    return add_code(j, b, v);
}

/* After the opening quote, NUL-terminated into b. */
static int text(parser *j, buf *b)
{
    b->n = 0;
    while (j->p < j->end && *j->p != '"') {
        if ((unsigned char)*j->p < 0x20)
            return -1;
        if (*j->p == '\\') {
            j->p++;
            if (escape(j, b))
                return -1;
        } else if (buf_add(b, j->p++, 1, j->e)) {
            return -1;
        }
    }
    if (j->p == j->end)
        return -1;
    j->p++;
    return buf_add(b, "", 1, j->e);
}

static value *number(parser *j)
{
    char digits[64], *end;
    size_t n = 0;

    while (j->p < j->end && n < sizeof digits - 1 && *j->p && strchr("+-.0123456789eE", *j->p))
        digits[n++] = *j->p++;
    digits[n] = '\0';
    errno = 0;
    if (!strpbrk(digits, ".eE")) {
        int64_t v = strtoll(digits, &end, 10);
        return n && !*end && !errno ? value_int(v) : wrong(j);
    }
    double v = strtod(digits, &end);
    return n && !*end ? value_float(v) : wrong(j);
}

static value *container(parser *j, int depth, bool map)
{
    char close = map ? '}' : ']';
    value *v = map ? value_map() : value_array();
    buf key = {0};

    j->p++;
    while (v && peek(j) != close) {
        bool bad = false;
        if (map)
            bad = *j->p != '"' || (j->p++, text(j, &key)) || value_get(v, (char *)key.p) || peek(j) != ':' || (j->p++, false);
        value *child = bad ? wrong(j) : parse(j, depth + 1);
        if (!child)
            goto fail;
        if (map)
            value_set(v, (char *)key.p, child);
        else
            value_push(v, child);
        if (peek(j) == ',') {
            j->p++;
            if (peek(j) != close)
                continue;
        } else if (peek(j) == close) {
            continue;
        }
        wrong(j);
        goto fail;
    }
    j->p++;
    buf_free(&key);
    return v;
fail:
    buf_free(&key);
    value_free(v);
    return NULL;
}

static value *parse(parser *j, int depth)
{
    buf s = {0};
    value *v;

    if (depth > MAX_DEPTH)
        return wrong(j);
    switch (peek(j)) {
    case '{': return container(j, depth, true);
    case '[': return container(j, depth, false);
    case '"':
        j->p++;
        v = text(j, &s) ? wrong(j) : value_str((char *)s.p);
        buf_free(&s);
        return v;
    case 't': return take(j, "true") ? value_bool(true) : wrong(j);
    case 'f': return take(j, "false") ? value_bool(false) : wrong(j);
    case 'n': return take(j, "null") ? value_nil() : wrong(j);
    default: return number(j);
    }
}

value *json_parse(const char *p, size_t n, err *e)
{
    parser j = {p, p + n, e};
    value *v = parse(&j, 1);

    if (v && value_failed(v))
        err_nomem(e);
    else if (v && (peek(&j) || j.p != j.end))
        wrong(&j);
    else
        return v;
    value_free(v);
    return NULL;
}
