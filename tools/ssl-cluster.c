/* ssl-cluster: embeddings in, cluster assignments out. */
#include "tool.h"

#include "base/io.h"
#include "base/names.h"
#include "base/pool.h"
#include "base/progress.h"
#include "eval/agreement.h"
#include "eval/kmeans.h"
#include "eval/pca.h"
#include "eval/sinkhorn.h"
#include "stream/assignments.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Length of an embedding: sums of the squares of a million of them are still floats. */
#define LARGEST 1e15

static const char *method = "kmeans", *start, *previous, *report;
static int64_t clusters, iterations, pca, heads = 1, seed = -1, threads;
static bool whiten, l2;
static double lambda = NAN, tolerance = NAN;

static const opt opts[] = {
    {'m', "method", OPT_STRING, &method, "NAME", "kmeans or sinkhorn (default kmeans)", 0, 0},
    {'k', "clusters", OPT_INT, &clusters, "N", "how many clusters (default: 100; with sinkhorn, the numbers of an\nembedding divided by the heads)", 1, 1 << 24},
    {0, "iterations", OPT_INT, &iterations, "N", "at most (default: 20; 1000 with sinkhorn)", 1, 1e9},
    {'s', "seed", OPT_INT, &seed, "N", "of the start (default: the input's)", 0, 9e18},
    {0, NULL, OPT_SECTION, NULL, NULL, "Before kmeans, in this order:", 0, 0},
    {0, "pca", OPT_INT, &pca, "N", "keep N principal components", 1, 1 << 20},
    {0, "whiten", OPT_FLAG, &whiten, NULL, "give each principal component the variance 1", 0, 0},
    {0, "l2", OPT_FLAG, &l2, NULL, "scale each embedding to length 1", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "Of kmeans:", 0, 0},
    {0, "init", OPT_STRING, &start, "NAME", "kmeans++ or random (default kmeans++)", 0, 0},
    {0, NULL, OPT_SECTION, NULL, NULL, "Of sinkhorn, whose embeddings are logits:", 0, 0},
    {0, "heads", OPT_INT, &heads, "N", "the embedding is the logits of N heads, each clustered by itself\n(default 1)", 1, 4096},
    {0, "lambda", OPT_DOUBLE, &lambda, "X", "how sharp the assignment is (default 10)", 1e-6, 1e6},
    {0, "tolerance", OPT_DOUBLE, &tolerance, "X", "stop when the columns are off by so much in all (default 0.01)", 0, 1e6},
    {0, NULL, OPT_SECTION, NULL, NULL, "Records:", 0, 0},
    {0, "report", OPT_STRING, &report, "FILE", "write objective, sizes, NMI, ARI and matched accuracy as a table", 0, 0},
    {0, "previous", OPT_STRING, &previous, "FILE", "earlier assignments, to report the NMI with", 0, 0},
    {'j', "jobs", OPT_INT, &threads, "N", "threads (default: the processors at hand); the output does not\ndepend on it", 1, 1024},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

static int list(FILE *f, err *e)
{
    (void)e;
    fputs("kmeans    Lloyd's iterations from a k-means++ or a random start\n"
          "sinkhorn  clusters of equal size from the logits of a model's heads, by optimal transport\n", f);
    return 0;
}

/* ---- What comes in ------------------------------------------------------------------ */

typedef struct item {
    frame f;       /* what is passed on, begun */
    int32_t class; /* a number in `classes`, or -1 */
    int before;    /* the previous cluster of the first head, or -1 */
} item;

/* What was found for one head. */
typedef struct finding {
    double objective;
    int iterations;
    int64_t *size; /* [clusters] */
    double nmi, ari, matched, nmi_before; /* -1: not known */
} finding;

typedef struct run {
    tool *t;
    reader *in;
    header h;
    name_set classes, keys;
    assignments before;
    size_t n, cap, dim;
    item *items;
    float *x; /* [n][dim], with room for PCA_PADDING more */
    int K;
    int32_t *cluster; /* [n][heads] */
    int64_t labelled, joined;
    finding *found; /* [heads] */
    progress bar;
} run;

static int grow(run *r, err *e)
{
    if (r->n < r->cap)
        return 0;
    size_t cap = r->cap ? 2 * r->cap : 256;
    if (cap > UINT32_MAX)
        return err_set(e, ERR_INPUT, "more than %" PRIu32 " samples", UINT32_MAX);
    item *items = realloc(r->items, cap * sizeof *items);
    if (!items)
        return err_nomem(e);
    memset(items + r->cap, 0, (cap - r->cap) * sizeof *items);
    r->items = items;
    float *x = realloc(r->x, (cap * r->dim + PCA_PADDING) * sizeof *x);
    if (!x)
        return err_nomem(e);
    r->x = x;
    r->cap = cap;
    return 0;
}

/* The number of the sample's class by its name, so that a stream without a list of classes has them too; -1: none. */
static int class_of(run *r, const sample *s, int32_t *class, err *e)
{
    const field *f = sample_find(s, "class");
    const value *known = reader_header(r->in)->classes;
    int64_t label = sample_int(s, "label", -1);

    *class = -1;
    if (f && f->type == FIELD_STR)
        *class = names_number(&r->classes, f->str.p, f->str.n, e);
    else if (known && label >= 0 && (size_t)label < known->n)
        *class = names_number(&r->classes, known->child[label]->s, known->child[label]->n, e);
    else
        return 0;
    return *class < 0 ? -1 : 0;
}

/* By which others will look the cluster up: so there is one, and one of a kind. */
static int check_key(run *r, const sample *s, err *e)
{
    const field *key = sample_find(s, "key");
    int known = r->keys.n;

    if (!key || key->type != FIELD_STR)
        return err_set(e, ERR_INPUT, "no key, by which its cluster could be found");
    int at = names_number(&r->keys, key->str.p, key->str.n, e);
    if (at < 0)
        return -1;
    return at < known ? err_set(e, ERR_INPUT, "the key has come before") : 0;
}

static int add(run *r, const sample *s, err *e)
{
    const tensor *t = sample_tensor(s, "embedding", DT_F4, 1, e);
    const int32_t *before = previous ? assignments_of(&r->before, s) : NULL;

    if (!t)
        return -1;
    if (sample_int(s, "epoch", 0) > 0)
        return err_set(e, ERR_INPUT, "a second epoch; each image is taken once");
    if (check_key(r, s, e))
        return -1;
    if (r->n == 0 && t->shape[0] > 0 && t->shape[0] < 1 << 24)
        r->dim = (size_t)t->shape[0];
    if (r->dim == 0 || t->shape[0] != (int64_t)r->dim)
        return err_set(e, ERR_INPUT, "an embedding of %" PRId64 " numbers%s", t->shape[0], r->dim ? "; those before have another length" : "");
    if (grow(r, e))
        return -1;
    item *to = &r->items[r->n];
    float *x = r->x + r->n * r->dim;
    memcpy(x, t->data, t->bytes);
    double square = 0;
    for (size_t d = 0; d < r->dim; d++)
        square += (double)x[d] * x[d];
    if (!isfinite(square))
        return err_set(e, ERR_INPUT, "the embedding is not finite (NaN or infinity)");
    if (square > LARGEST * LARGEST)
        return err_set(e, ERR_INPUT, "the embedding is %.3g long; squares beyond those of %g have no room in float32", sqrt(square), LARGEST);
    if (class_of(r, s, &to->class, e))
        return -1;
    to->before = before ? before[0] : -1;
    frame_begin(&to->f, FRAME_SAMPLE);
    frame_fields_except(&to->f, s, "embedding", "cluster", (char *)NULL);
    r->labelled += to->class >= 0;
    r->joined += before != NULL;
    r->n++;
    return 0;
}

static int read_all(run *r, err *e)
{
    sample s;
    int rc;

    r->in = reader_new(r->t->in_fd, 0, e);
    if (!r->in || header_expect(reader_header(r->in), e, KIND_EMBEDDINGS, (char *)NULL))
        return -1;
    progress_start(&r->bar, 2, r->t->name, "samples", 0, reader_header(r->in)->count, r->t->quiet);
    while ((rc = reader_next(r->in, &s, e)) == 1) {
        if (add(r, &s, e)) {
            rc = reader_where(r->in, e);
            break;
        }
        progress_update(&r->bar, (int64_t)r->n, NULL);
    }
    progress_end(&r->bar);
    if (rc == 0 && r->n == 0)
        return err_set(e, ERR_INPUT, "the stream holds no samples");
    if (rc == 0 && previous && r->joined == 0)
        return err_set(e, ERR_INPUT, "'%s' has none of the input's keys", previous);
    return rc;
}

/* ---- Clustering ---------------------------------------------------------------------- */

static bool is_sinkhorn(void)
{
    return strcmp(method, "sinkhorn") == 0;
}

static void show_iteration(void *arg, int iteration, double objective)
{
    run *r = arg;
    char text[48];

    snprintf(text, sizeof text, "objective %.6g", objective);
    progress_update(&r->bar, iteration, text);
}

static int prepare(run *r, err *e)
{
    size_t k = pca > 0 && (size_t)pca < r->dim ? (size_t)pca : r->dim;

    if (pca > 0 || whiten) {
        if (pca_project(r->x, r->n, r->dim, k, whiten, (int)threads, e))
            return -1;
        r->dim = k;
    }
    if (l2)
        pca_normalise(r->x, r->n, r->dim);
    /* Distances are differences of squares: far from the origin float32 would have no digits left for them. */
    return pca > 0 || whiten ? 0 : pca_centre(r->x, r->n, r->dim, e);
}

static int by_kmeans(run *r, err *e)
{
    kmeans_options o = {.clusters = r->K, .start = strcmp(start, "random") == 0 ? KMEANS_RANDOM : KMEANS_PLUSPLUS,
                        .iterations = (int)iterations, .seed = r->h.seed, .threads = (int)threads, .each = show_iteration,
                        .arg = r};
    kmeans_result found;

    if (prepare(r, e))
        return -1;
    float *centroids = malloc((size_t)r->K * r->dim * sizeof *centroids);
    if (!centroids)
        return err_nomem(e);
    progress_start(&r->bar, 2, r->t->name, "iterations", 0, iterations, r->t->quiet);
    int rc = kmeans_run(r->x, r->n, r->dim, &o, centroids, r->cluster, &found, e);
    progress_end(&r->bar);
    free(centroids);
    r->found[0].objective = found.objective;
    r->found[0].iterations = found.iterations;
    return rc;
}

static int by_sinkhorn(run *r, err *e)
{
    sinkhorn_options o = {.clusters = r->K, .lambda = lambda, .tolerance = tolerance, .iterations = (int)iterations,
                          .threads = (int)threads};
    sinkhorn_result found;
    int rc = 0;

    progress_start(&r->bar, 2, r->t->name, "heads", 0, heads, r->t->quiet);
    for (int64_t i = 0; i < heads && rc == 0; i++) {
        rc = sinkhorn_run(r->x + i * r->K, r->dim, r->n, &o, r->cluster + i, (size_t)heads, &found, e);
        r->found[i].objective = found.objective;
        r->found[i].iterations = found.iterations;
        if (rc == 0 && found.deviation > tolerance)
            tool_note(r->t, "warning: head %" PRId64 ": the columns are off by %.3g after %d iterations", i, found.deviation,
                      found.iterations);
        progress_update(&r->bar, i + 1, NULL);
    }
    progress_end(&r->bar);
    return rc;
}

static int cluster_all(run *r, err *e)
{
    if (is_sinkhorn()) {
        if (r->dim % (size_t)heads)
            return err_set(e, ERR_INPUT, "embeddings of %zu numbers are not the logits of %" PRId64 " heads", r->dim, heads);
        r->K = (int)(r->dim / (size_t)heads);
        if (clusters && clusters != r->K)
            return err_set(e, ERR_INPUT, "the embeddings have logits for %d clusters, not %" PRId64, r->K, clusters);
    } else {
        r->K = (int)(clusters ? clusters : 100);
    }
    if ((size_t)r->K > r->n)
        return err_set(e, ERR_INPUT, "%d clusters of %zu samples", r->K, r->n);
    r->cluster = malloc(r->n * (size_t)heads * sizeof *r->cluster);
    r->found = calloc((size_t)heads, sizeof *r->found);
    if (!r->cluster || !r->found)
        return err_nomem(e);
    for (int64_t i = 0; i < heads; i++)
        if (!(r->found[i].size = calloc((size_t)r->K, sizeof *r->found[i].size)))
            return err_nomem(e);
    return is_sinkhorn() ? by_sinkhorn(r, e) : by_kmeans(r, e);
}

/* ---- What was found --------------------------------------------------------------------- */

static int compare_classes(run *r, finding *f, int64_t head, err *e)
{
    size_t K = (size_t)r->K, C = (size_t)r->classes.n;
    int64_t *table = calloc(K * C, sizeof *table);

    if (!table)
        return err_nomem(e);
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].class >= 0)
            table[(size_t)r->cluster[i * (size_t)heads + (size_t)head] * C + (size_t)r->items[i].class]++;
    f->nmi = agreement_nmi(table, K, C);
    f->ari = agreement_ari(table, K, C);
    f->matched = agreement_matched(table, K, C, e);
    free(table);
    return f->matched < 0 ? -1 : 0;
}

