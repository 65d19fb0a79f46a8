#include "data/blob.h"

#include "base/buf.h"
#include "base/io.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A gzip file's whole content, several members included (RFC 1952, 2.2). */
static int inflate(blob *b, err *e)
{
    /* No deflate stream shrinks its data by more than this (zlib's documentation, "Maximum Compression Factor"). */
    enum { MAX_FACTOR = 1032 };
    int rc = -1;
    buf to = {0};
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    size_t size = (size_t)b->size, at = 0;
    uint8_t *in = malloc(size ? size : 1);

    if (!in || !d) {
        err_nomem(e);
        goto out;
    }
    if (blob_read(b, 0, in, size, e) || buf_reserve(&to, 2 * size, e))
        goto out;
    while (at < size) {
        size_t used, got;
        enum libdeflate_result r =
            libdeflate_gzip_decompress_ex(d, in + at, size - at, to.p + to.n, to.cap - to.n, &used, &got);
        if (r == LIBDEFLATE_INSUFFICIENT_SPACE && to.cap / MAX_FACTOR <= size) {
            if (buf_reserve(&to, to.cap - to.n + 1, e))
                goto out;
            continue;
        }
        if (r != LIBDEFLATE_SUCCESS) {
            err_set(e, ERR_INPUT, "'%s' is no whole gzip file", b->path);
            goto out;
        }
        to.n += got;
        at += used;
    }
    close(b->fd);
    b->fd = -1;
    b->p = to.p;
    b->size = (int64_t)to.n;
    to = (buf){0};
    rc = 0;
out:
    buf_free(&to);
    free(in);
    libdeflate_free_decompressor(d);
    return rc;
}

int blob_open(blob *b, const char *path, err *e)
{
    struct stat st;
    uint8_t magic[2];

    *b = (blob){.path = path, .fd = io_open_read(path, e)};
    if (b->fd < 0)
        return -1;
    if (fstat(b->fd, &st)) {
        err_sys(e, "cannot open '%s'", path);
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(e, ERR_INPUT, "'%s' is no regular file", path);
        goto fail;
    }
    b->size = st.st_size;
    if (b->size >= 2) {
        if (blob_read(b, 0, magic, 2, e))
            goto fail;
        if (magic[0] == 0x1f && magic[1] == 0x8b && inflate(b, e))
            goto fail;
    }
    return 0;
fail:
    blob_close(b);
    return -1;
}

int blob_read(const blob *b, uint64_t offset, void *dst, size_t n, err *e)
{
    uint8_t *d = dst;

    if (n > (uint64_t)b->size || offset > (uint64_t)b->size - n)
        return err_set(e, ERR_INPUT, "'%s' is truncated", b->path);
    if (b->p) {
        memcpy(d, b->p + offset, n);
        return 0;
    }
    while (n > 0) {
        ssize_t k = pread(b->fd, d, n, (off_t)offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "cannot read '%s'", b->path);
        if (k == 0)
            return err_set(e, ERR_INPUT, "'%s' is truncated", b->path);
        d += k;
        n -= (size_t)k;
        offset += (uint64_t)k;
    }
    return 0;
}

void blob_close(blob *b)
{
    if (b->fd >= 0)
        close(b->fd);
    free(b->p);
    *b = (blob){.fd = -1};
}
