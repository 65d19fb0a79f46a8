/* ssl-probe: what embeddings are worth: linear and nearest-neighbour accuracy. */
#include "tool.h"

#include "base/io.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/version.h"
#include "eval/embeddings.h"
#include "eval/knn.h"
#include "eval/linear.h"
#include "eval/plan.h"
#include "eval/scores.h"
#include "eval/split.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LIST = 32, DEFAULT_FOLDS = 5 };

static const char *methods = "linear,knn", *ks = "20,200", *label_counts = "all", *test_split, *output;
static int64_t draws = 5, folds, seed = -1, threads;
static double temperature = 0.07, l2 = NAN;
static bool confusion, json;

static const opt opts[] = {
    {0, NULL, OPT_SECTION, NULL, NULL, "What is measured:", 0, 0},
    {'m', "method", OPT_STRING, &methods, "LIST", "linear, knn or both (default: linear,knn)", 0, 0},
    {'k', "neighbors", OPT_STRING, &ks, "LIST", "neighbours of knn (default: 20,200; those that the training\nsamples allow)", 0, 0},
    {0, "temperature", OPT_DOUBLE, &temperature, "T", "of knn's votes, exp(similarity / T) (default: 0.07)", 1e-6, 1e6},
    {0, "l2", OPT_DOUBLE, &l2, "X", "L2 strength of linear (default: chosen on val, or on held-out\ntraining samples)", 0, 1e6},
    {0, "labels-per-class", OPT_STRING, &label_counts, "LIST", "train on so many samples of each class, drawn several times;\nall: on all of them (default: all)", 0, 0},
    {0, "draws", OPT_INT, &draws, "N", "draws for each number of labels (default: 5)", 1, 1000},
    {0, NULL, OPT_SECTION, NULL, NULL, "Who trains and who is tested:", 0, 0},
    {0, "test", OPT_STRING, &test_split, "SPLIT", "the split to test on (default: test)", 0, 0},
    {0, "folds", OPT_INT, &folds, "N", "cross-validate over all samples, whatever their split\n(default: 5 folds where no sample has a split)", 2, 1000},
    {0, "seed", OPT_INT, &seed, "N", "of folds, draws and held-out samples (default: the input's)", 0, 9e18},
    {0, NULL, OPT_SECTION, NULL, NULL, "Output:", 0, 0},
    {'o', "output", OPT_STRING, &output, "FILE", "write there instead of to standard output", 0, 0},
    {0, "json", OPT_FLAG, &json, NULL, "one JSON object instead of a table", 0, 0},
    {0, "confusion", OPT_FLAG, &confusion, NULL, "add the confusion matrices (in a table: as comment lines)", 0, 0},
    {'j', "jobs", OPT_INT, &threads, "N", "threads (default: the processors at hand); the output does not\ndepend on it", 1, 1024},
    {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
};

static const struct { const char *name, *what; } method_table[] = {
    {"linear", "logistic regression on standardised features, the L2 strength chosen without the test samples"},
    {"knn", "weighted votes of the nearest training samples by cosine similarity"},
};

static int list(FILE *f, err *e)
{
    (void)e;
    for (size_t i = 0; i < sizeof method_table / sizeof *method_table; i++)
        fprintf(f, "%-8s  %s\n", method_table[i].name, method_table[i].what);
    return 0;
}

/* ---- The command line ---------------------------------------------------------- */

typedef struct request {
    bool linear, knn;
    int n_k, k[MAX_LIST];
    int n_labels, labels[MAX_LIST]; /* 0: all */
} request;

static int next_word(const char **s, char *word, size_t size)
{
    size_t n = strcspn(*s, ",");

    if (n >= size)
        n = size - 1;
    memcpy(word, *s, n);
    word[n] = '\0';
    *s += strcspn(*s, ",");
    return *(*s) ? (*s)++, 1 : 0;
}

/* Whole numbers from 1, without repetitions; `zero` (may be NULL) is the word for 0. */
static int parse_numbers(const char *name, const char *s, const char *zero, int *v, int *n, err *e)
{
    char word[32];
    int more;

    do {
        int64_t x = 0;
        more = next_word(&s, word, sizeof word);
        if (!(zero && strcmp(word, zero) == 0) && (opt_int(word, &x) || x < 1 || x > 1000000000))
            return err_set(e, ERR_USAGE, "option '--%s': '%s' is not a whole number above 0", name, word);
        if (*n == MAX_LIST)
            return err_set(e, ERR_USAGE, "option '--%s': more than %d numbers", name, MAX_LIST);
        for (int i = 0; i < *n; i++)
            if (v[i] == x)
                return err_set(e, ERR_USAGE, "option '--%s': '%s' is given twice", name, word);
        v[(*n)++] = (int)x;
    } while (more);
    return 0;
}

static int parse_methods(const char *s, request *q, err *e)
{
    char word[32];
    int more;

    do {
        more = next_word(&s, word, sizeof word);
        bool *which = strcmp(word, "linear") == 0 ? &q->linear : strcmp(word, "knn") == 0 ? &q->knn : NULL;
        if (!which)
            return err_set(e, ERR_USAGE, "option '--method': '%s' is not one of linear, knn", word);
        *which = true;
    } while (more);
    return 0;
}

static int parse(const tool *t, request *q, err *e)
{
    if (parse_methods(methods, q, e) || parse_numbers("neighbors", ks, NULL, q->k, &q->n_k, e) ||
        parse_numbers("labels-per-class", label_counts, "all", q->labels, &q->n_labels, e))
        return -1;
    if (folds && test_split)
        return err_set(e, ERR_USAGE, "--folds and --test exclude each other");
    if (folds && t->n_operands == 2)
        return err_set(e, ERR_USAGE, "--folds takes one stream");
    if (t->n_operands == 2 && strcmp(t->operands[0], "-") == 0 && strcmp(t->operands[1], "-") == 0)
        return err_set(e, ERR_USAGE, "standard input cannot be both streams");
    return 0;
}

/* ---- Input ------------------------------------------------------------------------ */

typedef struct source {
    const char *name;
    header h;
    char digest[65];
    size_t from, n; /* its rows of the table */
} source;

static int read_source(const tool *t, source *s, embeddings *table, err *e)
{
    bool standard = strcmp(s->name, "-") == 0;
    int fd = standard ? t->in_fd : io_open_read(s->name, e), rc = -1;
    reader *r = fd >= 0 ? reader_new(fd, 0, e) : NULL;
    progress bar;

    if (!r)
        goto out;
    s->from = table->n;
    progress_start(&bar, 2, t->name, "samples", 0, reader_header(r)->count, t->quiet);
    rc = embeddings_read(table, r, &bar, e);
    progress_end(&bar);
    s->n = table->n - s->from;
    if (rc == 0)
        rc = header_copy(&s->h, reader_header(r), e);
    if (rc == 0)
        snprintf(s->digest, sizeof s->digest, "%s", reader_digest(r));
out:
    reader_free(r);
    if (fd >= 0 && !standard)
        close(fd);
    return rc && !standard ? err_prefix(e, "%s", s->name) : rc;
}

static bool any_split(const embeddings *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->split[i] >= 0)
            return true;
    return false;
}

