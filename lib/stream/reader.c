#include "base/buf.h"
#include "base/crc.h"
#include "base/io.h"
#include "base/sha256.h"
#include "stream/frame.h"
#include "stream/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    START = 256 << 10, /* the buffer at first, and so the largest read while frames are small */
    BIG = 64 << 10,    /* a frame that lacks more than this is read to its end and no further */
};

struct reader {
    int fd;
    size_t max_frame;
    int (*on_wait)(void *arg, err *e);
    void *wait_arg;
    header h;

    /* Bytes at..end of buf have been read but not consumed; the current frame is frame_n bytes before at. */
    uint8_t *buf;
    size_t cap, at, end, frame_n;
    uint64_t consumed; /* bytes of all frames up to and with the current one */
    bool ended; /* read() has returned 0 */

    int64_t count, skipped;
    sha256 sum;
    char digest[65];
    enum { OPEN, DONE, FAILED } state;
};

/* ---- Bytes ------------------------------------------------------------------ */

/* Move what is unconsumed to the front when n bytes from there would not fit behind. */
static void compact(reader *r, size_t n)
{
    if (r->at == 0 || (r->at < r->end && r->at + n <= r->cap))
        return;
    memmove(r->buf, r->buf + r->at, r->end - r->at);
    r->end -= r->at;
    r->at = 0;
}

static int grow(reader *r, err *e)
{
    uint8_t *p = realloc(r->buf, 2 * r->cap);

    if (!p)
        return err_nomem(e);
    r->buf = p;
    r->cap *= 2;
    return 0;
}

/* Have at least n unconsumed bytes: 1, or 0 when the input ends before, or -1. */
static int need(reader *r, size_t n, err *e)
{
    if (r->end - r->at >= n)
        return 1;
    compact(r, n);
    while (r->end - r->at < n) {
        if (r->ended)
            return 0;
        /* Only what has arrived makes the buffer grow, never what a length claims. */
        if (r->end == r->cap && grow(r, e))
            return -1;
        size_t lack = n - (r->end - r->at), room = r->cap - r->end;
        if (lack > BIG && lack + FRAME_HEAD + FRAME_CRC < room)
            room = lack + FRAME_HEAD + FRAME_CRC; /* no large part of the next frame, which would have to be moved */
        if (r->on_wait && !io_ready(r->fd) && r->on_wait(r->wait_arg, e))
            return -1;
        ssize_t k = io_read(r->fd, r->buf + r->end, room, e);
        if (k < 0)
            return -1;
        r->ended = k == 0;
        r->end += (size_t)k;
    }
    return 1;
}

/* ---- What else it may be ------------------------------------------------------ */

static bool printable(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < 9 || (p[i] > 13 && p[i] < 32) || p[i] == 127)
            return false;
    return n > 0;
}

static const char *guess(const uint8_t *p, size_t n)
{
    static const struct { const char *bytes; size_t n, at; const char *what; } magic[] = {
        {"\xff\xd8\xff", 3, 0, "a JPEG image"}, {"\x89PNG", 4, 0, "a PNG image"}, {"GIF8", 4, 0, "a GIF image"},
        {"RIFF", 4, 0, "a RIFF or WebP file"}, {"II*\0", 4, 0, "a TIFF image"}, {"MM\0*", 4, 0, "a TIFF image"},
        {"\x1f\x8b", 2, 0, "gzip data"}, {"\x28\xb5\x2f\xfd", 4, 0, "zstd data"}, {"\xfd""7zXZ", 5, 0, "xz data"},
        {"BZh", 3, 0, "bzip2 data"}, {"PK\3\4", 4, 0, "a zip archive"}, {"\x93NUMPY", 6, 0, "a npy file"},
        {"ustar", 5, 257, "a tar archive"}, {"\0\0\x08\x03", 4, 0, "an IDX file"}, {"\0\0\x08\x01", 4, 0, "an IDX file"},
    };

    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (n >= magic[i].at + magic[i].n && memcmp(p + magic[i].at, magic[i].bytes, magic[i].n) == 0)
            return magic[i].what;
    return printable(p, n < 256 ? n : 256) ? "text" : NULL;
}

