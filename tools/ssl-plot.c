/* ssl-plot: pictures of logs, results and embeddings. */
#include "tool.h"

#include "base/pool.h"
#include "image/svg.h"
#include "plot/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 800 };

static plot_request q = {.seed = -1, .perplexity = NAN};
static const char *output, *to;
static double scale = NAN;
static bool html;

static const opt opts[] = {
    {0, NULL, OPT_SECTION, NULL, NULL, "The picture:", 0, 0},
    {'o', "output", OPT_STRING, &output, "FILE", "write FILE, as its suffix says (default: standard output)", 0, 0},
    {'t', "to", OPT_STRING, &to, "FORMAT", "svg or png; of a map also html or tsv (default: by the suffix\nof FILE, or svg)", 0, 0},
    {0, "title", OPT_STRING, &q.title, "TEXT", "a title", 0, 0},
    {0, "width", OPT_INT, &q.width, "N", "pixels (default 800)", 200, 8000},
    {0, "scale", OPT_DOUBLE, &scale, "X", "of a PNG: its pixels to one of --width (default 2)", 0.25, 8},
    {0, "labels", OPT_STRING, &q.labels, "LIST", "names of the inputs (default: their files')", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "curves:", 0, 0},
    {0, "panels", OPT_STRING, &q.panels, "LIST", "the log's values, such as loss,knn,lr (default: those that are there)", 0, 0},
    {0, "x", OPT_STRING, &q.x, "NAME", "step or images (default: step)", 0, 0},
    {0, "smooth", OPT_INT, &q.smooth, "N", "draw means of N values, half before and half after", 1, 1e6},
    {0, "log-scale", OPT_FLAG, &q.log_scale, NULL, "a logarithmic scale for values", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "bars:", 0, 0},
    {0, "value", OPT_STRING, &q.value, "COLUMN", "how long a bar is (default: accuracy)", 0, 0},
    {0, "group", OPT_STRING, &q.group, "LIST", "columns that tell groups of bars apart (default: data, pretraining\nand encoder; of ssl-probe's tables: the file)", 0, 0},
    {0, "series", OPT_STRING, &q.series, "LIST", "columns that tell the bars of a group apart (default: method,\nsetting and labels)", 0, 0},
    {0, "where", OPT_LIST, &q.where, "COLUMN=VALUE", "only such rows; may be given several times", 0, 0},
    {0, "sort", OPT_FLAG, &q.sort, NULL, "the longest bars first (default: in the order of the rows)", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "confusion:", 0, 0},
    {0, "counts", OPT_FLAG, &q.counts, NULL, "numbers of images (default: % of the true class)", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "neighbours:", 0, 0},
    {0, "queries", OPT_INT, &q.queries, "N", "images that are looked up (default 8)", 1, 1000},
    {0, "key", OPT_LIST, &q.keys, "KEY", "look up this image; may be given several times", 0, 0},
    {'k', "neighbours", OPT_INT, &q.neighbours, "N", "of each (default 8)", 1, 100},
    {0, "of", OPT_STRING, &q.query_split, "SPLIT", "look up images of this split (default: test, where there is train too)", 0, 0},
    {0, "among", OPT_STRING, &q.among_split, "SPLIT", "among images of this one (default: train, where there is test too)", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "map:", 0, 0},
    {0, "html", OPT_FLAG, &html, NULL, "a page to wander in, in one file", 0, 0},
    {'m', "method", OPT_STRING, &q.method, "NAME", "tsne or pca (default: tsne)", 0, 0},
    {0, "perplexity", OPT_DOUBLE, &q.perplexity, "X", "how many neighbours count, of t-SNE (default 30)", 1.5, 1000},
    {0, "iterations", OPT_INT, &q.iterations, "N", "of t-SNE (default 1000)", 4, 100000},
    {0, "colour", OPT_STRING, &q.colour, "NAME", "class, split or cluster (default: class)", 0, 0},
    {0, "clusters", OPT_STRING, &q.clusters, "FILE", "the samples' clusters, from ssl-cluster", 0, 0},
    {0, "thumbnails", OPT_FLAG, &q.thumbnails, NULL, "draw images in place of points", 0, 0},
    {0, "thumbnail-size", OPT_INT, &q.thumbnail_size, "N", "of an image, in pixels (default 32)", 8, 256},
    {0, NULL, OPT_SECTION, NULL, NULL, "Pictures of embeddings:", 0, 0},
    {0, "limit", OPT_INT, &q.limit, "N", "take N samples, drawn at random (default: all)", 4, 1e9},
    {0, "seed", OPT_INT, &q.seed, "N", "of what is drawn at random (default 0)", 0, 9e18},
    {'j', "jobs", OPT_INT, &q.threads, "N", "threads (default: the processors at hand); the picture does not\ndepend on it", 1, 1024},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

static int list(FILE *f, err *e)
{
    (void)e;
    plot_list(f);
    return 0;
}

static int unknown(const char *name, err *e)
{
    const char *names[16];
    int n = 0;

    for (; plot_kinds[n]; n++)
        names[n] = plot_kinds[n]->name;
    const char *near = opt_nearest(name, names, n);
    if (near)
        return err_set(e, ERR_USAGE, "there is no picture '%s'; did you mean '%s'?", name, near);
    return err_set(e, ERR_USAGE, "there is no picture '%s'; --list names them", name);
}

/* ---- Options belong to kinds ------------------------------------------------------------ */

static int misplaced(const plot_kind *k, err *e)
{
    const struct { bool given; const char *name, *kinds; } use[] = {
        {q.panels, "panels", "curves"}, {q.x, "x", "curves"}, {q.smooth, "smooth", "curves"}, {q.log_scale, "log-scale", "curves"},
        {q.value, "value", "bars"}, {q.group, "group", "bars"}, {q.series, "series", "bars"}, {q.sort, "sort", "bars"},
        {q.where.n > 0, "where", "bars confusion"}, {q.labels, "labels", "curves bars"},
        {q.counts, "counts", "confusion"}, {q.queries, "queries", "neighbours"}, {q.keys.n > 0, "key", "neighbours"},
        {q.neighbours, "neighbours", "neighbours map"}, {q.query_split, "of", "neighbours"}, {q.among_split, "among", "neighbours"},
        {q.method, "method", "map"}, {!isnan(q.perplexity), "perplexity", "map"}, {q.iterations, "iterations", "map"},
        {q.colour, "colour", "map"}, {q.clusters, "clusters", "map"}, {q.thumbnails, "thumbnails", "map"},
        {q.thumbnail_size, "thumbnail-size", "map"}, {html, "html", "map"},
        {q.limit, "limit", "neighbours map"}, {q.seed >= 0, "seed", "neighbours map"}, {q.threads, "jobs", "neighbours map"},
    };

    for (size_t i = 0; i < sizeof use / sizeof *use; i++)
        if (use[i].given && !strstr(use[i].kinds, k->name))
            return err_set(e, ERR_USAGE, "option '--%s' is not for '%s'", use[i].name, k->name);
    return 0;
}

/* What to write: "svg", "png", or, where the kind has them, "html" and "tsv". */
static int format(const plot_kind *k, const char **f, err *e)
{
    const char *dot = output ? strrchr(output, '.') : NULL;

    if (html && to && strcmp(to, "html") != 0)
        return err_set(e, ERR_USAGE, "--html and --to %s exclude each other", to);
    *f = html ? "html" : to ? to : dot && !strchr(dot, '/') ? dot + 1 : "svg";
    if (strcmp(*f, "svg") == 0 || strcmp(*f, "png") == 0 || (k->page && strcmp(*f, "html") == 0) || (k->table && strcmp(*f, "tsv") == 0))
        return 0;
    if (strcmp(*f, "html") == 0 || strcmp(*f, "tsv") == 0)
        return err_set(e, ERR_USAGE, "'%s' is drawn as svg or png, not as %s", k->name, *f);
    return err_set(e, ERR_USAGE, "'%s' is no format; there are svg and png%s", *f, k->page ? ", html and tsv" : "");
}

/* ---- Drawing ------------------------------------------------------------------------------ */

static int draw(const plot_kind *k, const char *form, buf *b, err *e)
{
    svg s;
    double height = 0;
    int rc;

    if (strcmp(form, "html") == 0)
        return k->page(&q, b, e);
    if (strcmp(form, "tsv") == 0)
        return k->table(&q, b, e);
    svg_begin(&s, (double)q.width);
    rc = k->draw(&q, &s, &height, e);
    if (rc == 0)
        rc = svg_end(&s, ceil(height), q.title ? q.title : k->help, e);
    if (rc == 0 && strcmp(form, "png") == 0)
        rc = svg_png(s.b.p, s.b.n, isnan(scale) ? 2 : scale, b, e);
    else if (rc == 0)
        rc = buf_add(b, s.b.p, s.b.n, e);
    svg_clear(&s);
    return rc;
}

static void note(void *arg, const char *text)
{
    tool_note(arg, "%s", text);
}

static int run(tool *t, err *e)
{
    static const char *const standard[] = {"-"};
    const plot_kind *k = plot_find(t->operands[0]);
    const char *form = "svg";
    buf b = {0};

    if (!k)
        return unknown(t->operands[0], e);
    if (misplaced(k, e) || format(k, &form, e))
        return -1;
    q.inputs = t->n_operands > 1 ? (const char *const *)t->operands + 1 : standard;
    q.n_inputs = t->n_operands > 1 ? t->n_operands - 1 : 1;
    q.in_fd = t->in_fd;
    q.width = q.width ? q.width : WIDTH;
    q.seed = q.seed >= 0 ? q.seed : 0;
    q.threads = q.threads ? q.threads : pool_cpus();
    q.tool = t->name;
    q.quiet = t->quiet;
    q.note = note;
    q.arg = t;
    int rc = t->dry_run ? 0 : draw(k, form, &b, e);
    if (rc == 0 && !t->dry_run)
        rc = tool_write(t, output ? output : "-", &b, e);
    buf_free(&b);
    free(q.where.v);
    free(q.keys.v);
    return rc;
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-plot",
        .synopsis = "PICTURE [option ...] [file ...]",
        .about = "Draw logs, results and embeddings, as SVG, PNG or a page of HTML.  PICTURE is one of --list.",
        .opts = opts,
        .examples = "  ssl-plot curves simclr.log byol.log -o curves.svg\n"
                    "  ssl-plot bars pipelines/results/*.tsv -o results.png\n"
                    "  ssl-probe --confusion photos.emb | ssl-plot confusion -o confusion.svg\n"
                    "  ssl-load photos/ --size 32 | ssl-embed -m rot.model --keep | ssl-plot neighbours -o near.png\n"
                    "  ssl-plot map photos.emb -o map.svg\n"
                    "  ssl-plot map photos.emb --html -o map.html\n",
        .min_operands = 1,
        .max_operands = -1,
        .run = run,
        .list = list,
    };
    return tool_main(&t, argc, argv);
}
