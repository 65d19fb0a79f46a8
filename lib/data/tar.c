#include "data/tar.h"

#include <string.h>

/* Offsets and lengths of a header's fields: POSIX.1-2017, pax, "ustar Interchange Format". */
enum {
    BLOCK = 512,
    NAME = 0, NAME_LEN = 100, SIZE = 124, SIZE_LEN = 12, SUM = 148, SUM_LEN = 8, TYPE = 156, MAGIC = 257,
    PREFIX = 345, PREFIX_LEN = 155,
    MAX_EXTENDED = 1 << 20 /* bytes of a pax header or a GNU long name */
};

void tar_start(tar *t, int fd)
{
    *t = (tar){.size = -1};
    feed_start(&t->f, fd);
}

void tar_free(tar *t)
{
    feed_free(&t->f);
    buf_free(&t->name);
}

/* Octal with blanks around it, or GNU's base 256; -1 when it is neither or too large. */
static int64_t number(const uint8_t *p, int n)
{
    uint64_t v = 0;
    int i = 0;

    if (p[0] & 0x80) {
        v = p[0] & 0x7f;
        for (i = 1; i < n; i++) {
            if (v >> 55)
                return -1;
            v = v << 8 | p[i];
        }
        return (int64_t)v;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(p[i] - '0');
    return i < n && p[i] != ' ' && p[i] != '\0' ? -1 : (int64_t)v;
}

bool tar_is_header(const uint8_t block[512])
{
    int64_t plain = 0, with_sign = 0, sum = number(block + SUM, SUM_LEN);

    for (int i = 0; i < BLOCK; i++) {
        int v = i >= SUM && i < SUM + SUM_LEN ? ' ' : block[i];
        plain += v;
        with_sign += (int8_t)v; /* some old writers */
    }
    return sum > 0 && (sum == plain || sum == with_sign);
}

static bool is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static int cut(err *e)
{
    return err_set(e, ERR_INPUT, "the tar is truncated");
}

const uint8_t *tar_bytes(tar *t, size_t n, err *e)
{
    const uint8_t *p;
    int64_t got = feed_peek(&t->f, n, &p, e);

    if (got == (int64_t)n)
        return p;
    if (got >= 0)
        cut(e);
    return NULL;
}

static int set_name(tar *t, const void *p, size_t n, err *e)
{
    t->name.n = 0;
    if (buf_add(&t->name, p, strnlen(p, n), e) || buf_add(&t->name, "", 1, e))
        return -1;
    return 0;
}

/* Records "LENGTH KEY=VALUE\n". */
static int read_pax(tar *t, const uint8_t *p, size_t n, err *e)
{
    while (n > 0) {
        size_t len = 0, i = 0;
        for (; i < n && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
            len = 10 * len + (size_t)(p[i] - '0');
        const uint8_t *eq = i < n ? memchr(p + i, '=', n - i) : NULL;
        if (len < i + 3 || len > n || p[i] != ' ' || p[len - 1] != '\n' || !eq || eq >= p + len)
            return err_set(e, ERR_INPUT, "the tar has a bad pax header");
        const uint8_t *key = p + i + 1, *v = eq + 1;
        size_t key_len = (size_t)(eq - key), v_len = (size_t)(p + len - 1 - v);
        if (key_len == 4 && memcmp(key, "path", 4) == 0) {
            if (set_name(t, v, v_len, e))
                return -1;
        } else if (key_len == 4 && memcmp(key, "size", 4) == 0) {
            t->size = 0;
            for (size_t k = 0; k < v_len; k++) {
                if (v[k] < '0' || v[k] > '9' || t->size > INT64_MAX / 10 - 1)
                    return err_set(e, ERR_INPUT, "the tar has a bad pax header");
                t->size = 10 * t->size + (v[k] - '0');
            }
        } else if (key_len > 11 && memcmp(key, "GNU.sparse.", 11) == 0) {
            t->sparse = true;
        }
        p += len;
        n -= len;
    }
    return 0;
}

/* The name in a header itself, unless a longer one went before. */
static int read_name(tar *t, const uint8_t *h, err *e)
{
    if (t->name.n)
        return 0;
    if (memcmp(h + MAGIC, "ustar", 6) == 0 && h[PREFIX]) {
        if (buf_add(&t->name, h + PREFIX, strnlen((const char *)h + PREFIX, PREFIX_LEN), e) || buf_add(&t->name, "/", 1, e))
            return -1;
    }
    if (buf_add(&t->name, h + NAME, strnlen((const char *)h + NAME, NAME_LEN), e) || buf_add(&t->name, "", 1, e))
        return -1;
    return 0;
}

/* The next header block that is not zero: 1, 0 at the end, -1. */
static int next_header(tar *t, const uint8_t **h, err *e)
{
    int rc = feed_skip(&t->f, t->left, e);

    if (rc <= 0)
        return rc < 0 ? -1 : cut(e);
    t->left = 0;
    for (;;) {
        int64_t n = feed_peek(&t->f, BLOCK, h, e);
        if (n < 0)
            return -1;
        if (n < BLOCK)
            return t->ended && is_zero(*h, (size_t)n) ? 0 : cut(e);
        if (!is_zero(*h, BLOCK))
            return 1;
        t->ended = true;
        if (feed_skip(&t->f, BLOCK, e) < 0)
            return -1;
    }
}

int tar_next(tar *t, tar_member *m, err *e)
{
    const uint8_t *h;

    t->name.n = 0;
    t->size = -1;
    t->sparse = false;
    for (;;) {
        int rc = next_header(t, &h, e);
        if (rc <= 0)
            return rc;
        if (!tar_is_header(h))
            return err_set(e, ERR_INPUT, "no tar header at byte %llu", (unsigned long long)t->f.pos);
        t->ended = false;
        char type = (char)h[TYPE];
        int64_t size = number(h + SIZE, SIZE_LEN);
        bool extended = strchr("LKxg", type) && type;
        if (t->size >= 0 && !extended)
            size = t->size;
        if (size < 0 || size > INT64_MAX - BLOCK)
            return err_set(e, ERR_INPUT, "a member of the tar has no valid size");
        if (!extended && read_name(t, h, e))
            return -1;
        if (feed_skip(&t->f, BLOCK, e) < 0)
            return -1;
        t->left = ((uint64_t)size + BLOCK - 1) / BLOCK * BLOCK;

        if (!extended) {
            const char *name = (const char *)t->name.p;
            size_t n = strlen(name);
            /* v7 has no type for folders, only the slash; links have no bytes of their own */
            *m = (tar_member){.type = type == '\0' || type == '7' ? '0' : type, .name = name, .offset = t->f.pos, .size = size};
            if (m->type == '0' && n > 0 && name[n - 1] == '/')
                m->type = '5';
            if (m->type == '0' && t->sparse)
                m->type = 'S';
            if (m->type == '1' || m->type == '2')
                t->left = 0;
            return 1;
        }
        if (type == 'K' || type == 'g')
            continue;
        if (size > MAX_EXTENDED)
            return err_set(e, ERR_INPUT, "a name in the tar is longer than %d bytes", MAX_EXTENDED);
        const uint8_t *p = tar_bytes(t, (size_t)size, e);
        if (!p || (type == 'L' ? set_name(t, p, (size_t)size, e) : read_pax(t, p, (size_t)size, e)))
            return -1;
    }
}