static int compare_previous(run *r, finding *f, err *e)
{
    size_t K = (size_t)r->K, C = (size_t)r->before.clusters;
    int64_t *table = calloc(K * C, sizeof *table);

    if (!table)
        return err_nomem(e);
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].before >= 0)
            table[(size_t)r->cluster[i * (size_t)heads] * C + (size_t)r->items[i].before]++;
    f->nmi_before = agreement_nmi(table, K, C);
    free(table);
    return 0;
}

static int judge(run *r, err *e)
{
    for (int64_t h = 0; h < heads; h++) {
        finding *f = &r->found[h];
        f->nmi = f->ari = f->matched = f->nmi_before = -1;
        for (size_t i = 0; i < r->n; i++)
            f->size[r->cluster[i * (size_t)heads + (size_t)h]]++;
        if (r->labelled > 0 && compare_classes(r, f, h, e))
            return -1;
        if (previous && h == 0 && compare_previous(r, f, e))
            return -1;
    }
    return 0;
}

static void sizes(const run *r, const finding *f, int64_t *least, int64_t *most, int *empty)
{
    *least = INT64_MAX;
    *most = 0;
    *empty = 0;
    for (int k = 0; k < r->K; k++) {
        *least = f->size[k] < *least ? f->size[k] : *least;
        *most = f->size[k] > *most ? f->size[k] : *most;
        *empty += f->size[k] == 0;
    }
}

