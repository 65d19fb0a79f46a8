/* The base layer: known answers, and what each part promises. */
#include "base/buf.h"
#include "base/crc.h"
#include "base/err.h"
#include "base/io.h"
#include "base/opt.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/sha256.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* ---- Sums ----------------------------------------------------------------- */

/* The definition, a bit at a time. */
static uint32_t slow_crc(uint32_t crc, const uint8_t *p, size_t n)
{
    for (crc = ~crc; n > 0; n--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

Test(sums, crc_is_that_of_zlib_at_any_length)
{
    uint8_t bytes[4200];
    rng r = rng_at(1);

    cr_expect(crc_update(0, "123456789", 9) == 0xcbf43926);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rng_u64(&r);
    for (size_t n = 0; n < 4100; n += n < 1000 || n > 1300 ? 37 : 1)
        for (size_t from = 0; from < 3; from++)
            cr_assert(crc_update((uint32_t)n, bytes + from, n) == slow_crc((uint32_t)n, bytes + from, n), "%zu bytes", n);
    cr_expect(crc_update(crc_update(0, bytes, 1500), bytes + 1500, 2000) == slow_crc(0, bytes, 3500));
}

Test(sums, sha256)
{
    sha256 s;
    char hex[65];

    sha256_start(&s);
    sha256_add(&s, "ab", 2);
    sha256_add(&s, "c", 1);
    sha256_end_hex(&s, hex);
    cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* ---- Randomness ----------------------------------------------------------------- */

/* SplitMix64's published sequence from 1234567; the rest are this format's own, fixed for good: outputs depend on them. */
Test(rng, known_answers)
{
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u,
                                        16408922859458223821u};
    rng r = rng_at(1234567);

    for (int i = 0; i < 5; i++)
        cr_expect(rng_u64(&r) == expected[i]);
    cr_expect(rng_mix(0, 0) == 0x397ab29740681d9, "%llu", (unsigned long long)rng_mix(0, 0));
    cr_expect(rng_mix(1, 2) == 0x9b4e5da53b41ba07, "%llu", (unsigned long long)rng_mix(1, 2));
    cr_expect(rng_mix_str(7, "crop") == 0xf9ec3e7440a7dfba, "%llu", (unsigned long long)rng_mix_str(7, "crop"));
    cr_expect(rng_mix(1, 2) != rng_mix(2, 1));
    cr_expect(rng_mix_str(0, "ab") != rng_mix_str(0, "ba"));
}

/* Chi-squared of counts that should be equal; its expectation is cells - 1, its deviation sqrt(2 (cells - 1)). */
static double chi2(const int64_t *count, int cells, int64_t total)
{
    double e = (double)total / cells, x = 0;

    for (int i = 0; i < cells; i++)
        x += ((double)count[i] - e) * ((double)count[i] - e) / e;
    return x;
}

static void expect_uniform(const int64_t *count, int cells, int64_t total, const char *what)
{
    double x = chi2(count, cells, total), mean = cells - 1, dev = sqrt(2 * mean);

    cr_expect(fabs(x - mean) < 5 * dev, "%s: chi-squared %.1f, expected %.1f +- %.1f", what, x, mean, dev);
}

Test(rng, below_is_unbiased)
{
    enum { N = 300000 };
    static const uint64_t sizes[] = {2, 3, 7, 10, 100};
    int64_t count[100];

    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        rng r = rng_at(k);
        memset(count, 0, sizeof count);
        for (int i = 0; i < N; i++) {
            uint64_t v = rng_below(&r, sizes[k]);
            cr_assert(v < sizes[k]);
            count[v]++;
        }
        expect_uniform(count, (int)sizes[k], N, "below");
    }
    /* Three quarters of the range: a plain modulo would give the first third twice as often. */
    uint64_t n = 3ull << 62;
    rng r = rng_at(9);
    memset(count, 0, sizeof count);
    for (int i = 0; i < N; i++)
        count[rng_below(&r, n) >> 62]++;
    expect_uniform(count, 3, N, "below a large n");
    cr_expect(rng_below(&r, 1) == 0);
}

/* The keys that neighbouring decisions have: the last values of a chain that differs in one place by little. */
Test(rng, neighbouring_keys_are_independent)
{
    enum { N = 200000, CELLS = 64 };
    int64_t first[CELLS] = {0}, pair[CELLS] = {0};
    uint64_t before = 0;
    double sum = 0, squares = 0, product = 0, last = 0;

    for (int i = 0; i < N; i++) {
        rng r = rng_at(rng_mix(rng_mix(rng_mix_str(0, "flip"), 0), (uint64_t)i));
        uint64_t v = rng_u64(&r) >> 61;
        first[v * 8 + (rng_u64(&r) >> 61)]++;
        pair[v * 8 + before]++;
        before = v;
        double u = rng_uniform(&r) - 0.5;
        sum += u;
        squares += u * u;
        product += u * last;
        last = u;
    }
    expect_uniform(first, CELLS, N, "two draws at one key");
    expect_uniform(pair, CELLS, N, "first draws at two keys");
    cr_expect(fabs(sum / N) < 5 * sqrt(1. / 12 / N));
    cr_expect(fabs(squares / N - 1. / 12) < 5 * sqrt(1. / 180 / N));
    cr_expect(fabs(product / N) < 5. / 12 / sqrt(N));
}

Test(rng, normal)
{
    enum { N = 200000 };
    double m1 = 0, m2 = 0, m4 = 0;
    rng r = rng_at(3);

    for (int i = 0; i < N; i++) {
        double x = rng_normal(&r);
        cr_assert(isfinite(x));
        m1 += x;
        m2 += x * x;
        m4 += x * x * x * x;
    }
    cr_expect(fabs(m1 / N) < 5 / sqrt(N));
    cr_expect(fabs(m2 / N - 1) < 5 * sqrt(2. / N));
    cr_expect(fabs(m4 / N - 3) < 5 * sqrt(96. / N));
}

Test(rng, shuffle_gives_every_order)
{
    enum { N = 240000 };
    int64_t count[24] = {0};

    for (int i = 0; i < N; i++) {
        uint32_t v[4] = {0, 1, 2, 3};
        rng r = rng_at(rng_mix(5, (uint64_t)i));
        rng_shuffle_u32(&r, v, 4);
        int rank = 0;
        for (int a = 0; a < 4; a++) {
            int smaller = 0;
            for (int b = a + 1; b < 4; b++)
                smaller += v[b] < v[a];
            rank = rank * (4 - a) + smaller;
        }
        cr_assert(v[0] + v[1] + v[2] + v[3] == 6 && rank < 24);
        count[rank]++;
    }
    expect_uniform(count, 24, N, "orders");
}

/* ---- Errors, buffers ---------------------------------------------------------------- */

Test(err, messages)
{
    err e = {0};

    cr_expect(err_set(&e, ERR_INPUT, "bad %d", 7) == -1);
    cr_expect(err_prefix(&e, "in '%s'", "x") == -1);
    cr_expect_str_eq(e.msg, "in 'x': bad 7");
    cr_expect(err_exit_status(&e) == 3);
    errno = ENOENT;
    err_sys(&e, "cannot open '%s'", "a.jpg");
    cr_expect_str_eq(e.msg, "cannot open 'a.jpg': No such file or directory");
    cr_expect(err_exit_status(&e) == 1);
    errno = EPIPE;
    err_sys(&e, "cannot write the output");
    cr_expect(e.kind == ERR_GONE && err_exit_status(&e) == 0);

    err_set(&e, ERR_ABORTED, "ssl-load: it broke");
    err_prefix(&e, "sample 3");
    cr_expect_str_eq(e.msg, "ssl-load: it broke");
    cr_expect(err_exit_status(&e) == 3);

    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&e, ERR_RUN, "%s", text);
    cr_expect(strlen(e.msg) == sizeof e.msg - 1);
    err_prefix(&e, "%s", text);
    cr_expect(strlen(e.msg) == sizeof e.msg - 1);
}

