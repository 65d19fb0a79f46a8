#include "data/zip.h"

#include "base/crc.h"
#include "base/io.h"

#include <libdeflate.h>
#include <string.h>

enum {
    LOCAL = 0x04034b50, ENTRY = 0x02014b50, END = 0x06054b50,
    LOCAL_SIZE = 30, ENTRY_SIZE = 46, END_SIZE = 22,
    VERSION = 20, DATE = 0x21, /* 1 January 1980: archives of the same content are the same */
    MAX_FACTOR = 1032 /* deflate's best */
};

static uint32_t get2(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get4(const uint8_t *p)
{
    return get2(p) | get2(p + 2) << 16;
}

/* ---- Reading ----------------------------------------------------------------------- */

static int damaged(err *e)
{
    return err_set(e, ERR_INPUT, "the archive is damaged or truncated");
}

int zip_read(zip_reader *z, const uint8_t *p, size_t n, err *e)
{
    *z = (zip_reader){.p = p, .n = n};
    /* The end of the directory stands before a comment of at most 65535 bytes. */
    for (size_t back = END_SIZE; back <= n && back <= END_SIZE + 65535; back++) {
        const uint8_t *q = p + n - back;
        if (get4(q) != END || get2(q + 20) != back - END_SIZE)
            continue;
        z->left = get2(q + 10);
        z->at = get4(q + 16);
        if (z->left == 0xffff || get4(q + 16) == 0xffffffff)
            return err_set(e, ERR_INPUT, "archives of the kind zip64 are not read");
        return z->at <= n - back ? 0 : damaged(e);
    }
    return damaged(e);
}

static int inflate(zip_reader *z, const uint8_t *p, size_t n, size_t size, err *e)
{
    struct libdeflate_decompressor *d;
    size_t got = 0;
    int rc = -1;

    if (size / MAX_FACTOR > n)
        return damaged(e);
    z->inflated.n = 0;
    if (buf_reserve(&z->inflated, size + 1, e))
        return -1;
    if (!(d = libdeflate_alloc_decompressor()))
        return err_nomem(e);
    if (libdeflate_deflate_decompress(d, p, n, z->inflated.p, size, &got) != LIBDEFLATE_SUCCESS || got != size)
        damaged(e);
    else
        rc = 0;
    libdeflate_free_decompressor(d);
    return rc;
}

int zip_next(zip_reader *z, zip_member *m, err *e)
{
    if (z->left == 0)
        return 0;
    z->left--;
    const uint8_t *d = z->p + z->at;
    if (z->n - z->at < ENTRY_SIZE || get4(d) != ENTRY)
        return damaged(e);
    size_t name = get2(d + 28), extra = get2(d + 30), comment = get2(d + 32);
    uint32_t flags = get2(d + 8), method = get2(d + 10), crc = get4(d + 16);
    size_t packed = get4(d + 20), size = get4(d + 24), local = get4(d + 42);
    if (z->n - z->at - ENTRY_SIZE < name + extra + comment || name >= sizeof m->name)
        return damaged(e);
    memcpy(m->name, d + ENTRY_SIZE, name);
    m->name[name] = '\0';
    z->at += ENTRY_SIZE + name + extra + comment;

    if (packed == 0xffffffff || size == 0xffffffff)
        return err_set(e, ERR_INPUT, "archives of the kind zip64 are not read");
    if (local > z->n || z->n - local < LOCAL_SIZE || get4(z->p + local) != LOCAL)
        return damaged(e);
    size_t before = LOCAL_SIZE + get2(z->p + local + 26) + get2(z->p + local + 28);
    if (z->n - local < before || z->n - local - before < packed)
        return damaged(e);
    const uint8_t *p = z->p + local + before;
    if (flags & 1 || (method != 0 && method != 8))
        return err_set(e, ERR_INPUT, "'%s' is encrypted, or compressed in a way that is not known", m->name);
    if (method == 8) {
        if (inflate(z, p, packed, size, e))
            return err_prefix(e, "'%s'", m->name);
        p = z->inflated.p;
    } else if (packed != size) {
        return damaged(e);
    }
    if (crc_update(0, p, size) != crc)
        return err_set(e, ERR_INPUT, "'%s': the checksum is wrong", m->name);
    m->p = p;
    m->n = size;
    return 1;
}

void zip_read_end(zip_reader *z)
{
    buf_free(&z->inflated);
}

/* ---- Writing ----------------------------------------------------------------------- */

static int put(buf *b, int bytes, uint64_t v, err *e)
{
    uint8_t p[8];

    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    return buf_add(b, p, (size_t)bytes, e);
}

/* What an entry and a local header have in common. */
static int put_common(buf *b, uint32_t crc, size_t size, size_t name, err *e)
{
    return put(b, 2, VERSION, e) || put(b, 2, 0, e) || put(b, 2, 0, e) || put(b, 2, 0, e) || put(b, 2, DATE, e) || put(b, 4, crc, e) ||
           put(b, 4, size, e) || put(b, 4, size, e) || put(b, 2, name, e) || put(b, 2, 0, e);
}

int zip_put(zip_writer *z, const char *name, const buf *head, const void *p, size_t n, err *e)
{
    buf local = {0};
    size_t len = strlen(name), size = head->n + n;
    uint32_t crc = crc_update(crc_update(0, head->p, head->n), p, n);
    int rc = -1;

    if (z->at + size > UINT32_MAX - (1u << 20))
        return err_set(e, ERR_INPUT, "the archive would be over 4 GiB");
    if (put(&z->directory, 4, ENTRY, e) || put(&z->directory, 2, VERSION, e) || put_common(&z->directory, crc, size, len, e) ||
        put(&z->directory, 2, 0, e) || put(&z->directory, 2, 0, e) || put(&z->directory, 2, 0, e) || put(&z->directory, 4, 0, e) ||
        put(&z->directory, 4, z->at, e) || buf_add(&z->directory, name, len, e))
        goto out;
    if (put(&local, 4, LOCAL, e) || put_common(&local, crc, size, len, e) || buf_add(&local, name, len, e) ||
        io_write(z->fd, local.p, local.n, e) || io_write(z->fd, head->p, head->n, e) || io_write(z->fd, p, n, e))
        goto out;
    z->at += local.n + size;
    z->members++;
    rc = 0;
out:
    buf_free(&local);
    return rc;
}

int zip_end(zip_writer *z, err *e)
{
    size_t n = z->directory.n;

    if (put(&z->directory, 4, END, e) || put(&z->directory, 4, 0, e) || put(&z->directory, 2, z->members, e) ||
        put(&z->directory, 2, z->members, e) || put(&z->directory, 4, n, e) || put(&z->directory, 4, z->at, e) || put(&z->directory, 2, 0, e))
        return -1;
    return io_write(z->fd, z->directory.p, z->directory.n, e);
}

void zip_write_end(zip_writer *z)
{
    buf_free(&z->directory);
}
