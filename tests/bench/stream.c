/*
 * What the stream costs: records from one process to another through a pipe,
 * built, written, read, verified and parsed by lib/stream, against a bare
 * write()/read() of the same bytes through the same kind of pipe with the best
 * chunk size. Trials alternate; medians.
 *
 *     build/release/tests/bench/stream [ROUNDS [MIB]]
 */
#include "base/io.h"
#include "base/opt.h"
#include "base/progress.h"
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IMAGES = 8 }; /* distinct images, sent in turn */

typedef struct job {
    int side;          /* images are side x side x 3 */
    int64_t records;
    uint8_t *pixels;   /* IMAGES images */
    uint8_t *bytes;    /* the sample frames of about a MiB of records, for the bare trials */
    size_t n_bytes;
    size_t total;      /* bytes of `records` frames, about */
    size_t chunk;
} job;

static void die(const char *what)
{
    fprintf(stderr, "stream bench: %s\n", what);
    exit(1);
}

static void build(frame *f, const job *j, int64_t i)
{
    int64_t shape[3] = {j->side, j->side, 3};
    size_t n = (size_t)j->side * (size_t)j->side * 3;
    char key[32];
    err e;

    int len = snprintf(key, sizeof key, "train/cat/%08lld.jpg", (long long)i);
    frame_begin(f, FRAME_SAMPLE);
    frame_str(f, "key", key, (size_t)len);
    frame_int(f, "index", i);
    frame_int(f, "pos", i);
    frame_int(f, "epoch", 0);
    frame_str(f, "split", "train", 5);
    frame_str(f, "class", "cat", 3);
    frame_int(f, "label", 3);
    uint8_t *p = frame_tensor(f, "image", DT_U1, 3, shape);
    if (!p)
        die("out of memory");
    memcpy(p, j->pixels + (size_t)(i % IMAGES) * n, n); /* where a tool would decode or resize to */
    if (frame_end(f, &e))
        die(e.msg);
}

/* ---- The stream ------------------------------------------------------------- */

static void stream_write(const job *j, int fd)
{
    header h;
    frame f = {0};
    err e;

    if (header_init(&h, KIND_IMAGES, &e))
        die(e.msg);
    writer *w = writer_new(fd, &h, &e);
    if (!w)
        die(e.msg);
    for (int64_t i = 0; i < j->records; i++) {
        build(&f, j, i);
        if (writer_put(w, &f, &e))
            die(e.msg);
    }
    if (writer_finish(w, 0, &e))
        die(e.msg);
    writer_free(w);
    frame_free(&f);
    header_clear(&h);
}

static void stream_read(const job *j, int fd)
{
    sample s;
    err e;
    int rc;
    unsigned sum = 0;
    reader *r = reader_new(fd, 0, &e);

    if (!r)
        die(e.msg);
    while ((rc = reader_next(r, &s, &e)) > 0) {
        const tensor *t = sample_tensor(&s, "image", DT_U1, 3, &e);
        if (!t || sample_int(&s, "label", -1) != 3)
            die(e.msg);
        sum += t->data[0] + t->data[t->bytes - 1];
    }
    if (rc < 0 || reader_count(r) != j->records || sum == 1)
        die(e.msg);
    reader_free(r);
}

/* ---- Bare ------------------------------------------------------------------- */

static void bare_write(const job *j, int fd)
{
    size_t at = 0;
    err e;

    io_grow_pipe(fd);
    for (size_t left = j->total; left > 0;) {
        size_t n = left < j->chunk ? left : j->chunk;
        if (n > j->n_bytes - at)
            n = j->n_bytes - at;
        if (io_write(fd, j->bytes + at, n, &e))
            die(e.msg);
        left -= n;
        at = (at + n) % j->n_bytes;
    }
}

static void bare_read(const job *j, int fd)
{
    uint8_t *p = malloc(j->chunk);
    size_t got = 0;
    ssize_t k;

    if (!p)
        die("out of memory");
    io_grow_pipe(fd);
    while ((k = read(fd, p, j->chunk)) > 0)
        got += (size_t)k;
    if (got != j->total)
        die("bytes are missing");
    free(p);
}

/* ---- Trials --------------------------------------------------------------------- */

static double trial(const job *j, void (*from)(const job *, int), void (*to)(const job *, int))
{
    int fd[2], status;

    if (pipe(fd))
        die("cannot make a pipe");
    double t = progress_clock();
    pid_t pid = fork();
    if (pid < 0)
        die("cannot fork");
    if (pid == 0) {
        close(fd[0]);
        from(j, fd[1]);
        _exit(0);
    }
    close(fd[1]);
    to(j, fd[0]);
    close(fd[0]);
    if (waitpid(pid, &status, 0) != pid || status)
        die("the writer failed");
    return progress_clock() - t;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void measure(int side, size_t mib, int rounds)
{
    size_t image = (size_t)side * (size_t)side * 3;
    job j = {.side = side, .pixels = malloc(IMAGES * image)};
    frame f = {0};
    double bare[64], ours[64], best = 1e9;

    if (!j.pixels)
        die("out of memory");
    for (size_t i = 0; i < IMAGES * image; i++)
        j.pixels[i] = (uint8_t)(i * 2654435761u >> 13);
    while (j.n_bytes < 1 << 20) {
        build(&f, &j, 1000);
        j.bytes = realloc(j.bytes, j.n_bytes + f.n);
        if (!j.bytes)
            die("out of memory");
        memcpy(j.bytes + j.n_bytes, f.p, f.n);
        j.n_bytes += f.n;
    }
    j.records = (int64_t)((mib << 20) / f.n);
    j.total = (size_t)j.records * f.n;

    /* The chunk that serves a bare copy best. */
    size_t best_chunk = 0;
    for (size_t chunk = 16 << 10; chunk <= 1 << 20; chunk *= 2) {
        double t[3];
        j.chunk = chunk;
        for (int i = 0; i < 3; i++)
            t[i] = trial(&j, bare_write, bare_read);
        double m = median(t, 3);
        if (m < best) {
            best = m;
            best_chunk = chunk;
        }
    }
    j.chunk = best_chunk;
    for (int i = 0; i < rounds; i++) {
        bare[i] = trial(&j, bare_write, bare_read);
        ours[i] = trial(&j, stream_write, stream_read);
    }
    double b = median(bare, rounds), o = median(ours, rounds);
    printf("%zu\t%lld\t%zu\t%.0f\t%.0f\t%.0f\t%.0f\n", image, (long long)j.records, best_chunk >> 10, (double)j.total / b / 1e6,
           (double)j.total / o / 1e6, (double)j.records / o, 100 * b / o);
    fflush(stdout);
    free(j.pixels);
    free(j.bytes);
    frame_free(&f);
}

int main(int argc, char **argv)
{
    int64_t rounds = 7, mib = 512;

    if ((argc > 1 && opt_int(argv[1], &rounds)) || rounds < 1 || rounds > 64)
        die("ROUNDS is from 1 to 64");
    if ((argc > 2 && opt_int(argv[2], &mib)) || mib < 1 || mib > 1 << 20)
        die("MIB is from 1 to 1048576");
    printf("image_bytes\trecords\tbest_chunk_KiB\tbare_MB/s\tstream_MB/s\trecords/s\tpercent_of_bare\n");
    fflush(stdout);
    measure(224, (size_t)mib, (int)rounds);
    measure(32, (size_t)mib, (int)rounds);
    return 0;
}