Test(buf, grows)
{
    buf b = {0};
    err e;

    for (int i = 0; i < 5000; i++)
        cr_assert(buf_add(&b, &i, sizeof i, &e) == 0);
    cr_expect(b.n == 5000 * sizeof(int) && memcmp(b.p + 4 * sizeof(int), &(int){4}, sizeof(int)) == 0);
    cr_expect(buf_reserve(&b, SIZE_MAX - 10, &e) == -1 && b.n == 5000 * sizeof(int));
    b.n = 0;
    cr_expect(buf_addf(&b, &e, "%d-%s", 5, "x") == 0 && b.n == 3);
    cr_expect_str_eq((char *)b.p, "5-x");
    buf_free(&b);
}

/* ---- Options ---------------------------------------------------------------------------- */

typedef struct options {
    bool verbose, again;
    int64_t n;
    double p;
    const char *name;
    opt_list list;
} options;

/* Parse a command line given as one string with blanks; operands are joined by commas. */
static int parse(const char *line, options *o, char operands[256], err *e)
{
    const opt table[] = {
        {'v', "verbose", OPT_FLAG, &o->verbose, NULL, "say more", 0, 0},
        {'a', "again", OPT_FLAG, &o->again, NULL, "again", 0, 0},
        {0, NULL, OPT_SECTION, NULL, NULL, "Figures:", 0, 0},
        {'n', "number", OPT_INT, &o->n, "N", "a number", 1, 1e6},
        {'p', "probability", OPT_DOUBLE, &o->p, "P", "a probability", 0, 1},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
    };
    const opt common[] = {
        {0, "name", OPT_STRING, &o->name, "NAME", "a name", 0, 0},
        {'l', "list", OPT_LIST, &o->list, "X", "several", 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
    };
    static char text[512];
    char *argv[64] = {"prog"};
    int argc = 1, n = 0;

    snprintf(text, sizeof text, "%s", line);
    for (char *word = text; word; word = strchr(word, ' ')) {
        if (*word == ' ')
            *word++ = '\0';
        argv[argc++] = word;
    }
    *o = (options){.n = -1, .p = -1};
    operands[0] = '\0';
    int rc = opt_parse(table, common, argc, argv, &n, e);
    for (int i = 0; rc == 0 && i < n; i++)
        snprintf(operands + strlen(operands), 256 - strlen(operands), "%s%s", i ? "," : "", argv[1 + i]);
    return rc;
}

Test(opt, what_is_understood)
{
    options o;
    char operands[256];
    err e;

    cr_assert(parse("one -v --number=5 two -p0.25 - -- -v --name", &o, operands, &e) == 0, "%s", e.msg);
    cr_expect(o.verbose && !o.again && o.n == 5 && o.p == 0.25 && !o.name);
    cr_expect_str_eq(operands, "one,two,-,-v,--name");
    cr_assert(parse("-van7 --name x=y -l1 --list 2 -l 3", &o, operands, &e) == 0, "%s", e.msg);
    cr_expect(o.verbose && o.again && o.n == 7 && o.list.n == 3);
    cr_expect_str_eq(o.name, "x=y");
    cr_expect_str_eq(o.list.v[0], "1");
    cr_expect_str_eq(o.list.v[2], "3");
    free(o.list.v);
    cr_assert(parse("--name= --number 20k", &o, operands, &e) == 0);
    cr_expect_str_eq(o.name, "");
    cr_expect(o.n == 20000);
}

Test(opt, what_is_refused)
{
    static const struct { const char *line, *message; } bad[] = {
        {"--numbr 5", "unknown option '--numbr'; did you mean '--number'?"},
        {"--zzzzzz", "unknown option '--zzzzzz'"},
        {"-x", "unknown option '-x'"},
        {"-vx", "unknown option '-x'"},
        {"-5", "unknown option '-5'"},
        {"--number", "option '--number' needs a value"},
        {"-n", "option '-n' needs a value"},
        {"--verbose=1", "option '--verbose' takes no value"},
        {"--number=five", "option '--number': 'five' is not a whole number"},
        {"--number=5.5", "option '--number': '5.5' is not a whole number"},
        {"--number=", "option '--number': '' is not a whole number"},
        {"--number=0", "option '--number': '0' is not between 1 and 1000000"},
        {"-p 2", "option '--probability': '2' is not between 0 and 1"},
        {"-p nan", "option '--probability': 'nan' is not a number"},
    };
    options o;
    char operands[256];
    err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect(parse(bad[i].line, &o, operands, &e) == -1, "accepted: %s", bad[i].line);
        cr_expect(e.kind == ERR_USAGE);
        cr_expect_str_eq(e.msg, bad[i].message);
    }
}