static int make_plan(const tool *t, plan *p, const embeddings *table, const source *sources, int n, err *e)
{
    const char *test = test_split ? test_split : "test";
    int rc;

    if (table->n == 0)
        return err_set(e, ERR_INPUT, "no labelled sample in the input");
    if (n == 2)
        rc = plan_streams(p, table, sources[1].from, test, e);
    else if (folds || (!test_split && !any_split(table)))
        rc = plan_folds(p, table, (int)(folds ? folds : DEFAULT_FOLDS), (uint64_t)seed, e);
    else
        rc = plan_splits(p, table, test, e);
    if (rc == 0 && p->unused)
        tool_note(t, "%zu samples are in neither train, val nor %s and are left out", p->unused, test);
    return rc;
}

/* ---- Measuring ---------------------------------------------------------------------- */

/* One line of the table. */
typedef struct result {
    const char *method;
    char setting[32];
    int labels, draws, folds;
    double accuracy, macro_f1;
    interval between;
    const char *interval; /* how it was made: "wilson" or "t" */
    size_t n_train, n_test;
    double *accuracies; /* [draws]; owned */
    double *l2;         /* [draws * folds] for linear, or NULL; owned */
    int64_t *confusion; /* [classes][classes], summed over draws, or NULL; owned */
} result;

