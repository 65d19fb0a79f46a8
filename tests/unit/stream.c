/* The stream: round trips, and every way of damaging a small one. */
#include "base/buf.h"
#include "base/crc.h"
#include "base/io.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/version.h"
#include "stream/filter.h"
#include "stream/header.h"
#include "stream/stream.h"
#include "stream/value.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Helpers ---------------------------------------------------------------- */

static int memory_file(const void *p, size_t n)
{
    int fd = memfd_create("stream", 0);

    cr_assert(fd >= 0);
    cr_assert(write(fd, p, n) == (ssize_t)n);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static buf whole(int fd)
{
    off_t n = lseek(fd, 0, SEEK_END);
    buf b = {malloc((size_t)n + 1), (size_t)n, (size_t)n + 1};

    cr_assert(pread(fd, b.p, b.n, 0) == (ssize_t)b.n);
    return b;
}

static header make_header(void)
{
    err e;
    header h;

    cr_assert(header_init(&h, KIND_IMAGES, &e) == 0);
    h.distinct = 2;
    h.count = 3;
    h.seed = 7;
    h.classes = value_array();
    value_push(h.classes, value_str("cat"));
    value_push(h.classes, value_str("dog"));
    cr_assert(header_set_field(&h, "image", "|u1", 3, (int64_t[]){2, 3, 1}, &e) == 0);
    cr_assert(header_set_field(&h, "key", "str", -1, NULL, &e) == 0);
    value *p = value_map();
    value_set(p, "shuffle", value_bool(true));
    value_set(p, "scale", value_float(0.2));
    cr_assert(history_add(&h, "ssl-load", p, NULL, 0, &e) == 0);
    return h;
}

static void make_frame(frame *f, int i)
{
    static const float v[3] = {1.5f, -2, 3e9f};
    static const int64_t wide[2] = {INT64_MIN, INT64_MAX};
    char key[32];
    err e;
    uint8_t *p;

    snprintf(key, sizeof key, "cat/%d.png", i);
    frame_begin(f, FRAME_SAMPLE);
    frame_str(f, "key", key, strlen(key));
    frame_int(f, "index", i);
    frame_float(f, "weight", 0.1 * i);
    p = frame_tensor(f, "image", DT_U1, 3, (int64_t[]){2, 3, 1});
    cr_assert(p);
    memset(p, i, 6);
    p = frame_tensor(f, "embedding", DT_F4, 1, (int64_t[]){3});
    cr_assert(p);
    memcpy(p, v, sizeof v);
    p = frame_tensor(f, "wide", DT_I8, 1, (int64_t[]){2});
    cr_assert(p);
    memcpy(p, wide, sizeof wide);
    cr_assert(frame_tensor(f, "none", DT_F8, 2, (int64_t[]){0, 5}));
    p = frame_tensor(f, "scalar", DT_I4, 0, NULL);
    cr_assert(p);
    memset(p, 0xff, 4);
    cr_assert(frame_end(f, &e) == 0, "%s", e.msg);
}

/* A stream of n samples. */
static buf make_stream(int n)
{
    int fd = memfd_create("stream", 0);
    header h = make_header();
    frame f = {0};
    err e;
    writer *w = writer_new(fd, &h, &e);

    cr_assert(w, "%s", e.msg);
    for (int i = 0; i < n; i++) {
        make_frame(&f, i);
        cr_assert(writer_put(w, &f, &e) == 0);
    }
    cr_assert(writer_finish(w, 4, &e) == 0);
    writer_free(w);
    frame_free(&f);
    header_clear(&h);
    buf b = whole(fd);
    close(fd);
    return b;
}

/* Read to the end: the number of samples, or -1 with e set. */
static int64_t read_all(const void *p, size_t n, err *e)
{
    int fd = memory_file(p, n), rc;
    sample s;
    int64_t count = -1;

    *e = (err){0};
    reader *r = reader_new(fd, 0, e);
    if (r) {
        while ((rc = reader_next(r, &s, e)) > 0)
            ;
        count = rc < 0 ? -1 : reader_count(r);
        reader_free(r);
    }
    close(fd);
    return count;
}

static void expect_failure(const void *p, size_t n, enum err_kind kind, const char *text)
{
    err e;

    cr_expect(read_all(p, n, &e) == -1, "accepted; expected: %s", text);
    cr_expect(e.kind == kind, "kind %d: %s", e.kind, e.msg);
    cr_expect(strstr(e.msg, text), "'%s' lacks '%s'", e.msg, text);
}

/* ---- Round trips ----------------------------------------------------------------- */

Test(stream, round_trip)
{
    buf b = make_stream(3);
    int fd = memory_file(b.p, b.n);
    err e;
    sample s;
    reader *r = reader_new(fd, 0, &e);

    cr_assert(r, "%s", e.msg);
    const header *h = reader_header(r);
    int64_t shape[TENSOR_MAX_DIMS];
    dtype type;
    cr_expect_str_eq(h->kind, "images");
    cr_expect(h->distinct == 2 && h->count == 3 && h->seed == 7);
    cr_expect(header_class_index(h, "dog", 3) == 1);
    cr_expect(header_class_index(h, "do", 2) == -1);
    cr_expect(header_field(h, "image", &type, shape) == 3 && type == DT_U1 && shape[1] == 3);
    cr_expect(header_field(h, "key", NULL, shape) == -1);
    cr_expect(h->history->n == 1 && strlen(history_last(h)) == 16);

    for (int i = 0; i < 3; i++) {
        char key[64], expected[64];
        float v[3];
        cr_assert(reader_next(r, &s, &e) == 1, "%s", e.msg);
        snprintf(expected, sizeof expected, "cat/%d.png", i);
        cr_expect_str_eq(sample_str(&s, "key", key, sizeof key), expected);
        cr_expect_str_eq(sample_str(&s, "key", key, 4), "cat");
        cr_expect(sample_int(&s, "index", -1) == i);
        cr_expect(sample_int(&s, "absent", -5) == -5);
        cr_expect(sample_find(&s, "weight")->type == FIELD_FLOAT && sample_find(&s, "weight")->f == 0.1 * i);
        const tensor *t = sample_tensor(&s, "image", DT_U1, 3, &e);
        cr_assert(t);
        cr_expect(t->shape[0] == 2 && t->shape[1] == 3 && t->shape[2] == 1 && t->bytes == 6 && t->data[5] == i);
        t = sample_tensor(&s, "embedding", DT_F4, 1, &e);
        cr_assert(t);
        memcpy(v, t->data, sizeof v);
        cr_expect(v[0] == 1.5f && v[1] == -2 && v[2] == 3e9f);
        t = sample_tensor(&s, "scalar", DT_I4, 0, &e);
        cr_expect(t && tensor_count(t) == 1);
        t = sample_tensor(&s, "none", DT_F8, 2, &e);
        cr_expect(t && tensor_count(t) == 0 && t->bytes == 0);
        cr_expect(!sample_tensor(&s, "embedding", DT_U1, 1, &e));
        cr_expect_str_eq(e.msg, "field 'embedding' is <f4; expected |u1");
        cr_expect(!sample_tensor(&s, "image", DT_U1, 4, &e));
        cr_expect_str_eq(e.msg, "field 'image' has the shape [2,3,1]; expected 4 dimensions");
        err_set(&e, ERR_INPUT, "no such thing");
        reader_where(r, &e);
        snprintf(expected, sizeof expected, "sample %d 'cat/%d.png': no such thing", i, i);
        cr_expect_str_eq(e.msg, expected);
    }
    cr_expect(reader_next(r, &s, &e) == 0, "%s", e.msg);
    cr_expect(reader_next(r, &s, &e) == 0);
    cr_expect(reader_skipped(r) == 4 && strlen(reader_digest(r)) == 64);
    reader_free(r);
    close(fd);
    buf_free(&b);
}

Test(stream, every_truncation_is_detected)
{
    buf b = make_stream(2);
    err e;

    for (size_t n = 0; n < b.n; n++) {
        cr_assert(read_all(b.p, n, &e) == -1, "%zu of %zu bytes accepted", n, b.n);
        cr_assert(e.kind == ERR_INPUT);
        cr_assert(strstr(e.msg, n ? "stream truncated" : "empty input"), "%zu: %s", n, e.msg);
    }
    expect_failure(b.p, b.n - 1, ERR_INPUT, "stream truncated after 2 samples");
    buf_free(&b);
}

Test(stream, every_flipped_bit_is_detected)
{
    buf b = make_stream(2);
    err e;

    for (size_t i = 0; i < 8 * b.n; i++) {
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        cr_assert(read_all(b.p, b.n, &e) == -1, "bit %zu of byte %zu", i % 8, i / 8);
        cr_assert(e.kind == ERR_INPUT, "%s", e.msg);
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    cr_expect(read_all(b.p, b.n, &e) == 2);
    buf_free(&b);
}

Test(stream, bytes_after_the_trailer)
{
    buf b = make_stream(1);
    err e;

    buf_add(&b, "x", 1, &e);
    expect_failure(b.p, b.n, ERR_INPUT, "bytes after the trailer");
    b.n--;
    buf twice = {0};
    buf_add(&twice, b.p, b.n, &e);
    buf_add(&twice, b.p, b.n, &e);
    expect_failure(twice.p, twice.n, ERR_INPUT, "ssl-load a b");
    buf_free(&twice);
    buf_free(&b);
}

/* ---- Streams made by hand -------------------------------------------------------------- */

static void add_frame(buf *b, int type, const void *map, size_t n)
{
    uint32_t crc = crc_update(0, map, n), len = (uint32_t)n + 4;
    uint8_t head[10] = {0xc9, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)type,
                        (uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16), (uint8_t)(crc >> 24)};
    err e;

    cr_assert(buf_add(b, head, sizeof head, &e) == 0 && buf_add(b, map, n, &e) == 0);
}

static void add_value(buf *b, int type, value *v)
{
    buf packed = {0};
    err e;

    cr_assert(value_pack(v, &packed, &e) == 0);
    add_frame(b, type, packed.p, packed.n);
    buf_free(&packed);
    value_free(v);
}

/* The least header, with one more entry if key is not NULL. */
static value *least(const char *version, const char *key, value *v)
{
    value *h = value_map();

    value_set(h, "format", value_str("ssl-stream"));
    value_set(h, "version", value_str(version));
    value_set(h, "kind", value_str("images"));
    if (key)
        value_set(h, key, v);
    return h;
}

static value *strings(const char *a, const char *b)
{
    value *v = value_array();

    value_push(v, value_str(a));
    value_push(v, value_str(b));
    return v;
}

static value *nested(int depth)
{
    value *v = value_int(1);

    while (depth-- > 0) {
        value *outer = value_array();
        value_push(outer, v);
        v = outer;
    }
    return v;
}

static void expect_header(value *h, const char *text)
{
    buf b = {0};

    add_value(&b, FRAME_HEADER, h);
    expect_failure(b.p, b.n, ERR_INPUT, text);
    buf_free(&b);
}

Test(attack, headers)
{
    err e;
    buf b = {0};

    expect_header(least("2.0", NULL, NULL), "the stream has version 2.0; this program reads versions up to 1.x");
    expect_header(least("10.0", NULL, NULL), "version 10.0");
    expect_header(least("one", NULL, NULL), "'one' is not a version");
    expect_header(least("1.0", "kind", value_int(3)), "the header's 'kind' is not a string");
    expect_header(least("1.0", "classes", strings("b", "a")), "not sorted");
    expect_header(least("1.0", "classes", strings("a", "a")), "not sorted, or not distinct");
    expect_header(least("1.0", "classes", nested(2)), "the header's 'classes' is not an array of strings");
    expect_header(least("1.0", "fields", value_array()), "the header's 'fields' is not a map");
    value *fields = value_map();
    value_set(fields, "image", value_str("|u1"));
    expect_header(least("1.0", "fields", fields), "the header's field 'image' is not");
    expect_header(least("1.0", "count", value_int(-1)), "'count' is not a count");
    expect_header(least("1.0", "distinct", value_str("3")), "'distinct' is not a count");
    expect_header(least("1.0", "seed", value_int(-7)), "'seed' is not");
    expect_header(least("1.0", "history", strings("a", "b")), "'history' is not an array of records");
    expect_header(least("1.0", "objective", value_map()), "'objective' is not a map with a name");
    expect_header(least("1.0", "x", nested(16)), "nested deeper than the limit of 16");
    /* 15 is deep enough: 16 with the header's map. */
    add_value(&b, FRAME_HEADER, least("1.0", "x", nested(15)));
    expect_failure(b.p, b.n, ERR_INPUT, "stream truncated after 0 samples");

    value *many = least("1.0", NULL, NULL);
    for (char key[2] = "a"; many->n < 16; key[0]++)
        value_set(many, key, value_nil());
    expect_header(many, "not an ssl-stream"); /* its map's head takes three bytes */

    /* Two entries of one name. */
    b.n = 0;
    static const char twice[] = "\x84\xa6" "format\xaa" "ssl-stream\xa7" "version\xa3" "1.0\xa4" "kind\xa1" "a\xa4" "kind\xa1" "b";
    add_frame(&b, FRAME_HEADER, twice, sizeof twice - 1);
    expect_failure(b.p, b.n, ERR_INPUT, "two entries of a map have the key 'kind'");

    /* More values than can be taken into memory in proportion. */
    value *zeros = value_array();
    for (int i = 0; i <= STREAM_MAX_VALUES; i++)
        value_push(zeros, value_int(0));
    expect_header(least("1.0", "x", zeros), "more values than the limit of 1048576");

    /* Lengths that are only claimed. */
    static const uint8_t huge[] = "\xc9\xff\xff\xff\xff\x01\0\0\0\0\x83\xa6" "format\xaa" "ssl-stream";
    expect_failure(huge, sizeof huge - 1, ERR_INPUT, "a frame of 4294967295 bytes after 0 samples is above the limit of 16777216 (for headers)");
    buf_free(&b);
    (void)e;
}

Test(attack, a_later_minor_version_is_read_and_its_keys_are_kept)
{
    buf b = {0}, again = {0};
    err e;

    add_value(&b, FRAME_HEADER, least("1.7", "colour_profile", strings("x", "y")));
    int fd = memory_file(b.p, b.n), to = memfd_create("out", 0);
    reader *r = reader_new(fd, 0, &e);
    cr_assert(r, "%s", e.msg);
    writer *w = writer_new(to, reader_header(r), &e);
    cr_assert(w && writer_finish(w, 0, &e) == 0);
    again = whole(to);
    cr_expect(read_all(again.p, again.n, &e) == 0);
    cr_expect(memmem(again.p, again.n, "colour_profile\x92\xa1x\xa1y", 19));
    writer_free(w);
    reader_free(r);
    buf_free(&b);
    buf_free(&again);
}

/* A stream with one sample frame of these bytes. */
static void expect_sample(const char *map, size_t n, const char *text)
{
    buf b = {0};

    add_value(&b, FRAME_HEADER, least("1.0", NULL, NULL));
    add_frame(&b, FRAME_SAMPLE, map, n);
    expect_failure(b.p, b.n, ERR_INPUT, text);
    buf_free(&b);
}
#define SAMPLE(bytes, text) expect_sample(bytes, sizeof bytes - 1, text)
#define FINE "stream truncated after 1 samples"

Test(attack, samples)
{
    SAMPLE("\x80", FINE);
    SAMPLE("\x81\xa1x\xc0", FINE);
    SAMPLE("\xde\x00\x01\xa1x\x01", FINE);
    SAMPLE("\x81\xa1x", "sample 0: malformed msgpack");
    SAMPLE("\x81\xa1x\xc1", "sample 0: malformed msgpack");
    SAMPLE("\x81\xa1x\x01\x01", "1 bytes too many after the fields");
    SAMPLE("\x91\x01", "malformed msgpack");
    SAMPLE("\x81\x01\x01", "the name of field 1 is not a string");
    SAMPLE("\x82\xa1x\x01\xa1x\x02", "two fields are named 'x'");
    /* Counts of 2^32 - 1 where there are a few bytes. */
    SAMPLE("\xdf\xff\xff\xff\xff\xa1x\x01", "malformed msgpack");
    SAMPLE("\x81\xa1x\xdd\xff\xff\xff\xff\x01", "malformed msgpack");
    SAMPLE("\x81\xa1x\xdf\xff\xff\xff\xff\x01", "malformed msgpack");
    SAMPLE("\x81\xa1x\xdb\xff\xff\xff\xffx", "malformed msgpack");
    SAMPLE("\x81\xa1x\xc6\xff\xff\xff\xffx", "malformed msgpack");
    SAMPLE("\x81\xa1x\xc9\xff\xff\xff\xff\x01x", "malformed msgpack");
    SAMPLE("\x81\xdb\xff\xff\xff\xff", "the name of field 1 is not a string");
    SAMPLE("\x81\xa1x\xdc\xff\xff\x01", "malformed msgpack");
    /* 15 levels below the frame's map, and one more. */
    SAMPLE("\x81\xa1x\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", FINE);
    SAMPLE("\x81\xa1x\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01",
           "sample 0: field 'x' is nested deeper than the limit of 16");
    /* Tensors. */
    SAMPLE("\x81\xa1x\x93\xa3|u1\x91\x02\xc4\x02zz", FINE);
    SAMPLE("\x81\xa1x\x93\xa3|u1\x91\x02\xc4\x01z", "field 'x': 1 bytes do not fill the shape [2] of |u1");
    SAMPLE("\x81\xa1x\x93\xa3<f4\x91\x01\xc4\x01z", "field 'x': 1 bytes do not fill the shape [1] of <f4");
    SAMPLE("\x81\xa1x\x93\xa3|u1\x91\xff\xc4\x00", "field 'x': 0 bytes do not fill the shape [-1]");
    SAMPLE("\x81\xa1x\x93\xa3|u1\x92\xce\x80\x00\x00\x00\xce\x80\x00\x00\x00\xc4\x00", "do not fill the shape [2147483648,2147483648]");
    SAMPLE("\x81\xa1x\x93\xa3|u1\x92\xcf\x80\x00\x00\x00\x00\x00\x00\x00\x02\xc4\x00", "a dimension is not an integer");
    SAMPLE("\x81\xa1x\x93\xa3|u1\x99\x01\x01\x01\x01\x01\x01\x01\x01\x01\xc4\x01z", "9 dimensions are above the limit of 8");
    SAMPLE("\x81\xa1x\x93\xa3|u1\x91\x02\xa2zz", "field 'x': a tensor without bytes");
    SAMPLE("\x81\xa1x\x93\xa3|u1\x91\x02\xc4\x09zz", "field 'x': a tensor without bytes");
    SAMPLE("\x81\xa1x\x93\xa3<f2\x91\x02\xc4\x01z", FINE); /* a dtype of the future is passed on */
    SAMPLE("\x81\xa1x\xcf\xff\xff\xff\xff\xff\xff\xff\xff", FINE);

    /* 64 fields are allowed, 65 are not. */
    for (int n = STREAM_MAX_FIELDS; n <= STREAM_MAX_FIELDS + 1; n++) {
        char map[512] = {(char)0xde, 0, (char)n}, *p = map + 3;
        for (int i = 0; i < n; i++)
            p += snprintf(p, 5, "\xa2%02d%c", i, 1);
        expect_sample(map, (size_t)(p - map), n == STREAM_MAX_FIELDS ? FINE : "65 fields are above the limit of 64");
    }
}

Test(attack, frames)
{
    buf b = {0};
    err e;

    add_value(&b, FRAME_HEADER, least("1.0", NULL, NULL));
    size_t n = b.n;
    add_frame(&b, 5, "\x80", 1);
    expect_failure(b.p, b.n, ERR_INPUT, "a frame of unknown type");
    b.n = n;
    add_frame(&b, 0xff, "\x80", 1); /* msgpack's own types are negative */
    expect_failure(b.p, b.n, ERR_INPUT, "a frame of unknown type");
    b.n = n;
    add_frame(&b, 0, "\x80", 1);
    expect_failure(b.p, b.n, ERR_INPUT, "a frame of unknown type");
    b.n = n;
    add_value(&b, FRAME_HEADER, least("1.0", NULL, NULL));
    expect_failure(b.p, b.n, ERR_INPUT, "a second header");
    b.n = n;
    add_frame(&b, FRAME_SAMPLE, "", 0);
    expect_failure(b.p, b.n, ERR_INPUT, "a frame without contents");
    b.n = n;
    buf_add(&b, "\xc9\0\0\0\3\xc0zzz", 9, &e); /* too short for a CRC, and not private */
    buf_add(&b, "0123456789", 10, &e);
    expect_failure(b.p, b.n, ERR_INPUT, "a frame without contents");
    b.n = n;
    add_frame(&b, FRAME_SAMPLE, "\x80", 1);
    b.p[b.n - 1] ^= 1;
    expect_failure(b.p, b.n, ERR_INPUT, "the checksum of a frame is wrong");
    b.n = n;
    buf_add(&b, "\xc0", 1, &e);
    expect_failure(b.p, b.n, ERR_INPUT, "stream truncated after 0 samples");
    buf_add(&b, "0123456789", 10, &e);
    expect_failure(b.p, b.n, ERR_INPUT, "stream damaged after 0 samples: no frame begins here");
    b.n = n;
    buf_add(&b, "\xc9\xff\xff\xff\xff\x02zzzz", 10, &e);
    expect_failure(b.p, b.n, ERR_INPUT, "a frame of 4294967295 bytes after 0 samples is above the limit of 1073741824 (--max-frame)");

    /* A stream that begins with a sample. */
    b.n = 0;
    add_frame(&b, FRAME_SAMPLE, "\x81\xa6" "format\xaa" "ssl-stream", 19);
    expect_failure(b.p, b.n, ERR_INPUT, "not an ssl-stream");
    buf_free(&b);
}

Test(attack, a_claimed_length_allocates_nothing)
{
    buf b = {0};
    err e;

    add_value(&b, FRAME_HEADER, least("1.0", NULL, NULL));
    buf_add(&b, "\xc9\x3f\xff\xff\xff\x02zzzz", 10, &e);
#ifndef __SANITIZE_ADDRESS__ /* which takes terabytes of addresses */
    struct rlimit limit = {256 << 20, 256 << 20};
    cr_assert(setrlimit(RLIMIT_AS, &limit) == 0);
#endif
    expect_failure(b.p, b.n, ERR_INPUT, "stream truncated after 0 samples");
    buf_free(&b);
}

Test(attack, private_frames_are_skipped)
{
    buf b = {0}, whole_stream = make_stream(1);
    err e;
    size_t header_n = 6 + (size_t)(whole_stream.p[3] << 8 | whole_stream.p[4]);

    buf_add(&b, whole_stream.p, header_n, &e);
    buf_add(&b, "\xc9\0\0\0\3\x40zzz", 9, &e); /* no CRC, no map */
    add_frame(&b, 127, "anything", 8);
    buf_add(&b, "\xc9\0\0\0\0\x41", 6, &e);
    buf_add(&b, whole_stream.p + header_n, whole_stream.n - header_n, &e);
    cr_expect(read_all(b.p, b.n, &e) == 1, "%s", e.msg);
    buf_free(&b);
    buf_free(&whole_stream);
}

Test(attack, trailers)
{
    static const char digest[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"; /* of nothing */
    buf b = {0};
    err e;

    for (int i = 0; i < 5; i++) {
        value *v = value_map();
        b.n = 0;
        add_value(&b, FRAME_HEADER, least("1.0", NULL, NULL));
        value_set(v, "frames", value_int(i == 1));
        if (i != 2)
            value_set(v, "skipped", value_int(i == 3 ? -1 : 0));
        value_set(v, "digest", value_str(i == 4 ? "e3b0" : digest));
        add_value(&b, FRAME_TRAILER, v);
        if (i == 0)
            cr_expect(read_all(b.p, b.n, &e) == 0, "%s", e.msg);
        else
            expect_failure(b.p, b.n, ERR_INPUT, i == 1 ? "0 samples arrived, the trailer counts 1" : i == 4 ? "do not have the digest" : "no count of skipped");
    }
    buf_free(&b);
}

#define THING(bytes) bytes, sizeof bytes - 1

Test(attack, other_things_are_named)
{
    static const struct { const char *bytes; size_t n; const char *text; } other[] = {
        {THING(""), "empty input"},
        {THING("hello, world, this is text\n"), "not an ssl-stream but text; ssl-load reads images"},
        {THING("a"), "not an ssl-stream but text"},
        {THING("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\1\0H\0H\0\0\xff\xe1"), "not an ssl-stream but a JPEG image"},
        {THING("\x1f\x8b\x08\0\0\0\0\0\0\3zzzzzzzzzzzzzzz"), "not an ssl-stream but gzip data"},
        {THING("\x89PNG\r\n\x1a\n"), "not an ssl-stream but a PNG image"},
        {THING("\x93NUMPY\1\0v\0{'descr'"), "not an ssl-stream but a npy file"},
        {THING("\x93\1\2\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "the input is not an ssl-stream; ssl-load"},
    };
    char tar[1024] = "photos/cat/1.jpg";

    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        expect_failure(other[i].bytes, other[i].n, ERR_INPUT, other[i].text);
    memcpy(tar + 257, "ustar", 5);
    expect_failure(tar, sizeof tar, ERR_INPUT, "not an ssl-stream but a tar archive");
}

Test(attack, random_damage_is_detected)
{
    buf b = make_stream(4);
    uint8_t *copy = malloc(b.n);
    rng r = rng_at(11);
    err e;

    for (int i = 0; i < 5000; i++) {
        memcpy(copy, b.p, b.n);
        size_t n = b.n;
        for (uint64_t k = 1 + rng_below(&r, 4); k > 0; k--)
            copy[rng_below(&r, n)] ^= (uint8_t)(1 + rng_below(&r, 255));
        if (rng_below(&r, 3) == 0)
            n = (size_t)rng_below(&r, n);
        cr_assert(memcmp(copy, b.p, n) == 0 || read_all(copy, n, &e) == -1);
    }
    free(copy);
    buf_free(&b);
}

/* With a sound CRC, so that the damage reaches the parsers: nothing may crash, and what is accepted can be used. */
Test(attack, random_damage_behind_the_checksum)
{
    frame f = {0};
    rng r = rng_at(12);
    sample s;
    err e;
    int accepted = 0;

    make_frame(&f, 3);
    size_t n = f.n - 10;
    uint8_t *copy = malloc(n); /* exactly as large, so that a sanitizer sees one byte too far */
    for (int i = 0; i < 50000; i++) {
        memcpy(copy, f.p + 10, n);
        for (uint64_t k = 1 + rng_below(&r, 3); k > 0; k--)
            copy[rng_below(&r, n)] = (uint8_t)rng_u64(&r);
        if (sample_parse(&s, copy, n, &e)) {
            cr_assert(e.kind == ERR_INPUT);
        } else {
            for (int j = 0; j < s.n; j++) {
                cr_assert(s.f[j].raw >= copy && s.f[j].raw + s.f[j].raw_len <= copy + n);
                if (s.f[j].type == FIELD_TENSOR)
                    cr_assert(s.f[j].t.data >= copy && s.f[j].t.data + s.f[j].t.bytes <= copy + n);
            }
            accepted++;
        }
        value_free(value_unpack(copy, n, &e));
    }
    cr_expect(accepted > 0);
    free(copy);
    frame_free(&f);
}

/* ---- Frames that cannot be ------------------------------------------------------------------ */

Test(frame, limits)
{
    frame f = {0};
    sample s;
    err e;
    char name[8];

    for (int n = 14; n <= 65; n++) {
        frame_begin(&f, FRAME_SAMPLE);
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "f%d", i);
            frame_int(&f, name, i * i * i);
        }
        if (n == 65) {
            cr_expect(frame_end(&f, &e) == -1);
            cr_expect_str_eq(e.msg, "a sample has more fields than the limit of 64");
            break;
        }
        cr_assert(frame_end(&f, &e) == 0 && frame_sample(&f, &s, &e) == 0, "%d: %s", n, e.msg);
        cr_expect(s.n == n && sample_int(&s, "f13", 0) == 13 * 13 * 13);
    }
    frame_begin(&f, FRAME_SAMPLE);
    cr_expect(!frame_tensor(&f, "x", DT_F4, 2, (int64_t[]){1 << 20, 1 << 10}));
    cr_expect(!frame_tensor(&f, "y", DT_F4, 1, (int64_t[]){1}));
    cr_expect(frame_end(&f, &e) == -1);
    cr_expect_str_eq(e.msg, "a tensor is above the limit of 1 GiB");
    frame_begin(&f, FRAME_SAMPLE);
    cr_expect(frame_end(&f, &e) == 0 && f.n == 11);
    frame_free(&f);
}

Test(header, what_a_writer_refuses)
{
    header h = make_header();
    err e;

    value_push(h.classes, value_str("ant"));
    cr_expect(!writer_new(1, &h, &e));
    cr_expect(e.kind == ERR_RUN && strstr(e.msg, "not sorted"));
    header_clear(&h);

    h = make_header();
    h.extra = value_map();
    value_set(h.extra, "kind", value_nil());
    cr_expect(!writer_new(1, &h, &e));
    cr_expect_str_eq(e.msg, "the header's extra key 'kind' is one of its own");
    value_remove(h.extra, "kind");
    for (char key[2] = "a"; h.extra->n < 5; key[0]++)
        value_set(h.extra, key, value_nil());
    cr_expect(!writer_new(1, &h, &e));
    cr_expect_str_eq(e.msg, "the header has more keys than the limit of 15");
    header_clear(&h);
}

Test(header, kinds)
{
    header h;
    err e;

    cr_assert(header_init(&h, KIND_EMBEDDINGS, &e) == 0);
    cr_expect(header_expect(&h, &e, KIND_IMAGES, KIND_EMBEDDINGS, NULL) == 0);
    cr_expect(header_expect(&h, &e, KIND_IMAGES, KIND_VIEWS, KIND_MODEL, NULL) == -1);
    cr_expect(e.kind == ERR_INPUT);
    cr_expect_str_eq(e.msg, "this is a stream of embeddings; expected images, views or model");
    header_clear(&h);
}

/* ---- History ---------------------------------------------------------------------------------- */

static value *map1(const char *key, value *v)
{
    value *m = value_map();

    value_set(m, key, v);
    return m;
}

Test(history, ids_and_parents)
{
    header a, b;
    err e;
    const char *id;

    cr_assert(header_init(&a, KIND_IMAGES, &e) == 0 && header_init(&b, KIND_MODEL, &e) == 0);
    cr_expect(!history_last(&a));
    cr_assert(history_add(&a, "ssl-load", map1("size", value_int(32)), NULL, 0, &e) == 0);
    /* The record as ssl-stream(5) says, by hand. */
    buf record = {0};
    sha256 sum;
    char hex[65];
    static const char head[] = "\x85\xaa" "parameters\x81\xa4" "size\x20\xa7" "parents\x90\xa4" "seed\x00\xa4" "tool\xa8" "ssl-load\xa7" "version";
    buf_add(&record, head, sizeof head - 1, &e);
    buf_addf(&record, &e, "%c%s", 0xa0 + (int)strlen(TOOLS_VERSION), TOOLS_VERSION);
    sha256_start(&sum);
    sha256_add(&sum, record.p, record.n);
    sha256_end_hex(&sum, hex);
    hex[16] = '\0';
    cr_expect_str_eq(history_last(&a), hex);
    buf_free(&record);

    /* A model made from a, and then a reader of both. */
    cr_assert(history_merge(&b, a.history, &id, &e) == 0);
    cr_expect_str_eq(id, history_last(&a));
    cr_assert(history_add(&b, "ssl-train", map1("lr", value_float(0.1)), &(history_parent){"input", id}, 1, &e) == 0);
    cr_assert(history_add(&a, "ssl-augment", map1("x", value_nil()), NULL, 0, &e) == 0);
    char *augment = strdup(history_last(&a));
    cr_assert(history_merge(&a, b.history, &id, &e) == 0);
    cr_assert(history_add(&a, "ssl-embed", map1("layer", value_nil()), &(history_parent){"model", id}, 1, &e) == 0);
    cr_expect(a.history->n == 4);
    const value *parents = value_get(a.history->child[3], "parents");
    cr_expect(parents->n == 2);
    cr_expect_str_eq(value_get_str(parents->child[0], "role", ""), "input");
    cr_expect_str_eq(value_get_str(parents->child[0], "id", ""), augment);
    cr_expect_str_eq(value_get_str(parents->child[1], "role", ""), "model");
    cr_expect_str_eq(value_get_str(parents->child[1], "id", ""), history_last(&b));

    /* The same seed and parameters give the same id; another seed another. */
    char *last = strdup(history_last(&b));
    b.tip = (free(b.tip), strdup(id = value_get_str(b.history->child[0], "id", "")));
    b.seed = 1;
    cr_assert(history_add(&b, "ssl-train", map1("lr", value_float(0.1)), NULL, 0, &e) == 0);
    cr_expect(strcmp(history_last(&b), last) != 0 && b.history->n == 3);
    free(last);
    free(augment);
    header_clear(&a);
    header_clear(&b);
}

/* A loop such as DeepCluster's: each round reads the images again and the model and assignments of the round before. */
Test(history, fifty_rounds_grow_it_linearly)
{
    header model;
    err e;
    size_t before = 0, step = 0;

    cr_assert(header_init(&model, KIND_MODEL, &e) == 0);
    cr_assert(history_add(&model, "ssl-train", value_map(), NULL, 0, &e) == 0);
    for (int round = 0; round < 50; round++) {
        header images, next;
        const char *m, *c;
        cr_assert(header_init(&images, KIND_IMAGES, &e) == 0 && header_init(&next, KIND_MODEL, &e) == 0);
        cr_assert(history_add(&images, "ssl-load", value_map(), NULL, 0, &e) == 0);
        cr_assert(history_merge(&images, model.history, &m, &e) == 0);
        cr_assert(history_add(&images, "ssl-embed", value_map(), &(history_parent){"model", m}, 1, &e) == 0);
        cr_assert(history_add(&images, "ssl-cluster", value_map(), NULL, 0, &e) == 0);
        cr_assert(history_merge(&next, images.history, &c, &e) == 0 && history_merge(&next, model.history, &m, &e) == 0);
        cr_assert(history_add(&next, "ssl-train", value_map(), (history_parent[]){{"input", c}, {"init", m}}, 2, &e) == 0);
        header_clear(&images);
        header_clear(&model);
        model = next;
        if (round == 1)
            step = model.history->n - before;
        if (round > 1)
            cr_assert(model.history->n - before == step, "round %d: %zu records", round, model.history->n);
        before = model.history->n;
    }
    cr_expect(step == 3 && before < 160);
    header_clear(&model);
}

/* ---- Filters ------------------------------------------------------------------------ */

/* Drop index 1 (when asked), fail at *fail_at, else pass on with a field more. */
typedef struct plan {
    int64_t drop, fail_at, stop_at;
    int uneven; /* microseconds that even samples take, to put the order to the test */
} plan;

static int change(const sample *in, frame *to, int worker, void *arg, err *e)
{
    const plan *p = arg;
    int64_t i = sample_int(in, "index", -1);

    (void)worker;
    if (p->uneven && i % 2 == 0)
        usleep((useconds_t)p->uneven);
    if (i == p->drop)
        return 1;
    if (i == p->fail_at)
        return err_set(e, ERR_INPUT, "cannot do this");
    frame_fields_except(to, in, "weight", "wide", "twice", NULL);
    frame_int(to, "twice", 2 * i);
    return 0;
}

static int enough(int64_t done, void *arg)
{
    const plan *p = arg;

    return done == p->stop_at;
}

static buf filtered(const buf *in, int threads, plan p, int *rc, err *e)
{
    int from = memory_file(in->p, in->n), to = memfd_create("out", 0);
    filter f = {.tool = "ssl-test", .threads = threads, .fn = change, .arg = &p, .each = enough};

    *e = (err){0};
    reader *r = reader_new(from, 0, e);
    cr_assert(r, "%s", e->msg);
    *rc = filter_run(&f, r, reader_header(r), to, e);
    reader_free(r);
    buf b = whole(to);
    close(from);
    close(to);
    return b;
}

Test(filter, same_bytes_for_any_number_of_threads)
{
    static const plan plans[] = {{-1, -1, -1, 50}, {1, -1, -1, 50}, {1, 57, -1, 50}, {-1, -1, 20, 50}, {-1, 0, -1, 50}};
    buf in = make_stream(100);
    err e, e1;
    int rc, rc1;

    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        buf one = filtered(&in, 1, plans[i], &rc1, &e1);
        for (int threads = 2; threads < 8; threads++) {
            buf many = filtered(&in, threads, plans[i], &rc, &e);
            cr_expect(many.n == one.n && memcmp(many.p, one.p, one.n) == 0, "plan %zu, %d threads", i, threads);
            cr_expect(rc == rc1 && strcmp(e.msg, e1.msg) == 0, "plan %zu: %s", i, e.msg);
            buf_free(&many);
        }
        if (plans[i].fail_at >= 0) {
            char text[100];
            int64_t at = plans[i].fail_at;
            snprintf(text, sizeof text, "sample %d 'cat/%d.png': cannot do this", (int)at, (int)at);
            cr_expect_str_eq(e1.msg, text);
            snprintf(text, sizeof text, "ssl-test: sample %d 'cat/%d.png': cannot do this", (int)at, (int)at);
            expect_failure(one.p, one.n, ERR_ABORTED, text);
        } else {
            int64_t n = plans[i].stop_at > 0 ? plans[i].stop_at : plans[i].drop >= 0 ? 99 : 100;
            cr_expect(read_all(one.p, one.n, &e) == n, "%s", e.msg);
        }
        buf_free(&one);
    }
    buf_free(&in);
}

Test(filter, an_abort_frame_is_passed_on)
{
    buf in = make_stream(10);
    int rc;
    err e;

    for (int stage = 0; stage < 3; stage++) {
        plan p = {-1, stage == 0 ? 5 : -1, -1, 0};
        buf next = filtered(&in, 2, p, &rc, &e);
        cr_expect(rc == -1 && e.kind == (stage == 0 ? ERR_INPUT : ERR_ABORTED));
        expect_failure(next.p, next.n, ERR_ABORTED, "ssl-test: sample 5 'cat/5.png': cannot do this");
        buf_free(&in);
        in = next;
    }
    buf_free(&in);
}

Test(filter, an_abort_message_is_utf8)
{
    int fd = memfd_create("out", 0);
    err why, e;

    err_set(&why, ERR_RUN, "cannot open 'caf\xe9 \xc3\xa9': no");
    stream_abort(fd, "ssl-load", &why);
    buf b = whole(fd);
    expect_failure(b.p, b.n, ERR_ABORTED, "ssl-load: cannot open 'caf? \xc3\xa9': no");
    cr_expect(read_all(b.p, b.n - 1, &e) == -1 && e.kind == ERR_INPUT);
    buf_free(&b);
    close(fd);
}

/* ---- Pipes ------------------------------------------------------------------------------ */

/* Read from fd until `want` samples have been counted or nothing comes for two seconds. */
static int arrivals(int fd, int want)
{
    static uint8_t bytes[1 << 16];
    size_t n = 0;
    int samples = 0;

    while (samples < want && n < sizeof bytes) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 2000) <= 0)
            break;
        ssize_t k = read(fd, bytes + n, sizeof bytes - n);
        if (k <= 0)
            break;
        n += (size_t)k;
        samples = 0;
        for (size_t at = 0; at + 10 <= n; at += 6 + (size_t)(bytes[at + 3] << 8 | bytes[at + 4]))
            samples += bytes[at + 5] == FRAME_SAMPLE;
    }
    return samples;
}