/* Not even the first bytes are right: say what a user may have meant. */
static int not_a_stream(reader *r, err *e)
{
    /* A tar shows at byte 257. Look that far, but do not wait for it. */
    while (r->end - r->at < 512 && io_ready(r->fd) && need(r, r->end - r->at + 1, e) > 0)
        ;
    const char *what = guess(r->buf + r->at, r->end - r->at);
    return err_set(e, ERR_INPUT, "the input is not an ssl-stream%s%s; ssl-load reads images", what ? " but " : "", what ? what : "");
}

bool stream_sniff(const uint8_t *p, size_t n)
{
    return n >= STREAM_SNIFF && p[0] == 0xc9 && p[5] == FRAME_HEADER && (p[10] & 0xf0) == 0x80 &&
           memcmp(p + 11, "\xa6" "format" "\xaa" "ssl-", 12) == 0;
}

/* ---- Frames ------------------------------------------------------------------- */

static int truncated(const reader *r, err *e)
{
    if (!r->h.kind)
        return err_set(e, ERR_INPUT, "stream truncated in its header");
    return err_set(e, ERR_INPUT, "stream truncated after %" PRId64 " samples", r->count);
}

static int damaged(const reader *r, err *e, const char *what)
{
    return err_set(e, ERR_INPUT, "stream damaged after %" PRId64 " samples: %s", r->count, what);
}

/* msgpack's own types are negative: 128 and more here. */
static bool is_private(int type)
{
    return type >= FRAME_PRIVATE && type < 128;
}

/*
 * The next frame that is not private, consumed: 1, with its map in *map and *n;
 * 0 at the end of input; -1. The CRC has been verified.
 */
static int next_frame(reader *r, int *type, const uint8_t **map, size_t *n, err *e)
{
    int rc;

    do {
        rc = need(r, FRAME_HEAD + FRAME_CRC, e);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return r->at == r->end ? 0 : truncated(r, e);
        const uint8_t *p = r->buf + r->at;
        if (p[0] != 0xc9)
            return damaged(r, e, "no frame begins here");
        size_t len = frame_length(p), limit = p[5] == FRAME_HEADER ? STREAM_MAX_HEADER : r->max_frame;
        if (len > limit)
            return err_set(e, ERR_INPUT, "a frame of %zu bytes after %" PRId64 " samples is above the limit of %zu (%s)", len, r->count,
                           limit, p[5] == FRAME_HEADER ? "for headers" : "--max-frame");
        if (len < FRAME_CRC + 1 && !is_private(p[5]))
            return damaged(r, e, "a frame without contents");
        rc = need(r, FRAME_HEAD + len, e);
        if (rc <= 0)
            return rc < 0 ? -1 : truncated(r, e);
        p = r->buf + r->at;
        r->frame_n = FRAME_HEAD + len;
        r->at += r->frame_n;
        r->consumed += r->frame_n;
        *type = p[5];
        *map = p + FRAME_HEAD + FRAME_CRC;
        *n = len - FRAME_CRC;
    } while (is_private(*type));

    if (crc_update(0, *map, *n) != frame_crc(*map - FRAME_CRC - FRAME_HEAD))
        return damaged(r, e, "the checksum of a frame is wrong");
    return 1;
}

static int aborted(const uint8_t *map, size_t n, err *e)
{
    value *v = value_unpack(map, n, e);

    if (!v)
        return -1;
    err_set(e, ERR_ABORTED, "%s: %s", value_get_str(v, "tool", "unknown"), value_get_str(v, "message", "failed"));
    value_free(v);
    return -1;
}

static int read_header(reader *r, err *e)
{
    const uint8_t *map;
    size_t n;
    int type, rc = need(r, STREAM_SNIFF, e);

    if (rc < 0)
        return -1;
    if (r->end == r->at)
        return err_set(e, ERR_INPUT, "empty input: nothing came before this in the pipe, or it failed");
    bool aborts = r->end - r->at > 5 && r->buf[0] == 0xc9 && r->buf[5] == FRAME_ABORT;
    if (!aborts && !stream_sniff(r->buf, r->end)) {
        if (rc == 0 && r->buf[0] == 0xc9)
            return truncated(r, e);
        return not_a_stream(r, e);
    }
    if ((rc = next_frame(r, &type, &map, &n, e)) <= 0)
        return -1;
    return aborts ? aborted(map, n, e) : header_unpack(&r->h, map, n, e);
}