typedef struct probe {
    const tool *t;
    const request *q;
    plan plan;
    features f;
    size_t n_test;
    int32_t *truth;     /* [n_test], part after part */
    int32_t *predicted; /* [settings][n_test] of one draw */
    uint32_t *drawn;    /* training rows of a draw */
    int64_t *counts;    /* a confusion matrix */
    int unconverged;
    progress bar;
    int64_t fits;
    char doing[64];
    result *results; /* [n_results] */
    int n_results;
} probe;

static void fitted(void *arg)
{
    probe *p = arg;

    progress_update(&p->bar, ++p->fits, p->doing);
}

/* The rows that a part trains on: all of them, or a draw. */
static int training_rows(probe *p, const plan_part *part, int labels, int draw, rows *train, err *e)
{
    int scarce;
    size_t n;

    *train = part->train;
    if (labels == 0)
        return 0;
    if (split_draw(&p->f, part->train, labels, rng_mix(rng_mix_str((uint64_t)seed, "draw"), (uint64_t)draw), p->drawn, &n,
                   &scarce, e)) {
        return scarce < 0 ? -1 : err_set(e, ERR_INPUT, "class '%s' has fewer than %d training samples", p->plan.classes[scarce], labels);
    }
    *train = (rows){p->drawn, n};
    return 0;
}

/* One draw of one part into predicted[setting * n_test + at ...]. */
static int predict_linear(probe *p, const plan_part *part, rows train, size_t at, bool few, double *used, err *e)
{
    linear_options o = {.l2 = l2, .seed = rng_mix_str((uint64_t)seed, "held out"), .threads = (int)threads, .fitted = fitted, .arg = p};
    /* A few labels are all the labels that there are: val would be many more. */
    rows val = few ? (rows){NULL, 0} : part->val;

    return linear_probe(&p->f, train, val, part->test, &o, p->predicted + at, used, &p->unconverged, e);
}

static int predict_knn(probe *p, const plan_part *part, rows train, size_t at, const int *k, int n_k, err *e)
{
    size_t n = part->test.n;
    int32_t *found = malloc((size_t)n_k * n * sizeof *found);

    if (!found)
        return err_nomem(e);
    int rc = knn_predict(&p->f, train, part->test, k, n_k, temperature, (int)threads, found, e);
    for (int j = 0; rc == 0 && j < n_k; j++)
        memcpy(p->predicted + (size_t)j * p->n_test + at, found + (size_t)j * n, n * sizeof *found);
    free(found);
    fitted(p);
    return rc;
}

static int new_result(probe *p, result *r, const char *method, int labels, err *e)
{
    size_t classes = (size_t)p->f.classes;

    *r = (result){.method = method, .labels = labels, .draws = labels ? (int)draws : 1, .folds = p->plan.n, .n_test = p->n_test,
                  .n_train = SIZE_MAX};
    r->accuracies = calloc((size_t)r->draws, sizeof *r->accuracies);
    if (confusion)
        r->confusion = calloc(classes * classes, sizeof *r->confusion);
    return r->accuracies && (r->confusion || !confusion) ? 0 : err_nomem(e);
}