Test(opt, numbers)
{
    int64_t i;
    double d;

    cr_expect(opt_int("-12", &i) == 0 && i == -12);
    cr_expect(opt_int("3Ki", &i) == 0 && i == 3072);
    cr_expect(opt_int("2M", &i) == 0 && i == 2000000);
    cr_expect(opt_int("9223372036854775807", &i) == 0 && i == INT64_MAX);
    cr_expect(opt_int("9223372036854775808", &i) == -1);
    cr_expect(opt_int("10000000000G", &i) == -1);
    cr_expect(opt_int(" 1", &i) == -1 && opt_int("1 ", &i) == -1 && opt_int("", &i) == -1 && opt_int("0x10", &i) == -1);
    cr_expect(opt_double("1e-3", &d) == 0 && d == 1e-3);
    cr_expect(opt_double(".5", &d) == 0 && d == 0.5);
    cr_expect(opt_double("1e999", &d) == -1 && opt_double("-inf", &d) == -1 && opt_double("", &d) == -1);
    cr_expect(opt_double("1,5", &d) == -1 && opt_double(".", &d) == -1);
}

Test(opt, help_is_aligned)
{
    const opt table[] = {
        {'n', "number", OPT_INT, NULL, "N", "a number\nof things", 0, 0},
        {0, NULL, OPT_SECTION, NULL, NULL, "More:", 0, 0},
        {0, "a-very-long-name-for-an-option", OPT_FLAG, NULL, NULL, "long", 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
    };
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    opt_print(f, table);
    fclose(f);
    cr_expect_str_eq(text, "  -n, --number N           a number\n"
                           "                           of things\n"
                           "\nMore:\n"
                           "      --a-very-long-name-for-an-option\n"
                           "                           long\n");
    free(text);
}

/* ---- Output files ---------------------------------------------------------------------------- */

static char folder[] = "/tmp/ssl-unit.XXXXXX";

static void enter(void)
{
    cr_assert(mkdtemp(folder) && chdir(folder) == 0);
}

static void leave(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect(chdir("/") == 0);
    FILE *f = popen(command, "r");
    cr_expect(f && pclose(f) == 0);
}

TestSuite(out, .init = enter, .fini = leave);

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void expect_text(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "r");

    cr_assert(f, "%s is not there", path);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    cr_expect_str_eq(got, text);
}