static void print_score(FILE *f, double v, bool known)
{
    if (known)
        fprintf(f, "\t%.6f", v);
    else
        fputs("\t-", f);
}

static void print_report(const run *r, FILE *f)
{
    fputs("head\tmethod\tclusters\tsamples\titerations\tobjective\tsmallest\tlargest\tempty\tlabelled\tnmi\tari\tmatched\tnmi_previous\n", f);
    for (int64_t h = 0; h < heads; h++) {
        const finding *x = &r->found[h];
        int64_t least, most;
        int empty;
        sizes(r, x, &least, &most, &empty);
        fprintf(f, "%" PRId64 "\t%s\t%d\t%zu\t%d\t%.9g\t%" PRId64 "\t%" PRId64 "\t%d\t%" PRId64, h, method, r->K, r->n,
                x->iterations, x->objective, least, most, empty, r->labelled);
        print_score(f, x->nmi, r->labelled > 0);
        print_score(f, x->ari, r->labelled > 0);
        print_score(f, x->matched, r->labelled > 0);
        print_score(f, x->nmi_before, x->nmi_before >= 0);
        putc('\n', f);
    }
    for (int64_t h = 0; h < heads; h++) {
        fprintf(f, "# sizes of head %" PRId64 ":", h);
        for (int k = 0; k < r->K; k++)
            fprintf(f, " %" PRId64, r->found[h].size[k]);
        putc('\n', f);
    }
}