static void score_draw(probe *p, result *r, int draw, const int32_t *predicted)
{
    int classes = p->f.classes;
    size_t cells = (size_t)classes * (size_t)classes;

    memset(p->counts, 0, cells * sizeof *p->counts);
    scores_count(p->counts, classes, p->truth, predicted, p->n_test);
    int64_t correct = scores_correct(p->counts, classes);
    r->accuracies[draw] = (double)correct / (double)p->n_test;
    r->macro_f1 += scores_macro_f1(p->counts, classes) / r->draws;
    for (size_t i = 0; r->confusion && i < cells; i++)
        r->confusion[i] += p->counts[i];
    r->accuracy = r->accuracies[0];
    r->between = scores_wilson(correct, (int64_t)p->n_test);
    r->interval = "wilson";
    if (r->draws > 1 && draw == r->draws - 1) {
        r->between = scores_mean(r->accuracies, r->draws, &r->accuracy);
        r->interval = "t";
    }
}

/* The results of one method with one number of labels: one for linear, one for each k for knn. */
static int measure(probe *p, bool linear, int labels, const int *k, int n_settings, err *e)
{
    result *first = p->results + p->n_results;

    for (int j = 0; j < n_settings; j++) {
        result *r = &first[j];
        p->n_results++; /* also of a failed one: the caller frees them all */
        if (new_result(p, r, linear ? "linear" : "knn", labels, e))
            return -1;
        if (!linear)
            snprintf(r->setting, sizeof r->setting, "k=%d", k[j]);
        else if (isnan(l2))
            snprintf(r->setting, sizeof r->setting, "l2=auto");
        else
            snprintf(r->setting, sizeof r->setting, "l2=%g", l2);
        if (linear && !(r->l2 = calloc((size_t)r->draws * (size_t)r->folds, sizeof *r->l2)))
            return err_nomem(e);
    }
    snprintf(p->doing, sizeof p->doing, "%s", first->method);
    if (labels)
        snprintf(p->doing, sizeof p->doing, "%s, %d labels a class", first->method, labels);
    for (int draw = 0; draw < first->draws; draw++) {
        size_t at = 0;
        for (int i = 0; i < p->plan.n; i++) {
            const plan_part *part = &p->plan.parts[i];
            rows train;
            if (training_rows(p, part, labels, draw, &train, e))
                return -1;
            if (linear ? predict_linear(p, part, train, at, labels > 0, &first->l2[draw * p->plan.n + i], e)
                       : predict_knn(p, part, train, at, k, n_settings, e))
                return -1;
            at += part->test.n;
            for (int j = 0; j < n_settings; j++)
                first[j].n_train = train.n < first[j].n_train ? train.n : first[j].n_train;
        }
        for (int j = 0; j < n_settings; j++)
            score_draw(p, &first[j], draw, p->predicted + (size_t)j * p->n_test);
    }
    return 0;
}

/* Those k that the training rows of every part allow. */
static int allowed_ks(const probe *p, int labels, int *k)
{
    size_t least = SIZE_MAX;
    int n = 0;

    for (int i = 0; i < p->plan.n; i++) {
        size_t have = labels ? (size_t)labels * (size_t)p->f.classes : p->plan.parts[i].train.n;
        least = have < least ? have : least;
    }
    for (int j = 0; j < p->q->n_k; j++)
        if ((size_t)p->q->k[j] <= least)
            k[n++] = p->q->k[j];
        else
            tool_note(p->t, "knn with k=%d is left out: %zu training samples", p->q->k[j], least);
    return n;
}

static int measure_all(probe *p, err *e)
{
    int k[MAX_LIST];

    for (int i = 0; i < p->q->n_labels; i++) {
        int labels = p->q->labels[i];
        if (p->q->linear && measure(p, true, labels, NULL, 1, e))
            return -1;
        int n = p->q->knn ? allowed_ks(p, labels, k) : 0;
        if (n && measure(p, false, labels, k, n, e))
            return -1;
    }
    if (p->n_results == 0)
        return err_set(e, ERR_INPUT, "too few training samples for every k; name a smaller one with --neighbors");
    return 0;
}