static int files(void)
{
    DIR *d = opendir(".");
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

Test(out, appears_whole_or_not_at_all)
{
    out o;
    err e;
    struct stat st;

    cr_assert(out_open(&o, "new", &e) == 0);
    cr_assert(io_write(o.fd, "hello", 5, &e) == 0);
    cr_expect(files() == 0);
    umask(027);
    cr_assert(out_commit(&o, &e) == 0);
    expect_text("new", "hello");
    cr_expect(files() == 1);

    cr_assert(out_open(&o, "new", &e) == 0);
    cr_assert(io_write(o.fd, "half", 4, &e) == 0);
    expect_text("new", "hello");
    out_abort(&o);
    out_abort(&o);
    expect_text("new", "hello");
    cr_expect(files() == 1);

    cr_assert(out_open(&o, "new", &e) == 0 && io_write(o.fd, "all", 3, &e) == 0 && out_commit(&o, &e) == 0);
    expect_text("new", "all");
    cr_expect(stat("new", &st) == 0 && (st.st_mode & 0777) == 0640);
    cr_expect(files() == 1);

    cr_expect(out_open(&o, "no/such/folder", &e) == -1);
    cr_expect_str_eq(e.msg, "cannot create 'no/such/folder': No such file or directory");
    cr_expect(out_open(&o, ".", &e) == -1);
    cr_expect_str_eq(e.msg, "cannot create '.': Is a directory");
}

Test(out, follows_links)
{
    out o;
    err e;
    struct stat st;

    cr_assert(mkdir("sub", 0777) == 0);
    put("sub/target", "old");
    cr_assert(symlink("sub/target", "link") == 0 && symlink("link", "link2") == 0 && symlink("sub/absent", "dangling") == 0);
    cr_assert(symlink("loop", "loop") == 0);
    cr_assert(out_open(&o, "link2", &e) == 0 && io_write(o.fd, "new", 3, &e) == 0 && out_commit(&o, &e) == 0);
    expect_text("sub/target", "new");
    cr_expect(lstat("link2", &st) == 0 && S_ISLNK(st.st_mode));
    cr_expect(lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
    cr_assert(out_open(&o, "dangling", &e) == 0 && io_write(o.fd, "made", 4, &e) == 0 && out_commit(&o, &e) == 0);
    expect_text("sub/absent", "made");
    cr_expect(out_open(&o, "loop", &e) == -1);
    cr_expect_str_eq(e.msg, "cannot create 'loop': Too many levels of symbolic links");
}

Test(out, what_is_no_regular_file_is_written_directly)
{
    out o;
    err e;
    int fd[2];
    char path[64], got[8] = "";

    cr_assert(out_open(&o, "/dev/null", &e) == 0 && o.direct && io_write(o.fd, "x", 1, &e) == 0 && out_commit(&o, &e) == 0);
    /* As a shell's process substitution gives it: a link that names nothing in the file system. */
    cr_assert(pipe(fd) == 0);
    snprintf(path, sizeof path, "/dev/fd/%d", fd[1]);
    cr_assert(out_open(&o, path, &e) == 0, "%s", e.msg);
    cr_expect(o.direct && io_write(o.fd, "piped", 5, &e) == 0 && out_commit(&o, &e) == 0);
    cr_expect(read(fd[0], got, 5) == 5);
    cr_expect_str_eq(got, "piped");
}

Test(out, a_full_disk_leaves_the_old_file)
{
    out o;
    err e;

    cr_assert(out_open(&o, "/dev/full", &e) == 0);
    cr_expect(io_write(o.fd, "x", 1, &e) == -1);
    cr_expect_str_eq(e.msg, "cannot write the output: No space left on device");
    out_abort(&o);
    cr_expect(access("/dev/full", F_OK) == 0);
}

/* Where there is no O_TMPFILE a hidden file serves; as such a file system may not be at hand, set the same state by hand. */
Test(out, a_hidden_file_serves_too)
{
    out o;
    err e;
    char name[64];

    snprintf(name, sizeof name, "./.t.%ld.tmp", (long)getpid());
    for (int commit = 0; commit < 2; commit++) {
        o = (out){.fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0666), .target = strdup("t"), .temp = strdup(name)};
        cr_assert(o.fd >= 0 && io_write(o.fd, "text", 4, &e) == 0);
        if (commit) {
            cr_expect(out_commit(&o, &e) == 0);
            expect_text("t", "text");
        } else {
            out_abort(&o);
            cr_expect(files() == 0);
        }
    }
    cr_expect(files() == 1);

    /* A name as long as names may be. */
    char longest[256];
    memset(longest, 'n', 255);
    longest[255] = '\0';
    cr_expect(out_open(&o, longest, &e) == 0 && out_commit(&o, &e) == 0, "%s", e.msg);
}

/* ---- Reading and writing -------------------------------------------------------------------------- */

Test(io, a_non_blocking_pipe_still_works)
{
    static char bytes[1 << 18], got[1 << 18];
    int fd[2];
    err e;

    cr_assert(pipe2(fd, O_NONBLOCK) == 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 >> 3);
    cr_expect(!io_ready(fd[0]));
    pid_t child = fork();
    if (child == 0) {
        struct iovec v[3] = {{bytes, 10}, {bytes + 10, 0}, {bytes + 10, sizeof bytes - 10}};
        close(fd[0]);
        _exit(io_writev(fd[1], v, 3, &e) != 0);
    }
    close(fd[1]);
    size_t n = 0;
    ssize_t k;
    while ((k = io_read(fd[0], got + n, sizeof got - n, &e)) > 0)
        n += (size_t)k;
    cr_expect(k == 0 && n == sizeof got && memcmp(bytes, got, n) == 0);
    cr_expect(waitpid(child, NULL, 0) == child);
    cr_expect(io_ready(fd[0])); /* at the end of input a read does not wait either */
}

/* ---- The pool ------------------------------------------------------------------------------------------ */

typedef struct number {
    int in, out, worker;
} number;

static void square(void *job, int worker, void *arg)
{
    number *x = job;

    usleep((useconds_t)((x->in * 7919) % 5 * 100));
    x->out = x->in * x->in + *(int *)arg;
    x->worker = worker;
}

Test(pool, keeps_the_order)
{
    enum { JOBS = 200 };
    err e;

    for (int threads = 1; threads <= 5; threads++) {
        int arg = 3, next = 0;
        number jobs[JOBS], *x;
        pool *p = pool_new(threads, 7, square, &arg, &e);
        cr_assert(p);
        cr_expect(!pool_take(p, true));
        for (int i = 0; i < JOBS; i++) {
            jobs[i] = (number){.in = i};
            if (pool_full(p)) {
                x = pool_take(p, true);
                cr_assert(x == &jobs[next]);
                next++;
            }
            pool_put(p, &jobs[i]);
        }
        while ((x = pool_take(p, true))) {
            cr_assert(x == &jobs[next]);
            next++;
        }
        cr_expect(next == JOBS);
        for (int i = 0; i < JOBS; i++)
            cr_assert(jobs[i].out == i * i + 3 && jobs[i].worker >= 0 && jobs[i].worker < threads);
        pool_free(p);
    }
}

Test(pool, can_be_left_with_work_inside)
{
    number jobs[20];
    int arg = 0;
    err e;
    pool *p = pool_new(3, 20, square, &arg, &e);

    cr_assert(p);
    for (int i = 0; i < 20; i++) {
        jobs[i] = (number){.in = i};
        pool_put(p, &jobs[i]);
    }
    cr_expect(pool_full(p));
    pool_free(p);
    cr_expect(pool_cpus() >= 1);
}

/* ---- Progress -------------------------------------------------------------------------------------------- */

/* expect_shown: what has been written to a terminal since the last call is WANT. What is written arrives in pieces, so
 * the end is marked, and read for. */
static void expect_shown(int master, int tty, const char *want)
{
    char text[1024];
    size_t n = 0;

    cr_assert(write(tty, "", 1) == 1);
    do {
        ssize_t k = read(master, text + n, sizeof text - n);
        cr_assert(k > 0);
        n += k;
    } while (text[n - 1]);
    cr_expect_str_eq(text, want);
}

Test(progress, one_line_on_a_terminal)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int tty = open(ptsname(master), O_RDWR | O_NOCTTY);
    cr_assert(tty >= 0);
    struct termios raw;
    tcgetattr(tty, &raw);
    cfmakeraw(&raw);
    tcsetattr(tty, TCSANOW, &raw);
    ioctl(tty, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = 200});

    progress p;
    progress_start(&p, tty, "ssl-train", "images", 0, 60000, false);
    progress_update(&p, 1, NULL); /* too soon to draw */
    p.t0 = progress_clock() - 10;
    p.last = 0;
    progress_update(&p, 15000, "loss 0.71");
    progress_end(&p);
    expect_shown(master, tty, "\rssl-train: [====>           ] 25 % 15,000/60,000 images  1,500/s  ETA 0:30  loss 0.71\033[K\r\033[K");

    /* Cut to a narrow terminal; without a total there is no bar. */
    ioctl(tty, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = 30});
    progress_start(&p, tty, "ssl-load", "images", 0, -1, false);
    p.t0 = progress_clock() - 10;
    p.last = 0;
    progress_update(&p, 1234567, NULL);
    expect_shown(master, tty, "\rssl-load: 1,234,567 images  1\033[K");

    /* Neither under --quiet nor where there is no terminal. */
    progress_start(&p, tty, "x", "y", 0, 1, true);
    cr_expect(p.fd == -1);
    int fd[2];
    cr_assert(pipe(fd) == 0);
    progress_start(&p, fd[1], "x", "y", 0, 1, false);
    cr_expect(p.fd == -1);
    progress_update(&p, 1, NULL);
    progress_end(&p);
}
