#include "stream/walk.h"

#include <string.h>

static uint64_t big_endian(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static int sized(head *h, head_type type, uint64_t n, size_t least, size_t left)
{
    h->type = type;
    h->n = (uint32_t)n;
    return n * least <= left ? 0 : -1;
}

int walk_head(const uint8_t **p, const uint8_t *end, head *h)
{
    /* Bytes of the number that follows the type byte, for 0xc0 to 0xdf; an ext's type comes after its length. */
    static const uint8_t number[32] = {
        0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
    };

    if (*p >= end)
        return -1;
    uint8_t b = *(*p)++;
    if (b < 0x80 || b >= 0xe0) {
        h->type = HEAD_INT;
        h->i = (int8_t)b;
        return 0;
    }
    if (b < 0x90)
        return sized(h, HEAD_MAP, b & 15, 2, (size_t)(end - *p));
    if (b < 0xa0)
        return sized(h, HEAD_ARRAY, b & 15, 1, (size_t)(end - *p));
    if (b < 0xc0)
        return sized(h, HEAD_STR, b & 31, 1, (size_t)(end - *p));

    int k = number[b & 31];
    if (end - *p < k)
        return -1;
    uint64_t v = big_endian(*p, k);
    *p += k;
    size_t left = (size_t)(end - *p);
    switch (b) {
    case 0xc0:
        h->type = HEAD_NIL;
        return 0;
    case 0xc2: case 0xc3:
        h->type = HEAD_BOOL;
        h->i = b & 1;
        return 0;
    case 0xc4: case 0xc5: case 0xc6:
        return sized(h, HEAD_BIN, v, 1, left);
    case 0xc7: case 0xc8: case 0xc9:
        if (left < 1)
            return -1;
        ++*p;
        return sized(h, HEAD_EXT, v, 1, left - 1);
    case 0xca: {
        uint32_t bits = (uint32_t)v;
        float f;
        memcpy(&f, &bits, 4);
        h->type = HEAD_FLOAT;
        h->f = f;
        return 0;
    }
    case 0xcb:
        h->type = HEAD_FLOAT;
        memcpy(&h->f, &v, 8);
        return 0;
    case 0xcc: case 0xcd: case 0xce: case 0xcf:
        h->type = v <= INT64_MAX ? HEAD_INT : HEAD_BIG;
        h->i = (int64_t)v;
        return 0;
    case 0xd0:
        h->type = HEAD_INT;
        h->i = (int8_t)v;
        return 0;
    case 0xd1:
        h->type = HEAD_INT;
        h->i = (int16_t)v;
        return 0;
    case 0xd2:
        h->type = HEAD_INT;
        h->i = (int32_t)v;
        return 0;
    case 0xd3:
        h->type = HEAD_INT;
        h->i = (int64_t)v;
        return 0;
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: /* fixext 1, 2, 4, 8, 16 */
        if (left < 1)
            return -1;
        ++*p;
        return sized(h, HEAD_EXT, 1u << (b - 0xd4), 1, left - 1);
    case 0xd9: case 0xda: case 0xdb:
        return sized(h, HEAD_STR, v, 1, left);
    case 0xdc: case 0xdd:
        return sized(h, HEAD_ARRAY, v, 1, left);
    case 0xde: case 0xdf:
        return sized(h, HEAD_MAP, v, 2, left);
    default: /* 0xc1 is never used */
        return -1;
    }
}

int walk_skip(const uint8_t **p, const uint8_t *end, int depth, size_t *values)
{
    head h;

    if (*values == 0)
        return -3;
    --*values;
    if (walk_head(p, end, &h))
        return -1;
    if (h.type == HEAD_STR || h.type == HEAD_BIN || h.type == HEAD_EXT) {
        *p += h.n;
        return 0;
    }
    if (h.type != HEAD_ARRAY && h.type != HEAD_MAP)
        return 0;
    if (depth == 0)
        return -2;
    for (uint64_t n = h.type == HEAD_MAP ? 2 * (uint64_t)h.n : h.n; n > 0; n--) {
        int rc = walk_skip(p, end, depth - 1, values);
        if (rc)
            return rc;
    }
    return 0;
}
