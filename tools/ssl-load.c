/* ssl-load: raw images to a stream. */
#include "tool.h"

#include "base/pool.h"
#include "base/progress.h"
#include "data/load.h"
#include "data/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *split, *classes, *files_from, *format, *epochs, *uniform_by, *shard, *fit, *background, *on_error;
    bool balance, shuffle, gray, zero;
    int64_t limit, buffer, seed, skip, size, shrink, max_pixels, threads;
} o = {.seed = -1, .buffer = 4096};

static const opt options[] = {
    {0, NULL, OPT_SECTION, NULL, NULL, "Sources:", 0, 0},
    {0, "files-from", OPT_STRING, &o.files_from, "FILE", "read paths from FILE (- is standard input): PATH or PATH<TAB>LABEL a line", 0, 0},
    {'0', "null", OPT_FLAG, &o.zero, NULL, "the entries of --files-from end with NUL, as find -print0 writes them", 0, 0},
    {0, "format", OPT_STRING, &o.format, "NAME", "what the operands are, instead of a look at them; see --list", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "Selection:", 0, 0},
    {0, "split", OPT_STRING, &o.split, "NAME", "only this split: train, val, test or unlabeled", 0, 0},
    {0, "classes", OPT_STRING, &o.classes, "NAME,...", "only these classes", 0, 0},
    {0, "limit", OPT_INT, &o.limit, "N", "a random subset of N images (of a pipe: the first N)", 1, 4294967295.0},
    {0, "balance", OPT_FLAG, &o.balance, NULL, "share --limit out evenly over the classes", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "Order:", 0, 0},
    {0, "epochs", OPT_STRING, &o.epochs, "N", "visit every image N times, or without end: inf (default 1)", 0, 0},
    {0, "shuffle", OPT_FLAG, &o.shuffle, NULL, "a fresh random order every epoch", 0, 0},
    {0, "uniform-by", OPT_STRING, &o.uniform_by, "FILE", "a random order that visits the clusters of ssl-cluster's FILE evenly", 0, 0},
    {0, "shuffle-buffer", OPT_INT, &o.buffer, "N", "images held to shuffle a pipe (default 4096)", 2, 16777216},
    {0, "seed", OPT_INT, &o.seed, "N", "seed of this and of all that follows (default 0, or a saved stream's)", 0, 9e15},
    {0, "shard", OPT_STRING, &o.shard, "I/N", "only positions P with P mod N = I, I from 0", 0, 0},
    {0, "skip", OPT_INT, &o.skip, "N", "begin at position N of the run", 0, 9e15},
    {0, NULL, OPT_SECTION, NULL, NULL, "Pixels:", 0, 0},
    {0, "size", OPT_INT, &o.size, "N", "resize to N x N pixels", 1, 16384},
    {0, "fit", OPT_STRING, &o.fit, "HOW", "what --size takes: stretch, the whole image (default), or crop, its centred square", 0, 0},
    {0, "shrink", OPT_INT, &o.shrink, "N", "a JPEG may be decoded smaller, its short side no smaller than N", 1, 65535},
    {0, "gray", OPT_FLAG, &o.gray, NULL, "one channel", 0, 0},
    {0, "background", OPT_STRING, &o.background, "RRGGBB", "shown behind transparent pixels (default ffffff)", 0, 0},
    {0, "max-pixels", OPT_INT, &o.max_pixels, "N", "refuse larger images (default 256Mi)", 1, 268435456},
    {0, NULL, OPT_SECTION, NULL, NULL, "Running:", 0, 0},
    {0, "on-error", OPT_STRING, &o.on_error, "WHAT", "at a bad image: fail (default), or skip it and count", 0, 0},
    {'j', "jobs", OPT_INT, &o.threads, "N", "decode on N threads (default: all CPUs)", 1, 1024},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

/* The position of a word in a NULL-ended list. */
static int choose(const char *option, const char *word, const char *const *of, int *at, err *e)
{
    int n = 0;

    for (; of[n]; n++)
        if (strcmp(of[n], word) == 0) {
            *at = n;
            return 0;
        }
    const char *near = opt_nearest(word, of, n);
    return err_set(e, ERR_USAGE, "option '--%s': '%s' is not %s or %s%s%s%s", option, word, of[0], of[1], near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
}

static int parse_epochs(const char *s, int64_t *n, err *e)
{
    *n = 1;
    if (s && strcmp(s, "inf") == 0)
        *n = LOAD_FOREVER;
    else if (s && (opt_int(s, n) || *n < 1 || *n == LOAD_FOREVER))
        return err_set(e, ERR_USAGE, "option '--epochs': '%s' is neither a number from 1 up nor inf", s);
    return 0;
}

static int parse_shard(const char *s, int64_t *i, int64_t *n, err *e)
{
    char first[32];
    const char *slash = s ? strchr(s, '/') : NULL;

    *i = 0;
    *n = 1;
    if (!s)
        return 0;
    if (slash && slash - s < (int)sizeof first) {
        memcpy(first, s, (size_t)(slash - s));
        first[slash - s] = '\0';
        if (opt_int(first, i) == 0 && opt_int(slash + 1, n) == 0 && *i >= 0 && *i < *n && *n <= 1 << 20)
            return 0;
    }
    return err_set(e, ERR_USAGE, "option '--shard': '%s' is not I/N with I from 0 to N - 1", s);
}

static int parse_background(const char *s, uint8_t rgb[3], err *e)
{
    if (strlen(s) != 6 || strspn(s, "0123456789abcdefABCDEF") != 6)
        return err_set(e, ERR_USAGE, "option '--background': '%s' is not six hex digits", s);
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)strtoul((char[]){s[2 * i], s[2 * i + 1], '\0'}, NULL, 16);
    return 0;
}

static int parse(load_opts *l, const tool *t, err *e)
{
    int fit = 0, on_error = 0;

    if (t->n_operands == 0 && !o.files_from)
        return err_set(e, ERR_USAGE, "no source is named");
    if (t->n_operands > 0 && o.files_from)
        return err_set(e, ERR_USAGE, "option '--files-from' goes with no operands");
    if (o.zero && !o.files_from)
        return err_set(e, ERR_USAGE, "option '--null' needs '--files-from'");
    if (o.balance && !o.limit)
        return err_set(e, ERR_USAGE, "option '--balance' needs '--limit'");
    if (o.fit && !o.size)
        return err_set(e, ERR_USAGE, "option '--fit' needs '--size'");
    if (o.format && !source_find(o.format))
        return err_set(e, ERR_USAGE, "option '--format': no format is named '%s'; see --list", o.format);
    if ((o.fit && choose("fit", o.fit, (const char *const[]){"stretch", "crop", NULL}, &fit, e)) ||
        (o.on_error && choose("on-error", o.on_error, (const char *const[]){"fail", "skip", NULL}, &on_error, e)) ||
        parse_epochs(o.epochs, &l->epochs, e) || parse_shard(o.shard, &l->shard, &l->shards, e) ||
        parse_background(o.background ? o.background : "ffffff", l->decode.background, e))
        return -1;
    l->decode.fit = fit ? DECODE_CROP : DECODE_STRETCH;
    l->skip_bad = on_error == 1;
    return 0;
}

typedef struct watch {
    const tool *t;
    progress p;
    bool shown;
} watch;

static void each(int64_t done, int64_t total, void *arg)
{
    watch *w = arg;

    if (!w->shown) {
        struct stat st;
        /* In a pipe the one who does the work shows the progress. */
        bool file = fstat(w->t->out_fd, &st) == 0 && S_ISREG(st.st_mode);
        progress_start(&w->p, 2, w->t->name, "images", 0, total, w->t->quiet || !file);
        w->shown = true;
    }
    progress_update(&w->p, done, NULL);
}

static void note(const char *text, void *arg)
{
    watch *w = arg;

    if (w->shown)
        progress_end(&w->p);
    tool_note(w->t, "%s", text);
}

/* Every tar and data set keeps a descriptor: allow as many as the system lets us. */
static void raise_descriptors(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int run(tool *t, err *e)
{
    watch w = {.t = t};
    load_opts l = {
        .operands = t->operands, .n_operands = t->n_operands, .list = o.files_from, .zero_ended = o.zero, .format = o.format,
        .split = o.split, .classes = o.classes, .limit = o.limit, .balance = o.balance, .shuffle = o.shuffle, .uniform_by = o.uniform_by, .buffer = o.buffer,
        .seed = o.seed, .skip = o.skip, .threads = o.threads ? (int)o.threads : pool_cpus(),
        .decode = {.channels = o.gray ? 1 : 3, .size = (int)o.size, .shrink = (int)o.shrink, .max_pixels = o.max_pixels},
        .in_fd = t->in_fd, .out_fd = t->out_fd, .each = each, .note = note, .arg = &w,
    };

    if (parse(&l, t, e))
        return -1;
    if (t->dry_run)
        return 0;
    if (isatty(t->out_fd))
        return err_set(e, ERR_USAGE, "a stream is not for a terminal: pipe it (into ssl-show, say) or redirect it to a file");
    if (isatty(t->in_fd) && t->n_operands == 1 && strcmp(t->operands[0], "-") == 0)
        return err_set(e, ERR_USAGE, "standard input is a terminal; pipe a tar or a stream into it");
    raise_descriptors();
    t->writes_stream = false;
    int rc = load_run(&l, e);
    if (w.shown)
        progress_end(&w.p);
    return rc;
}

static int list(FILE *f, err *e)
{
    (void)e;
    source_table(f);
    return 0;
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-load",
        .synopsis = "[option ...] source ...",
        .about = "Decode images from folders, tars, data sets, lists or saved streams and write them\n"
                 "as a stream: select, order, repeat. A source of - is standard input.",
        .opts = options,
        .examples = "  ssl-load photos --split train --size 32 --epochs 30 --shuffle | ssl-augment flip | ...\n"
                    "  find . -name '*.jpg' -print0 | ssl-load --files-from - -0 --size 64 | ssl-show\n"
                    "  cat shard-*.tar | ssl-load - --size 32 >images.ssl\n",
        .max_operands = -1,
        .writes_stream = true,
        .run = run,
        .list = list,
    };

    return tool_main(&t, argc, argv);
}
