/* ssl-show: let a person look at any point of any pipeline. */
#include "tool.h"

#include "base/format.h"
#include "base/io.h"
#include "base/progress.h"
#include "image/sheet.h"
#include "stream/describe.h"
#include "stream/replay.h"
#include "stream/stream.h"
#include "stream/tally.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORDS = 5, MAX_CARDS = 4000 };

static int64_t records = -1;
static const char *sheet_path, *only_field;
static bool check, json, through, stop, replay;

static const opt opts[] = {
    {'n', "records", OPT_INT, &records, "N", "samples to show, or to draw (default: 5, or what fills a sheet;\nall tensors of a model)", 0, 1e15},
    {'o', "output", OPT_STRING, &sheet_path, "FILE", "draw a contact sheet as a PNG instead of printing text;\n- is standard output", 0, 0},
    {0, "field", OPT_STRING, &only_field, "NAME", "draw this field alone (default: every field that is an image)", 0, 0},
    {0, "check", OPT_FLAG, &check, NULL, "verify the whole stream, and count samples by split and class", 0, 0},
    {0, "json", OPT_FLAG, &json, NULL, "print the header (or the counts of --check) as JSON", 0, 0},
    {0, "through", OPT_FLAG, &through, NULL, "copy the input to standard output, byte for byte; text goes to\nstandard error", 0, 0},
    {0, "replay", OPT_FLAG, &replay, NULL, "print the shell commands that make the stream again", 0, 0},
    {0, "stop", OPT_FLAG, &stop, NULL, "stop once the samples have been shown, and leave the rest unread", 0, 0},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

/* ---- --through: a thread copies the bytes, and feeds us -------------------------------- */

typedef struct relay {
    int in, out, feed; /* feed: the pipe that we read; -1 when it is closed */
    err e;
    pthread_t thread;
} relay;

static void *relay_run(void *arg)
{
    static const size_t SIZE = 128 << 10;
    relay *r = arg;
    char *block = malloc(SIZE);
    ssize_t n = 0;
    err ignored;

    if (!block)
        err_nomem(&r->e);
    while (block && (n = io_read(r->in, block, SIZE, &r->e)) > 0) {
        if (io_write(r->out, block, (size_t)n, &r->e))
            break;
        /* When the stream is bad we stop looking, but its bytes still go where they were going. */
        if (r->feed >= 0 && io_write(r->feed, block, (size_t)n, &ignored)) {
            close(r->feed);
            r->feed = -1;
        }
    }
    free(block);
    if (r->feed >= 0)
        close(r->feed);
    return NULL;
}

/* Returns the descriptor to read from, or -1. */
static int relay_start(relay *r, int from, int to, err *e)
{
    int ends[2];

    *r = (relay){.in = from, .out = to};
    if (pipe2(ends, O_CLOEXEC))
        return err_sys(e, "cannot make a pipe");
    io_grow_pipe(ends[1]);
    r->feed = ends[1];
    if (pthread_create(&r->thread, NULL, relay_run, r)) {
        close(ends[0]);
        close(ends[1]);
        return err_set(e, ERR_RUN, "cannot start a thread");
    }
    return ends[0];
}

/* ---- One stream ------------------------------------------------------------------------ */

typedef struct show {
    const tool *t;
    reader *r;
    const header *h;
    int text_fd;
    sheet *sheet; /* NULL: none wanted, or already written */
    tally counts;
    progress bar;
    int64_t limit;
} show;

static int send(const show *s, buf *b, err *e)
{
    int rc = b->n ? io_write(s->text_fd, b->p, b->n, e) : 0;

    b->n = 0;
    return rc;
}

static int write_sheet(show *s, err *e)
{
    buf png = {0};
    bool captions = true;
    err why = {0};
    int drawn;
    int64_t wanted = sheet_wanted(s->sheet, &drawn);
    int rc = sheet_png(s->sheet, &png, &captions, &why);

    if (rc)
        *e = why;
    else if (!captions)
        tool_note(s->t, "%s; the sheet has no captions", why.msg);
    if (rc == 0 && wanted)
        tool_note(s->t, "a sample has %lld pictures; the sheet shows the first %d", (long long)wanted, drawn);
    if (rc == 0)
        rc = tool_write(s->t, sheet_path, &png, e);
    buf_free(&png);
    sheet_free(s->sheet);
    s->sheet = NULL;
    return rc;
}

static int print_header_json(const show *s, const value *counts, err *e)
{
    value *v = describe_header_value(s->h);
    buf b = {0};
    int rc = -1;

    if (counts && v) {
        value *c = value_map();
        value_set(c, "samples", value_int(s->counts.samples));
        value_set(c, "skipped", value_int(reader_skipped(s->r)));
        value_set(c, "digest", value_str(reader_digest(s->r)));
        value_set(c, "counts", value_copy(counts));
        value_set(v, "check", c);
    }
    if (value_failed(v))
        err_nomem(e);
    else if (value_json(v, 2, &b, e) == 0 && buf_add(&b, "\n", 1, e) == 0)
        rc = send(s, &b, e);
    value_free(v);
    buf_free(&b);
    return rc;
}

static int print_counts(const show *s, err *e)
{
    char n[32], skipped[32];
    buf b = {0};
    int rc = buf_addf(&b, e, "kind       %s\nsamples    %s\nskipped    %s\ndigest     %s\n", s->h->kind,
                      format_commas(s->counts.samples, n), format_commas(reader_skipped(s->r), skipped), reader_digest(s->r));

    if (!rc)
        rc = tally_text(&s->counts, &b, e);
    if (!rc)
        rc = send(s, &b, e);
    buf_free(&b);
    return rc;
}

static int print_end(const show *s, err *e)
{
    char n[32], skipped[32];
    buf b = {0};
    int rc = buf_addf(&b, e, "%s samples, %s skipped, digest %s\n", format_commas(reader_count(s->r), n),
                      format_commas(reader_skipped(s->r), skipped), reader_digest(s->r));

    if (!rc)
        rc = send(s, &b, e);
    buf_free(&b);
    return rc;
}

static bool wants_text(void)
{
    return !check && !json && !sheet_path && !replay;
}

static int begin(show *s, err *e)
{
    buf b = {0};
    int rc = 0;

    s->h = reader_header(s->r);
    s->limit = records >= 0 ? records : strcmp(s->h->kind, KIND_MODEL) == 0 ? INT64_MAX : RECORDS;
    if (sheet_path) {
        s->sheet = sheet_new(s->h, only_field, e);
        if (!s->sheet)
            return -1;
        s->limit = records >= 0 ? records : sheet_capacity(s->sheet);
    }
    if (wants_text())
        rc = describe_header(s->h, &b, e) || buf_add(&b, "\n", 1, e) || send(s, &b, e) ? -1 : 0;
    else if (json && !check)
        rc = print_header_json(s, NULL, e);
    else if (replay)
        rc = replay_script(s->h, &b, e) || send(s, &b, e) ? -1 : 0;
    buf_free(&b);
    return rc;
}

static int one(show *s, const sample *in, err *e)
{
    int64_t n = reader_count(s->r);
    buf b = {0};
    int rc = 0;

    if (check && tally_add(&s->counts, s->h, in, e))
        return reader_where(s->r, e);
    if (s->sheet && n <= s->limit && sheet_add(s->sheet, in, e))
        return reader_where(s->r, e);
    /* As soon as it is full: the pipe may run for hours. */
    if (s->sheet && n == s->limit && write_sheet(s, e))
        return -1;
    if (wants_text() && n <= s->limit)
        rc = describe_sample(s->h, in, n - 1, &b, e) || send(s, &b, e) ? -1 : 0;
    buf_free(&b);
    progress_update(&s->bar, n, NULL);
    return rc;
}

static int end(show *s, err *e)
{
    if (s->sheet && write_sheet(s, e))
        return -1;
    if (check && json) {
        value *counts = tally_value(&s->counts);
        int rc = counts ? print_header_json(s, counts, e) : err_nomem(e);
        value_free(counts);
        return rc;
    }
    if (check)
        return print_counts(s, e);
    return wants_text() ? print_end(s, e) : 0;
}

static int read_all(show *s, err *e)
{
    sample in;
    int got;

    if (begin(s, e))
        return -1;
    progress_start(&s->bar, 2, s->t->name, "samples", 0, s->h->count, s->t->quiet || !check);
    while (!(stop && reader_count(s->r) >= s->limit) && (got = reader_next(s->r, &in, e)) != 0)
        if (got < 0 || one(s, &in, e))
            return -1;
    progress_end(&s->bar);
    return stop ? 0 : end(s, e);
}

/* A stream that was saved after a failure: whoever failed is not here any more to say so. */
static void explain_abort(int fd, err *e)
{
    struct stat st;

    if (e->kind != ERR_ABORTED || fstat(fd, &st) || !S_ISREG(st.st_mode))
        return;
    e->kind = ERR_INPUT;
    err_prefix(e, "the stream ends with a failure");
}

static int show_fd(tool *t, int fd, err *e)
{
    show s = {.t = t, .text_fd = through ? 2 : t->out_fd, .bar = {.fd = -1}};
    relay copy;
    int rc = -1, from = fd;

    if (through && (from = relay_start(&copy, fd, t->out_fd, e)) < 0)
        return -1;
    s.r = reader_new(from, 0, e);
    if (s.r)
        rc = read_all(&s, e);
    progress_end(&s.bar);
    if (rc)
        explain_abort(fd, e);
    if (through) {
        close(from);
        pthread_join(copy.thread, NULL);
        if (copy.e.kind != ERR_NONE) {
            /* Whoever reads after us has had enough: the sheet shows what came so far. */
            if (copy.e.kind == ERR_GONE && s.sheet && sheet_count(s.sheet) && write_sheet(&s, e) == 0)
                rc = 0;
            *e = copy.e;
            rc = -1;
        }
    }
    sheet_free(s.sheet);
    tally_clear(&s.counts);
    reader_free(s.r);
    return rc;
}

static int show_file(tool *t, const char *path, err *e)
{
    if (strcmp(path, "-") == 0)
        return show_fd(t, t->in_fd, e);
    int fd = io_open_read(path, e);
    if (fd < 0)
        return -1;
    int rc = show_fd(t, fd, e);
    close(fd);
    return rc ? err_prefix(e, "%s", path) : 0;
}

/* The extension of a picture that is no PNG, which the name would promise; or NULL. */
static const char *other_format(const char *path)
{
    static const char *const others[] = {".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".svg", ".pdf", NULL};
    const char *end = strrchr(path, '.');

    for (int i = 0; end && others[i]; i++)
        if (strcasecmp(end, others[i]) == 0)
            return end;
    return NULL;
}

static int check_usage(const tool *t, err *e)
{
    if (only_field && !sheet_path)
        return err_set(e, ERR_USAGE, "--field goes with -o");
    if (replay && (check || json || sheet_path || through))
        return err_set(e, ERR_USAGE, "--replay prints commands, and goes with no other kind of output");
    if (stop && check)
        return err_set(e, ERR_USAGE, "--check reads the whole stream, so --stop cannot go with it");
    if (t->n_operands > 1 && (sheet_path || through || replay))
        return err_set(e, ERR_USAGE, "%s takes one input", sheet_path ? "-o" : replay ? "--replay" : "--through");
    if (sheet_path && through && strcmp(sheet_path, "-") == 0)
        return err_set(e, ERR_USAGE, "--through writes the stream to standard output, so the sheet needs a file");
    if (sheet_path && other_format(sheet_path))
        return err_set(e, ERR_USAGE, "a sheet is a PNG, not a %s: '%s'", other_format(sheet_path) + 1, sheet_path);
    if (sheet_path && (records == 0 || records > MAX_CARDS))
        return err_set(e, ERR_USAGE, "a sheet shows 1 to %d samples", MAX_CARDS);
    return 0;
}

static int run(tool *t, err *e)
{
    if (check_usage(t, e))
        return -1;
    if (t->dry_run)
        return 0;
    if (t->n_operands == 0)
        return show_fd(t, t->in_fd, e);
    for (int i = 0; i < t->n_operands; i++) {
        if (t->n_operands > 1 && !json && dprintf(t->out_fd, "%s==> %s <==\n", i ? "\n" : "", t->operands[i]) < 0)
            return err_sys(e, "cannot write the output");
        if (show_file(t, t->operands[i], e))
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-show",
        .synopsis = "[option ...] [file ...]",
        .about = "Show what is in a stream, of any kind: its header, its history and its first\n"
                 "samples as text, or its images on a contact sheet.",
        .opts = opts,
        .examples = "  ssl-load photos/ | ssl-show\n"
                    "  ssl-load photos/ --size 96 | ssl-augment @simclr --views 2 | ssl-show -o sheet.png\n"
                    "  ssl-load photos/ --size 32 | tee >(ssl-show >&2) | ssl-pretext rotate | ssl-train -o rot.model\n"
                    "  ssl-show --check saved.ssl\n"
                    "  ssl-show --replay rot.model | sh >again.model\n",
        .min_operands = 0,
        .max_operands = -1,
        .run = run,
    };
    return tool_main(&t, argc, argv);
}
