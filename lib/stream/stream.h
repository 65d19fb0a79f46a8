/*
 * The stream: header, samples, trailer (or an abort frame), each one msgpack
 * ext32 object: 0xc9, payload length (32 bit, big endian), type; the payload is
 * a CRC-32 (4 bytes, little endian) of the map that follows, and that map.
 * ssl-stream(5) specifies it for strangers.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "base/err.h"
#include "stream/header.h"
#include "stream/tensor.h"

#include <stdbool.h>
#include <stdint.h>

enum { FRAME_HEADER = 1, FRAME_SAMPLE = 2, FRAME_TRAILER = 3, FRAME_ABORT = 4, FRAME_PRIVATE = 64 };

#define STREAM_MAX_FRAME (1u << 30)        /* bytes; --max-frame lowers or raises it */
#define STREAM_MAX_HEADER (16u << 20)
#define STREAM_MAX_DEPTH 16
#define STREAM_MAX_ENTRIES 15              /* of the header's map, so that its first keys are at fixed offsets */
#define STREAM_MAX_VALUES (1 << 20)        /* msgpack objects in a header, so that memory stays in proportion */
#define STREAM_MAX_FIELDS 64               /* entries of a sample's map */

/* ---- Samples ---------------------------------------------------------- */

typedef enum field_type { FIELD_INT, FIELD_FLOAT, FIELD_STR, FIELD_TENSOR, FIELD_OTHER } field_type;

/* One entry of a sample's map. Everything is borrowed from the frame's bytes. */
typedef struct field {
    const char *name; /* not NUL-terminated */
    size_t name_len;
    field_type type;
    union {
        int64_t i;
        double f;
        struct { const char *p; size_t n; } str; /* UTF-8, not NUL-terminated */
        tensor t;
    };
    const uint8_t *raw; /* the msgpack of the key and the value, for passing on untouched */
    size_t raw_len;
} field;

typedef struct sample {
    int n;
    field f[STREAM_MAX_FIELDS];
} sample;

/* The entry of that name, or NULL. */
const field *sample_find(const sample *s, const char *name);
/* The tensor of that name and dtype, and of ndim dimensions (-1: any), or NULL with ERR_INPUT naming what is wrong. */
const tensor *sample_tensor(const sample *s, const char *name, dtype type, int ndim, err *e);
/* The integer of that name, or `otherwise`. */
int64_t sample_int(const sample *s, const char *name, int64_t otherwise);
/* The string of that name into out, cut to fit and NUL-terminated; "" when absent. */
const char *sample_str(const sample *s, const char *name, char *out, size_t size);

/* Prefix e with "sample NUMBER 'key'". Returns -1. */
int sample_where(const sample *s, int64_t number, err *e);

/*
 * Parse a sample frame's map (without the CRC) of exactly n bytes, which stay
 * borrowed. Every length is checked against n before it is used. ERR_INPUT.
 */
int sample_parse(sample *s, const uint8_t *p, size_t n, err *e);

/* ---- Frames under construction ----------------------------------------- */

/*
 * A frame in memory, built by any thread, then handed to stream_write().
 * Zero-initialise; reuse with frame_begin(); frame_free() at the end. The
 * calls may fail only for lack of memory or a frame over the limit; the
 * failure sticks and is reported by frame_end(), so calls need no checks
 * (except of a pointer that they return).
 */
typedef struct frame {
    uint8_t *p;
    size_t n, cap;
    int entries;
    const char *failed; /* why, or NULL */
} frame;