static int write_report(const run *r, err *e)
{
    out o;

    if (!report)
        return 0;
    if (strcmp(report, "-") == 0)
        return err_set(e, ERR_USAGE, "--report: standard output is for the assignments");
    if (out_open(&o, report, e))
        return -1;
    FILE *f = fdopen(dup(o.fd), "w");
    if (!f) {
        err_sys(e, "cannot write '%s'", report);
        out_abort(&o);
        return -1;
    }
    print_report(r, f);
    bool failed = ferror(f) != 0;
    if (fclose(f) || failed) {
        err_sys(e, "cannot write '%s'", report);
        out_abort(&o);
        return -1;
    }
    return out_commit(&o, e);
}

static void tell(const run *r)
{
    for (int64_t h = 0; h < heads; h++) {
        const finding *x = &r->found[h];
        char scores[96] = "", before[48] = "", head[32] = "";
        int64_t least, most;
        int empty;
        sizes(r, x, &least, &most, &empty);
        if (heads > 1)
            snprintf(head, sizeof head, "head %" PRId64 ": ", h);
        if (r->labelled > 0)
            snprintf(scores, sizeof scores, ", NMI %.4f, ARI %.4f, matched %.4f", x->nmi, x->ari, x->matched);
        if (x->nmi_before >= 0)
            snprintf(before, sizeof before, ", NMI with the previous %.4f", x->nmi_before);
        tool_note(r->t, "%s%d clusters of %" PRId64 " to %" PRId64 " samples, objective %.6g after %d iterations%s%s", head, r->K,
                  least, most, x->objective, x->iterations, scores, before);
        if (empty)
            tool_note(r->t, "warning: %s%d clusters are empty", head, empty);
    }
}

