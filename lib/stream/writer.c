#include "base/io.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "stream/frame.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BATCH = 64 << 10, /* bytes gathered before a write */
    LARGE = 16 << 10, /* frames from here on are written uncopied */
};
static const double hold = 0.010;  /* seconds a frame may wait in the batch while others follow */
static const double glance = 0.001; /* between looks at whether the reader has run dry */

struct writer {
    int fd;
    bool pipe;
    bool broken; /* a write has failed */
    int64_t frames;
    sha256 sum;
    size_t n; /* bytes in the batch */
    double first, looked;
    uint8_t batch[BATCH];
};

writer *writer_new(int fd, const header *h, err *e)
{
    writer *w = calloc(1, sizeof *w);
    struct stat st;
    buf head = {0};

    if (!w) {
        err_nomem(e);
        return NULL;
    }
    w->fd = fd;
    w->pipe = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
    if (w->pipe)
        io_grow_pipe(fd);
    sha256_start(&w->sum);
    /* The header goes out at once: those downstream can prepare while the first sample is made. */
    if (header_pack(h, &head, e) || io_write(fd, head.p, head.n, e)) {
        free(w);
        w = NULL;
    }
    buf_free(&head);
    return w;
}

void writer_free(writer *w)
{
    free(w);
}

/* The batch and then one more run of bytes. */
static int send(writer *w, const uint8_t *p, size_t n, err *e)
{
    struct iovec v[2] = {{w->batch, w->n}, {(void *)(uintptr_t)p, n}};

    if (w->n + n == 0)
        return 0;
    w->n = 0;
    if (io_writev(w->fd, v, 2, e)) {
        w->broken = true;
        return -1;
    }
    return 0;
}

int writer_flush(writer *w, err *e)
{
    return send(w, NULL, 0, e);
}

int writer_on_wait(void *w, err *e)
{
    return writer_flush(w, e);
}

/* A slow source must not be held back: has the batch waited long enough, or has its reader nothing left? */
static bool due(writer *w)
{
    double now = progress_clock();
    int unread;

    if (w->n == 0) {
        w->first = w->looked = now;
        return false;
    }
    if (now - w->first >= hold)
        return true;
    if (!w->pipe || now - w->looked < glance)
        return false;
    w->looked = now;
    return ioctl(w->fd, FIONREAD, &unread) == 0 && unread == 0;
}

static int put(writer *w, const uint8_t *p, size_t n, err *e)
{
    if (n >= LARGE)
        return send(w, p, n, e);
    if (w->n + n > BATCH && writer_flush(w, e))
        return -1;
    bool now = due(w);
    memcpy(w->batch + w->n, p, n);
    w->n += n;
    return now ? writer_flush(w, e) : 0;
}

int writer_put_bytes(writer *w, const uint8_t *p, size_t n, err *e)
{
    frame_digest(&w->sum, p);
    w->frames++;
    return put(w, p, n, e);
}

int writer_put(writer *w, const frame *f, err *e)
{
    return writer_put_bytes(w, f->p, f->n, e);
}

int writer_finish(writer *w, int64_t skipped, err *e)
{
    frame f = {0};
    char digest[65];
    int rc = -1;

    sha256_end_hex(&w->sum, digest);
    frame_begin(&f, FRAME_TRAILER);
    frame_int(&f, "frames", w->frames);
    frame_int(&f, "skipped", skipped);
    frame_str(&f, "digest", digest, 64);
    if (frame_end(&f, e) == 0)
        rc = send(w, f.p, f.n, e);
    frame_free(&f);
    return rc;
}

/* Strings of a stream are UTF-8, which a message with a file's name in it need not be. */
static void put_text(frame *f, const char *name, const char *s, size_t n)
{
    char text[sizeof ((err *)0)->msg];
    size_t k = 0;

    for (; k < n && k < sizeof text;) {
        size_t len = utf8_length(s + k, n - k);
        if (k + len > sizeof text)
            break;
        if (len)
            memcpy(text + k, s + k, len);
        else
            text[k] = '?';
        k += len ? len : 1;
    }
    frame_str(f, name, text, k);
}

/* The abort frame for `why`; f->p is its bytes. */
static int abort_frame(frame *f, const char *tool, const err *why)
{
    const char *message = why->msg, *colon;
    size_t tool_len = strlen(tool);
    err ignored;

    if (why->kind == ERR_ABORTED && (colon = strstr(why->msg, ": "))) {
        tool = why->msg;
        tool_len = (size_t)(colon - tool);
        message = colon + 2;
    }
    frame_begin(f, FRAME_ABORT);
    put_text(f, "tool", tool, tool_len);
    put_text(f, "message", message, strlen(message));
    return frame_end(f, &ignored);
}

void writer_abort(writer *w, const char *tool, const err *why)
{
    frame f = {0};
    err ignored;

    if (!w || w->broken || why->kind == ERR_GONE)
        return;
    if (abort_frame(&f, tool, why) == 0)
        send(w, f.p, f.n, &ignored);
    frame_free(&f);
}

void stream_abort(int fd, const char *tool, const err *why)
{
    frame f = {0};
    err ignored;

    if (isatty(fd) || why->kind == ERR_GONE)
        return;
    if (abort_frame(&f, tool, why) == 0)
        io_write(fd, f.p, f.n, &ignored);
    frame_free(&f);
}