void frame_begin(frame *f, int type);
void frame_int(frame *f, const char *name, int64_t v);
void frame_float(frame *f, const char *name, double v);
void frame_str(frame *f, const char *name, const char *s, size_t n);
/* Space for a tensor's bytes, to be filled before the next call on f; NULL on failure. Unaligned. */
uint8_t *frame_tensor(frame *f, const char *name, dtype type, int ndim, const int64_t *shape);
/* An entry copied as raw bytes. */
void frame_field(frame *f, const field *x);
/* All entries of s except those named (a NULL-ended list). */
void frame_fields_except(frame *f, const sample *s, ...) __attribute__((sentinel));
/* Complete lengths and CRC: f->p[0..n) is the frame. 0 or -1. */
int frame_end(frame *f, err *e);
void frame_free(frame *f);
/* The sample inside a complete frame; borrowed from f. */
int frame_sample(const frame *f, sample *s, err *e);

/* ---- Reading ------------------------------------------------------------ */

typedef struct reader reader;

/* Whether n >= STREAM_SNIFF bytes begin a stream. */
#define STREAM_SNIFF 23
bool stream_sniff(const uint8_t *p, size_t n);

/*
 * Start reading from fd (borrowed: the caller closes it) and read the header.
 * max_frame 0: the default. An empty input is ERR_INPUT "empty input", with a hint.
 */
reader *reader_new(int fd, size_t max_frame, err *e);
/* The same when n bytes have already been read from fd, to see what it is. */
reader *reader_new_after(int fd, const uint8_t *seen, size_t n, size_t max_frame, err *e);
void reader_free(reader *r);
const header *reader_header(const reader *r); /* borrowed */

/*
 * Called before the reader blocks for input, so that what downstream waits for
 * is not held back: flush the writer there (and drain the worker pool).
 * Its failure is the reader's.
 */
void reader_on_wait(reader *r, int (*fn)(void *arg, err *e), void *arg);

/* Whether there is input to go on with; a frame may still have to be waited for. */
bool reader_ready(const reader *r);

/*
 * The next sample: 1, or 0 after a good trailer and the end of input, or -1.
 * *s is valid until the next call. Failures: ERR_INPUT "stream truncated after
 * N samples", bad CRC, bytes after the trailer...; ERR_ABORTED after an abort
 * frame, with "tool: message" of the first tool in e. Errors of a later check
 * on the sample should be prefixed with reader_where().
 */
int reader_next(reader *r, sample *s, err *e);
/* The current sample's frame, whole (header bytes included), for passing on untouched. */
const uint8_t *reader_frame(const reader *r, size_t *n);
/* Where that frame begins, in bytes from the start of the stream. */
uint64_t reader_offset(const reader *r);
/* Prefix e with "sample N 'key'" of the current sample, counted from 0. Returns -1. */
int reader_where(const reader *r, err *e);
int64_t reader_count(const reader *r); /* samples returned so far */
/* After the end: the trailer's skipped count and digest (64 hex digits). */
int64_t reader_skipped(const reader *r);
const char *reader_digest(const reader *r);

/* ---- Writing ------------------------------------------------------------ */

typedef struct writer writer;

/* Write h to fd (borrowed). Pipes are enlarged where the kernel allows. */
writer *writer_new(int fd, const header *h, err *e);
void writer_free(writer *w);

/* A complete sample frame. Small frames are batched; large ones go out at once, uncopied. */
int writer_put(writer *w, const frame *f, err *e);
/* The same for bytes from reader_frame(). */
int writer_put_bytes(writer *w, const uint8_t *p, size_t n, err *e);
/* Send what is batched. Call it before waiting for anything; readers do through reader_on_wait(r, writer_on_wait, w). */
int writer_flush(writer *w, err *e);
int writer_on_wait(void *w, err *e);

/* Success: the trailer, then flush. */
int writer_finish(writer *w, int64_t skipped, err *e);
/*
 * Failure: an abort frame, so that the rest of the pipe stops: {tool, why}, or
 * the first tool's when why is ERR_ABORTED. Does nothing when why is ERR_GONE.
 * Never fails: there is nobody to tell.
 */
void writer_abort(writer *w, const char *tool, const err *why);
/* The same for a failure before there is a writer: the abort frame is all there is. Nothing goes to a terminal. */
void stream_abort(int fd, const char *tool, const err *why);

#endif