/* ---- What goes out ---------------------------------------------------------------------- */

static value *parameters(const run *r)
{
    value *v = value_map();

    value_set(v, "clusters", value_int(r->K));
    if (is_sinkhorn()) {
        value_set(v, "heads", value_int(heads));
        value_set(v, "iterations", value_int(iterations));
        value_set(v, "lambda", value_float(lambda));
        value_set(v, "method", value_str(method));
        value_set(v, "tolerance", value_float(tolerance));
    } else {
        value_set(v, "init", value_str(start));
        value_set(v, "iterations", value_int(iterations));
        value_set(v, "l2", value_bool(l2));
        value_set(v, "method", value_str(method));
        value_set(v, "pca", pca ? value_int(pca) : value_nil());
        value_set(v, "whiten", value_bool(whiten));
    }
    return v;
}

static int make_header(run *r, err *e)
{
    int64_t shape[1] = {heads};

    if (header_copy(&r->h, reader_header(r->in), e))
        return -1;
    if (seed >= 0)
        r->h.seed = (uint64_t)seed;
    free(r->h.kind);
    r->h.kind = strdup(KIND_ASSIGNMENTS);
    if (!r->h.kind)
        return err_nomem(e);
    header_remove_field(&r->h, "embedding");
    return header_set_field(&r->h, "cluster", dtype_name(DT_I4), 1, shape, e);
}

static int finish_header(run *r, err *e)
{
    if (!r->h.extra)
        r->h.extra = value_map();
    if (!r->h.extra)
        return err_nomem(e);
    value_set(r->h.extra, "clusters", value_int(r->K));
    if (value_failed(r->h.extra))
        return err_nomem(e);
    return history_add(&r->h, "ssl-cluster", parameters(r), NULL, 0, e);
}

