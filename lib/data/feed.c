#include "data/feed.h"

#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

void feed_start(feed *f, int fd)
{
    struct stat st;

    *f = (feed){.fd = fd, .size = -1};
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        f->size = st.st_size;
}

void feed_free(feed *f)
{
    buf_free(&f->b);
}

static size_t held(const feed *f)
{
    return f->b.n - f->at;
}

/* Read some more behind what is held: bytes, 0 at the end, -1. */
static ssize_t more(feed *f, err *e)
{
    if (f->at > 0) {
        memmove(f->b.p, f->b.p + f->at, held(f));
        f->b.n -= f->at;
        f->at = 0;
    }
    if (buf_reserve(&f->b, CHUNK, e))
        return -1;
    ssize_t k;
    if (f->size >= 0) {
        do
            k = pread(f->fd, f->b.p + f->b.n, f->b.cap - f->b.n, (off_t)(f->pos + f->b.n));
        while (k < 0 && errno == EINTR);
        if (k < 0)
            return err_sys(e, "cannot read the input");
    } else {
        if (f->on_wait && !io_ready(f->fd) && f->on_wait(f->wait_arg, e))
            return -1;
        k = io_read(f->fd, f->b.p + f->b.n, f->b.cap - f->b.n, e);
    }
    if (k > 0)
        f->b.n += (size_t)k;
    return k;
}

int feed_push(feed *f, const void *p, size_t n, err *e)
{
    return buf_add(&f->b, p, n, e);
}

int64_t feed_peek(feed *f, size_t n, const uint8_t **p, err *e)
{
    while (held(f) < n) {
        ssize_t k = more(f, e);
        if (k < 0)
            return -1;
        if (k == 0)
            break;
    }
    *p = f->b.p + f->at;
    return (int64_t)(held(f) < n ? held(f) : n);
}

int feed_skip(feed *f, uint64_t n, err *e)
{
    for (;;) {
        uint64_t k = n < held(f) ? n : held(f);
        f->at += (size_t)k;
        f->pos += k;
        n -= k;
        if (n == 0)
            return 1;
        if (f->size >= 0) {
            if (n > (uint64_t)f->size || f->pos > (uint64_t)f->size - n)
                return 0;
            f->pos += n;
            return 1;
        }
        ssize_t got = more(f, e);
        if (got <= 0)
            return (int)got;
    }
}