static int probe_init(probe *p, const embeddings *table, err *e)
{
    size_t most = 0, at = 0, classes;

    p->f = plan_features(&p->plan, table);
    classes = (size_t)p->f.classes;
    for (int i = 0; i < p->plan.n; i++) {
        p->n_test += p->plan.parts[i].test.n;
        most = p->plan.parts[i].train.n > most ? p->plan.parts[i].train.n : most;
    }
    p->truth = malloc(p->n_test * sizeof *p->truth);
    p->predicted = malloc((size_t)p->q->n_k * p->n_test * sizeof *p->predicted);
    p->drawn = malloc(most * sizeof *p->drawn);
    p->counts = malloc(classes * classes * sizeof *p->counts);
    p->results = calloc((size_t)p->q->n_labels * ((size_t)p->q->n_k + 1), sizeof *p->results);
    if (!p->truth || !p->predicted || !p->drawn || !p->counts || !p->results)
        return err_nomem(e);
    for (int i = 0; i < p->plan.n; i++) {
        rows test = p->plan.parts[i].test;
        for (size_t j = 0; j < test.n; j++)
            p->truth[at++] = p->f.label[test.v[j]];
    }
    return 0;
}

static void probe_clear(probe *p)
{
    for (int i = 0; i < p->n_results; i++) {
        free(p->results[i].accuracies);
        free(p->results[i].l2);
        free(p->results[i].confusion);
    }
    free(p->results);
    free(p->truth);
    free(p->predicted);
    free(p->drawn);
    free(p->counts);
    plan_clear(&p->plan);
}

/* ---- Output ------------------------------------------------------------------------- */

/* A name in a table: what would break the line is percent-escaped. */
static void add_name(buf *b, const char *s, err *e)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127 || *s == '%')
            buf_addf(b, e, "%%%02X", (unsigned char)*s);
        else
            buf_add(b, s, 1, e);
}

static const char *labels_text(const result *r, char text[16])
{
    snprintf(text, 16, "%d", r->labels);
    return r->labels ? text : "all";
}

static void add_confusion(buf *b, const probe *p, const result *r, err *e)
{
    int n = p->f.classes;
    char labels[16];

    buf_addf(b, e, "# confusion\t%s\t%s\t%s\n# true \\ predicted", r->method, r->setting, labels_text(r, labels));
    for (int c = 0; c < n; c++) {
        buf_add(b, "\t", 1, e);
        add_name(b, p->plan.classes[c], e);
    }
    for (int c = 0; c < n; c++) {
        buf_add(b, "\n# ", 3, e);
        add_name(b, p->plan.classes[c], e);
        for (int o = 0; o < n; o++)
            buf_addf(b, e, "\t%" PRId64, r->confusion[(size_t)c * (size_t)n + (size_t)o]);
    }
    buf_add(b, "\n", 1, e);
}

static int table_text(const probe *p, const source *s, int n_sources, buf *b, err *e)
{
    char labels[16];

    e->kind = ERR_NONE; /* set by the first call that fails */
    buf_addf(b, e, "method\tsetting\tlabels\taccuracy\tlow\thigh\tmacro_f1\tn_train\tn_test\tclasses\tdim\tdraws\tfolds\t"
                   "interval\tl2\thistory\tdigest\n");
    for (int i = 0; i < p->n_results; i++) {
        const result *r = &p->results[i];
        buf_addf(b, e, "%s\t%s\t%s", r->method, r->setting, labels_text(r, labels));
        buf_addf(b, e, "\t%.2f\t%.2f\t%.2f\t%.2f\t%zu\t%zu\t%d\t%d\t%d\t%d\t%s\t", 100 * r->accuracy, 100 * r->between.low,
                 100 * r->between.high, 100 * r->macro_f1, r->n_train, r->n_test, p->f.classes, p->f.dim, r->draws, r->folds, r->interval);
        for (int j = 0; r->l2 && j < r->draws * r->folds; j++)
            buf_addf(b, e, "%s%.3g", j ? "," : "", r->l2[j]);
        if (!r->l2)
            buf_addf(b, e, "-");
        for (int j = 0; j < n_sources; j++) {
            const char *id = history_last(&s[j].h);
            buf_addf(b, e, "%s%s", j ? "," : "\t", id ? id : "-");
        }
        for (int j = 0; j < n_sources; j++)
            buf_addf(b, e, "%s%.16s", j ? "," : "\t", s[j].digest);
        buf_addf(b, e, "\n");
    }
    for (int i = 0; confusion && i < p->n_results; i++)
        add_confusion(b, p, &p->results[i], e);
    return e->kind == ERR_NONE ? 0 : -1;
}

