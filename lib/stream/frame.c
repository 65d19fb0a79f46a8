#include "stream/frame.h"

#include "base/crc.h"
#include "stream/pack.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char no_memory[] = "out of memory";

static int reserve(frame *f, size_t more)
{
    if (f->failed)
        return -1;
    if (more > STREAM_MAX_FRAME + FRAME_HEAD || f->n + more > STREAM_MAX_FRAME + FRAME_HEAD) {
        f->failed = "a frame is above the limit of 1 GiB";
        return -1;
    }
    if (f->n + more <= f->cap)
        return 0;
    size_t cap = f->cap ? 2 * f->cap : 1024;
    if (cap < f->n + more)
        cap = f->n + more;
    uint8_t *p = realloc(f->p, cap);
    if (!p) {
        f->failed = no_memory;
        return -1;
    }
    f->p = p;
    f->cap = cap;
    return 0;
}

static int append(void *to, const char *p, size_t n)
{
    frame *f = to;

    if (reserve(f, n))
        return -1;
    memcpy(f->p + f->n, p, n);
    f->n += n;
    return 0;
}

static msgpack_packer packer(frame *f)
{
    return (msgpack_packer){.data = f, .callback = append};
}

void frame_begin(frame *f, int type)
{
    f->n = 0;
    f->entries = 0;
    f->failed = NULL;
    if (reserve(f, FRAME_HEAD + FRAME_CRC + 1))
        return;
    f->p[0] = 0xc9;
    f->p[5] = (uint8_t)type;
    f->n = FRAME_HEAD + FRAME_CRC + 1; /* one byte for the map's head; frame_end() makes room when it takes three */
}

/* Start an entry. */
static void name_entry(frame *f, msgpack_packer *k, const char *name)
{
    if (++f->entries > STREAM_MAX_FIELDS && !f->failed)
        f->failed = "a sample has more fields than the limit of 64";
    pack_text(k, name);
}

void frame_int(frame *f, const char *name, int64_t v)
{
    msgpack_packer k = packer(f);

    name_entry(f, &k, name);
    msgpack_pack_int64(&k, v);
}

void frame_float(frame *f, const char *name, double v)
{
    msgpack_packer k = packer(f);

    name_entry(f, &k, name);
    msgpack_pack_double(&k, v);
}

void frame_str(frame *f, const char *name, const char *s, size_t n)
{
    msgpack_packer k = packer(f);

    name_entry(f, &k, name);
    pack_str(&k, s, n);
}

uint8_t *frame_tensor(frame *f, const char *name, dtype type, int ndim, const int64_t *shape)
{
    msgpack_packer k = packer(f);
    int64_t bytes = tensor_bytes(type, ndim, shape, STREAM_MAX_FRAME);

    if (bytes < 0) {
        if (!f->failed)
            f->failed = "a tensor is above the limit of 1 GiB";
        return NULL;
    }
    name_entry(f, &k, name);
    msgpack_pack_array(&k, 3);
    pack_text(&k, dtype_name(type));
    msgpack_pack_array(&k, (size_t)ndim);
    for (int i = 0; i < ndim; i++)
        msgpack_pack_int64(&k, shape[i]);
    msgpack_pack_bin(&k, (size_t)bytes);
    if (reserve(f, (size_t)bytes))
        return NULL;
    f->n += (size_t)bytes;
    return f->p + f->n - bytes;
}

void frame_field(frame *f, const field *x)
{
    if (++f->entries > STREAM_MAX_FIELDS && !f->failed)
        f->failed = "a sample has more fields than the limit of 64";
    append(f, (const char *)x->raw, x->raw_len);
}

void frame_fields_except(frame *f, const sample *s, ...)
{
    for (int i = 0; i < s->n; i++) {
        const field *x = &s->f[i];
        const char *name;
        va_list ap;

        va_start(ap, s);
        do
            name = va_arg(ap, const char *);
        while (name && !(strlen(name) == x->name_len && memcmp(name, x->name, x->name_len) == 0));
        va_end(ap);
        if (!name)
            frame_field(f, x);
    }
}

int frame_end(frame *f, err *e)
{
    size_t start = FRAME_HEAD + FRAME_CRC;

    if (f->entries > 15 && reserve(f, 2) == 0) {
        memmove(f->p + start + 3, f->p + start + 1, f->n - start - 1);
        f->n += 2;
    }
    if (f->failed)
        return f->failed == no_memory ? err_nomem(e) : err_set(e, ERR_RUN, "%s", f->failed);

    /* The map's head, now that the number of entries is known, written over the room left for it. */
    frame head = {f->p + start, 0, 3, 0, NULL};
    msgpack_packer k = packer(&head);
    msgpack_pack_map(&k, (size_t)f->entries);
    frame_seal(f->p, f->n);
    return 0;
}

void frame_seal(uint8_t *p, size_t n)
{
    uint32_t len = (uint32_t)(n - FRAME_HEAD);
    uint32_t crc = crc_update(0, p + FRAME_HEAD + FRAME_CRC, n - FRAME_HEAD - FRAME_CRC);

    for (int i = 0; i < 4; i++) {
        p[1 + i] = (uint8_t)(len >> (24 - 8 * i));
        p[FRAME_HEAD + i] = (uint8_t)(crc >> (8 * i));
    }
}

uint32_t frame_length(const uint8_t *p)
{
    return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

uint32_t frame_crc(const uint8_t *p)
{
    p += FRAME_HEAD;
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

void frame_digest(sha256 *sum, const uint8_t *p)
{
    uint8_t b[8];

    for (int i = 0; i < 4; i++) {
        b[i] = p[FRAME_HEAD + i];
        b[4 + i] = p[4 - i];
    }
    sha256_add(sum, b, sizeof b);
}

void frame_free(frame *f)
{
    free(f->p);
    *f = (frame){0};
}

int frame_sample(const frame *f, sample *s, err *e)
{
    return sample_parse(s, f->p + FRAME_HEAD + FRAME_CRC, f->n - FRAME_HEAD - FRAME_CRC, e);
}