/* In a child: filter from one descriptor to the other. */
static pid_t start_filter(int from, int to, int threads, int unwanted, int unwanted2)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    close(unwanted);
    close(unwanted2);
    signal(SIGPIPE, SIG_IGN);
    plan p = {-1, -1, -1, 500};
    filter f = {.tool = "ssl-test", .threads = threads, .fn = change, .arg = &p};
    err e = {0};
    reader *r = reader_new(from, 0, &e);
    int rc = r ? filter_run(&f, r, reader_header(r), to, &e) : -1;
    reader_free(r);
    _exit(rc == 0 ? 0 : 100 + (int)e.kind);
}

static int status(pid_t pid)
{
    int st;

    cr_assert(waitpid(pid, &st, 0) == pid);
    return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

Test(pipe, a_pause_of_the_input_holds_nothing_back)
{
    for (int threads = 1; threads <= 4; threads += 3) {
        int in[2], to[2];
        header h = make_header();
        frame f = {0};
        err e;

        cr_assert(pipe(in) == 0 && pipe(to) == 0);
        pid_t pid = start_filter(in[0], to[1], threads, in[1], to[0]);
        close(in[0]);
        close(to[1]);
        writer *w = writer_new(in[1], &h, &e);
        cr_assert(w);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 5; i++) {
                make_frame(&f, 5 * round + i);
                cr_assert(writer_put(w, &f, &e) == 0);
            }
            cr_assert(writer_flush(w, &e) == 0);
            /* The source pauses here, its pipe open. */
            cr_assert(arrivals(to[0], 5) == 5, "%d threads, round %d", threads, round);
        }
        cr_assert(writer_finish(w, 0, &e) == 0);
        close(in[1]);
        arrivals(to[0], 100);
        cr_expect(status(pid) == 0);
        writer_free(w);
        frame_free(&f);
        header_clear(&h);
        close(to[0]);
    }
}