static value *doubles(const double *v, int n)
{
    value *a = value_array();

    for (int i = 0; i < n; i++)
        value_push(a, value_float(v[i]));
    return a;
}

static value *confusion_value(const int64_t *m, int n)
{
    value *a = value_array();

    for (int c = 0; c < n; c++) {
        value *row = value_array();
        for (int o = 0; o < n; o++)
            value_push(row, value_int(m[(size_t)c * (size_t)n + (size_t)o]));
        value_push(a, row);
    }
    return a;
}

static value *result_value(const probe *p, const result *r)
{
    value *v = value_map();

    value_set(v, "method", value_str(r->method));
    value_set(v, "setting", value_str(r->setting));
    value_set(v, "labels", r->labels ? value_int(r->labels) : value_nil());
    value_set(v, "accuracy", value_float(100 * r->accuracy));
    value_set(v, "low", value_float(100 * r->between.low));
    value_set(v, "high", value_float(100 * r->between.high));
    value_set(v, "macro_f1", value_float(100 * r->macro_f1));
    value_set(v, "n_train", value_int((int64_t)r->n_train));
    value_set(v, "n_test", value_int((int64_t)r->n_test));
    value_set(v, "draws", value_int(r->draws));
    value_set(v, "folds", value_int(r->folds));
    value_set(v, "interval", value_str(r->interval));
    value *accuracies = doubles(r->accuracies, r->draws);
    for (size_t i = 0; accuracies && i < accuracies->n; i++)
        accuracies->child[i]->f *= 100;
    value_set(v, "accuracies", accuracies);
    if (r->l2)
        value_set(v, "l2", doubles(r->l2, r->draws * r->folds));
    if (r->confusion)
        value_set(v, "confusion", confusion_value(r->confusion, p->f.classes));
    return v;
}

/* The resolved parameters, as a history record has them. */
static value *parameters(const request *q)
{
    value *v = value_map(), *m = value_array(), *k = value_array(), *labels = value_array();

    if (q->linear)
        value_push(m, value_str("linear"));
    if (q->knn)
        value_push(m, value_str("knn"));
    for (int i = 0; i < q->n_k; i++)
        value_push(k, value_int(q->k[i]));
    for (int i = 0; i < q->n_labels; i++)
        value_push(labels, q->labels[i] ? value_int(q->labels[i]) : value_str("all"));
    value_set(v, "method", m);
    value_set(v, "neighbors", k);
    value_set(v, "temperature", value_float(temperature));
    value_set(v, "l2", isnan(l2) ? value_str("auto") : value_float(l2));
    value_set(v, "labels_per_class", labels);
    value_set(v, "draws", value_int(draws));
    value_set(v, "folds", folds ? value_int(folds) : value_nil());
    value_set(v, "test", value_str(test_split ? test_split : "test"));
    return v;
}

/* The history of all inputs with this tool's own record, which names the second input as "test". */
static int add_history(const tool *t, const request *q, source *s, int n_sources, header *h, err *e)
{
    history_parent test = {.role = "test"};

    if (header_copy(h, &s[0].h, e) || (n_sources == 2 && history_merge(h, s[1].h.history, &test.id, e)))
        return -1;
    h->seed = (uint64_t)seed;
    return history_add(h, t->name, parameters(q), &test, test.id ? 1 : 0, e);
}

