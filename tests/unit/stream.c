/* The stream: round trips, and every way of damaging a small one. */
#include "base/buf.h"
#include "base/crc.h"
#include "base/io.h"
#include "stream/filter.h"
#include "stream/header.h"
#include "stream/stream.h"
#include "stream/value.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