Test(pipe, a_slow_source_is_not_held_back)
{
    int fd[2];
    header h = make_header();
    frame f = {0};
    err e;

    cr_assert(pipe(fd) == 0);
    writer *w = writer_new(fd[1], &h, &e);
    cr_assert(w);
    arrivals(fd[0], 0);
    /* No flush: 40 frames at one in 2 ms must not wait for 64 kB. All but the last few have been sent. */
    for (int i = 0; i < 40; i++) {
        make_frame(&f, i);
        cr_assert(writer_put(w, &f, &e) == 0);
        usleep(2000);
    }
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    int n = arrivals(fd[0], 30);
    cr_expect(n >= 30, "%d of 40", n);
    writer_free(w);
    frame_free(&f);
    header_clear(&h);
}

Test(pipe, a_reader_that_leaves_is_success)
{
    int in = -1, to[2];
    buf b = make_stream(3000);
    static char some[1000];

    in = memory_file(b.p, b.n);
    cr_assert(pipe(to) == 0);
    pid_t pid = start_filter(in, to[1], 2, to[0], -1);
    close(to[1]);
    cr_assert(read(to[0], some, sizeof some) > 0);
    close(to[0]);
    cr_expect(status(pid) == 100 + ERR_GONE);
    buf_free(&b);
}