static int json_text(const probe *p, source *s, int n_sources, buf *b, err *e)
{
    value *v = value_map(), *inputs = value_array(), *classes = value_array(), *results = value_array();
    header h = {0};
    int rc = add_history(p->t, p->q, s, n_sources, &h, e);

    value_set(v, "tool", value_str(p->t->name));
    value_set(v, "version", value_str(TOOLS_VERSION));
    value_set(v, "parameters", parameters(p->q));
    value_set(v, "seed", value_int(seed));
    for (int i = 0; i < n_sources; i++) {
        const char *id = history_last(&s[i].h);
        value *in = value_map();
        value_set(in, "file", value_str(s[i].name));
        value_set(in, "samples", value_int((int64_t)s[i].n));
        value_set(in, "digest", value_str(s[i].digest));
        value_set(in, "history", id ? value_str(id) : value_nil());
        value_push(inputs, in);
    }
    value_set(v, "inputs", inputs);
    value_set(v, "dim", value_int(p->f.dim));
    for (int c = 0; c < p->f.classes; c++)
        value_push(classes, value_str(p->plan.classes[c]));
    value_set(v, "classes", classes);
    for (int i = 0; i < p->n_results; i++)
        value_push(results, result_value(p, &p->results[i]));
    value_set(v, "results", results);
    if (rc == 0)
        value_set(v, "history", value_copy(h.history));
    if (rc == 0 && value_failed(v))
        rc = err_nomem(e);
    if (rc == 0 && (value_json(v, -1, b, e) || buf_add(b, "\n", 1, e)))
        rc = -1;
    value_free(v);
    header_clear(&h);
    return rc;
}

/* ---- Run ------------------------------------------------------------------------------ */

static int run(tool *t, err *e)
{
    request q = {0};
    source s[2] = {{.name = "-"}, {.name = "-"}};
    int n = t->n_operands > 1 ? 2 : 1, rc = -1;
    embeddings table = {0};
    probe p = {.t = t, .q = &q};
    buf text = {0};

    for (int i = 0; i < t->n_operands; i++)
        s[i].name = t->operands[i];
    if (parse(t, &q, e))
        return -1;
    if (t->dry_run)
        return 0;
    threads = threads ? threads : pool_cpus();
    for (int i = 0; i < n; i++)
        if (read_source(t, &s[i], &table, e))
            goto out;
    seed = seed >= 0 ? seed : (int64_t)(s[0].h.seed & INT64_MAX);
    if (make_plan(t, &p.plan, &table, s, n, e) || probe_init(&p, &table, e))
        goto out;
    progress_start(&p.bar, 2, t->name, "fits", 0, -1, t->quiet);
    rc = measure_all(&p, e);
    progress_end(&p.bar);
    if (rc == 0 && p.unconverged)
        tool_note(t, "%d fits had not converged when they were stopped; a larger --l2 converges sooner", p.unconverged);
    if (rc == 0)
        rc = json ? json_text(&p, s, n, &text, e) : table_text(&p, s, n, &text, e);
    if (rc == 0)
        rc = tool_write(t, output ? output : "-", &text, e);
out:
    buf_free(&text);
    probe_clear(&p);
    embeddings_clear(&table);
    for (int i = 0; i < n; i++)
        header_clear(&s[i].h);
    return rc;
}

int main(int argc, char **argv)
{
    tool t = {
        .name = "ssl-probe",
        .synopsis = "[option ...] [embeddings | train-embeddings test-embeddings]",
        .about = "Measure what embeddings are worth: the accuracy of a linear classifier and of nearest neighbours\n"
                 "on the test split, trained on the train split.  Reads standard input by default.",
        .opts = opts,
        .examples = "  ssl-load photos/ --size 32 | ssl-embed -m rot.model | ssl-probe\n"
                    "  ssl-probe --labels-per-class 1,10,all embeddings.ssl\n"
                    "  ssl-probe --json --confusion train.ssl test.ssl | jq '.results[0].confusion'\n",
        .max_operands = 2,
        .run = run,
        .list = list,
    };
    return tool_main(&t, argc, argv);
}
