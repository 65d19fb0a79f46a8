/*
 * NumPy's .npy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
 * unsigned bytes in C order, (N, H, W, C), (N, H, W), or one image, (H, W, C) or
 * (H, W), with C 1 or 3.
 */
#include "data/raw.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 65536, MAX_DIMS = 4 };

static bool is_npy(const source_probe *p)
{
    return p->n >= 10 && memcmp(p->head, "\x93NUMPY", 6) == 0;
}

/* What follows 'name': in the header's Python dictionary, or NULL. */
static const char *find(const char *dict, const char *name)
{
    const char *p = strstr(dict, name);

    if (!p)
        return NULL;
    p += strlen(name);
    return p + strspn(p, " :");
}

/* "(60000, 28, 28)": the number of dimensions, or -1. */
static int parse_shape(const char *p, int64_t shape[MAX_DIMS])
{
    int n = 0;

    if (!p || *p++ != '(')
        return -1;
    for (;;) {
        p += strspn(p, ", ");
        if (*p == ')')
            return n;
        if (*p < '0' || *p > '9' || n == MAX_DIMS)
            return -1;
        char *end;
        shape[n] = strtoll(p, &end, 10);
        if (shape[n] < 0 || shape[n] > INT32_MAX)
            return -1;
        n++;
        p = end;
    }
}

static int read_header(raw *r, raw_part *p, err *e)
{
    uint8_t h[12];
    char *dict = NULL;
    int64_t shape[MAX_DIMS];
    int rc = -1;

    if (blob_read(&p->b, 0, h, 10, e))
        return -1;
    int wide = h[6] >= 2; /* version 2 on: a 32-bit length */
    if (memcmp(h, "\x93NUMPY", 6) || h[6] < 1 || h[6] > 3)
        return err_set(e, ERR_INPUT, "'%s' is no npy file of a known version", p->path);
    if (wide && blob_read(&p->b, 10, h + 10, 2, e))
        return -1;
    size_t n = h[8] | (size_t)h[9] << 8;
    if (wide)
        n |= (size_t)h[10] << 16 | (size_t)h[11] << 24;
    if (n > MAX_HEADER)
        return err_set(e, ERR_INPUT, "'%s' has a header of %zu bytes", p->path, n);
    p->first = (wide ? 12u : 10u) + n;
    if (!(dict = calloc(n + 1, 1))) {
        err_nomem(e);
        goto out;
    }
    if (blob_read(&p->b, p->first - n, dict, n, e))
        goto out;
    const char *type = find(dict, "'descr'"), *order = find(dict, "'fortran_order'");
    int dims = parse_shape(find(dict, "'shape'"), shape);
    if (!type || !order || dims < 0) {
        err_set(e, ERR_INPUT, "'%s' has a header that cannot be read", p->path);
        goto out;
    }
    if (strncmp(type, "'|u1'", 5) || strncmp(order, "False", 5)) {
        err_set(e, ERR_INPUT, "'%s' does not hold unsigned bytes in C order", p->path);
        goto out;
    }
    bool one = dims == 2 || (dims == 3 && (shape[2] == 1 || shape[2] == 3));
    const int64_t *s = one ? shape : shape + 1;
    int64_t c = dims - !one == 3 ? s[2] : 1;
    if (dims < 2 || (c != 1 && c != 3) || s[0] < 1 || s[1] < 1 || s[0] > INT32_MAX / s[1] / c) {
        err_set(e, ERR_INPUT, "'%s' has the shape of no images", p->path);
        goto out;
    }
    r->h = (int)s[0];
    r->w = (int)s[1];
    r->c = (int)c;
    p->n = one ? 1 : shape[0];
    p->stride = (uint64_t)(s[0] * s[1] * c);
    int64_t left = p->b.size - (int64_t)p->first;
    if (p->n > left / (int64_t)p->stride) {
        err_set(e, ERR_INPUT, "'%s' is truncated", p->path);
        goto out;
    }
    rc = 0;
out:
    free(dict);
    return rc;
}

static int list(source *s, listing *l, err *e)
{
    raw *r = raw_new(s, e);
    const char *base = strrchr(s->operand, '/');
    raw_part *p = r ? raw_add(r, NULL, s->operand, e) : NULL;

    if (!p || raw_open(p, e) || read_header(r, p, e))
        return -1;
    s->h = r->h;
    s->w = r->w;
    s->c = r->c;
    p->name = base ? base + 1 : s->operand;
    return raw_list(s, l, 0, NULL, NULL, e);
}

const source_type source_npy = {
    .name = "npy",
    .help = "a .npy file of unsigned bytes: [N,H,W,C], [N,H,W] or one image",
    .is = is_npy,
    .list = list,
    .read = raw_read,
    .close = raw_close,
};