Test(pipe, what_was_read_to_sniff_is_given_back)
{
    buf b = make_stream(3);
    sample s;
    err e;

    cr_expect(stream_sniff(b.p, STREAM_SNIFF) && !stream_sniff(b.p, STREAM_SNIFF - 1) && !stream_sniff(b.p + 1, STREAM_SNIFF));
    for (size_t n = 0; n <= b.n; n += n < 40 ? 1 : 97) {
        int fd = memory_file(b.p, b.n), rc;
        lseek(fd, (off_t)n, SEEK_SET);
        reader *r = reader_new_after(fd, b.p, n, 0, &e);
        cr_assert(r, "%zu: %s", n, e.msg);
        while ((rc = reader_next(r, &s, &e)) > 0)
            ;
        cr_assert(rc == 0 && reader_count(r) == 3, "%zu: %s", n, e.msg);
        reader_free(r);
        close(fd);
    }
    buf_free(&b);
}

/* Byte by byte, and frames larger than the first buffer. */
Test(pipe, any_pieces_and_any_sizes)
{
    static const int64_t sizes[] = {1, 1000, 16380, 70000, 300000, 5000000, 3};
    enum { N = sizeof sizes / sizeof *sizes };
    int fd[2];
    err e;

    cr_assert(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        header h = make_header();
        frame f = {0};
        close(fd[0]);
        writer *w = writer_new(fd[1], &h, &e);
        for (int i = 0; i < 3 * N; i++) {
            frame_begin(&f, FRAME_SAMPLE);
            uint8_t *p = frame_tensor(&f, "x", DT_U1, 1, &sizes[i % N]);
            memset(p, i, (size_t)sizes[i % N]);
            if (frame_end(&f, &e) || writer_put(w, &f, &e))
                _exit(1);
        }
        _exit(writer_finish(w, 0, &e) != 0);
    }
    close(fd[1]);
    reader *r = reader_new(fd[0], 0, &e);
    sample s;
    cr_assert(r);
    for (int i = 0; i < 3 * N; i++) {
        size_t n;
        cr_assert(reader_next(r, &s, &e) == 1, "%s", e.msg);
        const tensor *t = sample_tensor(&s, "x", DT_U1, 1, &e);
        cr_assert(t && t->shape[0] == sizes[i % N] && t->data[0] == i && t->data[t->bytes - 1] == i);
        cr_assert(reader_frame(r, &n)[0] == 0xc9 && n > t->bytes);
    }
    cr_expect(reader_next(r, &s, &e) == 0, "%s", e.msg);
    cr_expect(status(pid) == 0);
    reader_free(r);
    close(fd[0]);

    buf b = make_stream(2);
    cr_assert(pipe(fd) == 0);
    pid = fork();
    if (pid == 0) {
        close(fd[0]);
        for (size_t i = 0; i < b.n; i++)
            if (write(fd[1], b.p + i, 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(fd[1]);
    r = reader_new(fd[0], 0, &e);
    cr_assert(r);
    cr_expect(reader_next(r, &s, &e) == 1 && reader_next(r, &s, &e) == 1 && reader_next(r, &s, &e) == 0, "%s", e.msg);
    cr_expect(status(pid) == 0);
    reader_free(r);
    buf_free(&b);
}