reader *reader_new_after(int fd, const uint8_t *seen, size_t n, size_t max_frame, err *e)
{
    reader *r = calloc(1, sizeof *r);

    if (r) {
        r->cap = n > START ? n : START;
        r->buf = malloc(r->cap);
    }
    if (!r || !r->buf) {
        reader_free(r);
        err_nomem(e);
        return NULL;
    }
    r->fd = fd;
    r->max_frame = max_frame ? max_frame : STREAM_MAX_FRAME;
    if (n)
        memcpy(r->buf, seen, n);
    r->end = n;
    sha256_start(&r->sum);
    io_grow_pipe(fd);
    if (read_header(r, e)) {
        reader_free(r);
        return NULL;
    }
    return r;
}

reader *reader_new(int fd, size_t max_frame, err *e)
{
    return reader_new_after(fd, NULL, 0, max_frame, e);
}

void reader_free(reader *r)
{
    if (!r)
        return;
    header_clear(&r->h);
    free(r->buf);
    free(r);
}

const header *reader_header(const reader *r)
{
    return &r->h;
}

void reader_on_wait(reader *r, int (*fn)(void *arg, err *e), void *arg)
{
    r->on_wait = fn;
    r->wait_arg = arg;
}

/* The trailer's claims against what has arrived, and then the end of the input. */
static int finish(reader *r, const uint8_t *map, size_t n, err *e)
{
    value *v = value_unpack(map, n, e);

    if (!v)
        return err_prefix(e, "bad trailer");
    int64_t frames = value_get_int(v, "frames", -1);
    r->skipped = value_get_int(v, "skipped", -1);
    sha256_end_hex(&r->sum, r->digest);
    int rc = 0;
    if (frames != r->count)
        rc = err_set(e, ERR_INPUT, "stream damaged: %" PRId64 " samples arrived, the trailer counts %" PRId64, r->count, frames);
    else if (r->skipped < 0)
        rc = err_set(e, ERR_INPUT, "bad trailer: no count of skipped samples");
    else if (strcmp(value_get_str(v, "digest", ""), r->digest) != 0)
        rc = err_set(e, ERR_INPUT, "stream damaged: the samples do not have the digest of the trailer");
    value_free(v);
    if (rc)
        return -1;
    rc = need(r, 1, e);
    if (rc < 0)
        return -1;
    if (rc)
        return err_set(e, ERR_INPUT, "bytes after the trailer; to join two streams use 'ssl-load a b'");
    r->state = DONE;
    return 0;
}

static int next(reader *r, sample *s, err *e)
{
    const uint8_t *map;
    size_t n;
    int type, rc = next_frame(r, &type, &map, &n, e);

    if (rc <= 0)
        return rc < 0 ? -1 : truncated(r, e);
    switch (type) {
    case FRAME_SAMPLE:
        if (sample_parse(s, map, n, e)) {
            s->n = 0;
            return sample_where(s, r->count, e);
        }
        frame_digest(&r->sum, map - FRAME_CRC - FRAME_HEAD);
        r->count++;
        return 1;
    case FRAME_TRAILER:
        return finish(r, map, n, e);
    case FRAME_ABORT:
        return aborted(map, n, e);
    case FRAME_HEADER:
        return damaged(r, e, "a second header; to join two streams use 'ssl-load a b'");
    default:
        return damaged(r, e, "a frame of unknown type");
    }
}

int reader_next(reader *r, sample *s, err *e)
{
    if (r->state != OPEN)
        return r->state == DONE ? 0 : err_set(e, ERR_RUN, "read on after a failure");
    int rc = next(r, s, e);
    if (rc < 0)
        r->state = FAILED;
    return rc;
}

const uint8_t *reader_frame(const reader *r, size_t *n)
{
    *n = r->frame_n;
    return r->buf + r->at - r->frame_n;
}

uint64_t reader_offset(const reader *r)
{
    return r->consumed - r->frame_n;
}

int reader_where(const reader *r, err *e)
{
    sample s;
    err ignored;

    if (sample_parse(&s, r->buf + r->at - r->frame_n + FRAME_HEAD + FRAME_CRC, r->frame_n - FRAME_HEAD - FRAME_CRC, &ignored))
        s.n = 0;
    return sample_where(&s, r->count - 1, e);
}

bool reader_ready(const reader *r)
{
    return r->at < r->end || io_ready(r->fd);
}

int64_t reader_count(const reader *r)
{
    return r->count;
}

int64_t reader_skipped(const reader *r)
{
    return r->skipped;
}

const char *reader_digest(const reader *r)
{
    return r->digest;
}
