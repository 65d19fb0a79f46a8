#include "data/zip.h"

#include "base/crc.h"
#include "base/io.h"

#include <libdeflate.h>
#include <stdbool.h>
#include <string.h>

enum {
    LOCAL = 0x04034b50, ENTRY = 0x02014b50, END = 0x06054b50,
    END64 = 0x06064b50, LOCATOR = 0x07064b50,
    LOCAL_SIZE = 30, ENTRY_SIZE = 46, END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20,
    EXTRA64 = 1, /* the tag of zip64's extra field (4.5.3) */
    VERSION = 20, VERSION64 = 45, DATE = 0x21, /* 1 January 1980: archives of the same content are the same */
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

static uint64_t get8(const uint8_t *p)
{
    return get4(p) | (uint64_t)get4(p + 4) << 32;
}

/* ---- Reading ----------------------------------------------------------------------- */

static int damaged(err *e)
{
    return err_set(e, ERR_INPUT, "the archive is damaged or truncated");
}

/* The directory of a zip64 archive: a record that a locator before the usual end tells the place of (4.3.14, 4.3.15). */
static int read_end64(zip_reader *z, size_t end, err *e)
{
    const uint8_t *locator = z->p + end - LOCATOR_SIZE;

    if (end < LOCATOR_SIZE + END64_SIZE || get4(locator) != LOCATOR)
        return damaged(e);
    uint64_t at = get8(locator + 8);
    if (at > end - LOCATOR_SIZE - END64_SIZE || get4(z->p + at) != END64)
        return damaged(e);
    z->left = get8(z->p + at + 32);
    uint64_t directory = get8(z->p + at + 48);
    if (directory > at)
        return damaged(e);
    z->at = (size_t)directory;
    return 0;
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
            return read_end64(z, n - back, e);
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

/* What of size, packed size and offset does not fit is in an extra field, in this order. */
static int read_extra64(const uint8_t *p, size_t n, uint64_t *size, uint64_t *packed, uint64_t *local)
{
    uint64_t *wanted[3] = {size, packed, local};

    while (n >= 4) {
        size_t tag = get2(p), len = get2(p + 2);
        if (len > n - 4)
            return -1;
        if (tag == EXTRA64) {
            for (int i = 0; i < 3; i++) {
                if (*wanted[i] != 0xffffffff)
                    continue;
                if (len < 8)
                    return -1;
                *wanted[i] = get8(p + 4);
                p += 8;
                len -= 8;
            }
            return 0;
        }
        p += 4 + len;
        n -= 4 + len;
    }
    return -1;
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
    uint64_t packed = get4(d + 20), size = get4(d + 24), local = get4(d + 42);
    if (z->n - z->at - ENTRY_SIZE < name + extra + comment || name >= sizeof m->name)
        return damaged(e);
    memcpy(m->name, d + ENTRY_SIZE, name);
    m->name[name] = '\0';
    z->at += ENTRY_SIZE + name + extra + comment;

    if ((packed == 0xffffffff || size == 0xffffffff || local == 0xffffffff) &&
        read_extra64(d + ENTRY_SIZE + name, extra, &size, &packed, &local))
        return damaged(e);
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

/* What an entry and a local header have in common. What is beyond the limit is in the extra field. */
static int put_common(buf *b, uint32_t crc, uint64_t size, bool large, size_t name, size_t extra, err *e)
{
    uint64_t shown = large ? 0xffffffff : size;

    return put(b, 2, extra ? VERSION64 : VERSION, e) || put(b, 2, 0, e) || put(b, 2, 0, e) || put(b, 2, 0, e) || put(b, 2, DATE, e) ||
           put(b, 4, crc, e) || put(b, 4, shown, e) || put(b, 4, shown, e) || put(b, 2, name, e) || put(b, 2, extra, e);
}

int zip_put(zip_writer *z, const char *name, const buf *head, const void *p, size_t n, err *e)
{
    buf local = {0}, *d = &z->directory;
    size_t len = strlen(name), size = head->n + n;
    uint64_t limit = z->limit ? z->limit : 0xffffffff;
    bool large = size >= limit, far = z->at >= limit;
    size_t extra = large || far ? 4 + (large ? 16 : 0) + (far ? 8 : 0) : 0;
    uint32_t crc = crc_update(crc_update(0, head->p, head->n), p, n);
    int rc = -1;

    if (put(d, 4, ENTRY, e) || put(d, 2, extra ? VERSION64 : VERSION, e) || put_common(d, crc, size, large, len, extra, e) || put(d, 2, 0, e) ||
        put(d, 2, 0, e) || put(d, 2, 0, e) || put(d, 4, 0, e) || put(d, 4, far ? 0xffffffff : z->at, e) || buf_add(d, name, len, e) ||
        (extra && (put(d, 2, EXTRA64, e) || put(d, 2, extra - 4, e))) || (large && (put(d, 8, size, e) || put(d, 8, size, e))) ||
        (far && put(d, 8, z->at, e)))
        goto out;
    if (put(&local, 4, LOCAL, e) || put_common(&local, crc, size, large, len, large ? 20 : 0, e) || buf_add(&local, name, len, e) ||
        (large && (put(&local, 2, EXTRA64, e) || put(&local, 2, 16, e) || put(&local, 8, size, e) || put(&local, 8, size, e))) ||
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
    buf *d = &z->directory;
    size_t n = d->n;
    uint64_t limit = z->limit ? z->limit : 0xffffffff, at = z->at;
    bool large = at >= limit || n >= limit || z->members >= 0xffff;

    /* The record, and the locator that says where it is. */
    if (large && (put(d, 4, END64, e) || put(d, 8, END64_SIZE - 12, e) || put(d, 2, VERSION64, e) || put(d, 2, VERSION64, e) || put(d, 4, 0, e) ||
                  put(d, 4, 0, e) || put(d, 8, z->members, e) || put(d, 8, z->members, e) || put(d, 8, n, e) || put(d, 8, at, e) ||
                  put(d, 4, LOCATOR, e) || put(d, 4, 0, e) || put(d, 8, at + n, e) || put(d, 4, 1, e)))
        return -1;
    unsigned members = large && z->members >= 0xffff ? 0xffff : z->members;
    if (put(d, 4, END, e) || put(d, 4, 0, e) || put(d, 2, members, e) || put(d, 2, members, e) || put(d, 4, n >= limit ? 0xffffffff : n, e) ||
        put(d, 4, large ? 0xffffffff : at, e) || put(d, 2, 0, e))
        return -1;
    return io_write(z->fd, d->p, d->n, e);
}

void zip_write_end(zip_writer *z)
{
    buf_free(&z->directory);
}