static int write_all(run *r, err *e)
{
    int64_t shape[1] = {heads};

    r->t->writes_stream = false;
    writer *w = writer_new(r->t->out_fd, &r->h, e);
    if (!w)
        return -1;
    int rc = 0;
    for (size_t i = 0; i < r->n && rc == 0; i++) {
        frame *f = &r->items[i].f;
        uint8_t *to = frame_tensor(f, "cluster", DT_I4, 1, shape);
        if (to)
            memcpy(to, r->cluster + i * (size_t)heads, (size_t)heads * sizeof *r->cluster);
        rc = frame_end(f, e) || writer_put(w, f, e) ? -1 : 0;
    }
    if (rc == 0)
        rc = writer_finish(w, reader_skipped(r->in), e);
    if (rc)
        writer_abort(w, r->t->name, e);
    writer_free(w);
    return rc;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static void tear_down(run *r)
{
    for (size_t i = 0; i < r->cap && r->items; i++)
        frame_free(&r->items[i].f);
    for (int64_t i = 0; r->found && i < heads; i++)
        free(r->found[i].size);
    free(r->found);
    free(r->items);
    free(r->x);
    free(r->cluster);
    names_clear(&r->classes);
    names_clear(&r->keys);
    assignments_clear(&r->before);
    header_clear(&r->h);
    reader_free(r->in);
}

static int check(const tool *t, err *e)
{
    bool sinkhorn = is_sinkhorn();

    if (!sinkhorn && strcmp(method, "kmeans") != 0)
        return err_set(e, ERR_USAGE, "unknown method '%s'; it may be kmeans or sinkhorn", method);
    if (start && strcmp(start, "kmeans++") != 0 && strcmp(start, "random") != 0)
        return err_set(e, ERR_USAGE, "--init takes kmeans++ or random, not '%s'", start);
    if (sinkhorn && (pca || whiten || l2))
        return err_set(e, ERR_USAGE, "--pca, --whiten and --l2 are for kmeans: sinkhorn takes logits");
    if (sinkhorn && start)
        return err_set(e, ERR_USAGE, "--init is for kmeans: sinkhorn has no random start");
    if (!sinkhorn && (heads > 1 || !isnan(lambda) || !isnan(tolerance)))
        return err_set(e, ERR_USAGE, "--heads, --lambda and --tolerance are for --method sinkhorn");
    if (!t->dry_run && isatty(t->out_fd))
        return err_set(e, ERR_USAGE, "assignments are no text for a terminal; redirect standard output");
    return 0;
}

static int run_cluster(tool *t, err *e)
{
    run r = {.t = t};
    int rc = check(t, e);

    if (rc || t->dry_run)
        return rc;
    if (!threads)
        threads = pool_cpus();
    start = start ? start : "kmeans++";
    iterations = iterations ? iterations : is_sinkhorn() ? 1000 : 20;
    lambda = isnan(lambda) ? 10 : lambda;
    tolerance = isnan(tolerance) ? 0.01 : tolerance;
    rc = -1;
    if ((!previous || assignments_load(&r.before, previous, e) == 0) && read_all(&r, e) == 0 && make_header(&r, e) == 0 &&
        cluster_all(&r, e) == 0 && judge(&r, e) == 0 && finish_header(&r, e) == 0 && write_report(&r, e) == 0) {
        tell(&r);
        rc = write_all(&r, e);
    }
    tear_down(&r);
    return rc;
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-cluster",
        .synopsis = "[option ...] < EMBEDDINGS > ASSIGNMENTS",
        .about = "Groups embeddings into clusters and writes the cluster of each, by its key.",
        .opts = opts,
        .examples = "  ssl-load photos --size 32 | ssl-embed -m a.model | ssl-cluster -k 100 --pca 64 --whiten --l2 >a.clusters\n"
                    "  ssl-load photos --size 32 | ssl-pretext cluster --assign a.clusters |\n"
                    "    ssl-train --init a.model -o b.model\n"
                    "  ssl-load photos --size 32 | ssl-embed -m b.model --layer head | ssl-cluster -m sinkhorn >b.clusters\n",
        .writes_stream = true,
        .run = run_cluster,
        .list = list,
    };

    return tool_main(&t, argc, argv);
}
