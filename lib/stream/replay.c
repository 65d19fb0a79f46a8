#include "stream/replay.h"

#include "base/version.h"
#include "stream/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known of one record while the script is written. */
typedef struct node {
    const value *record, *params;
    const char *id, *tool;
    long input;       /* the record of the stream that it filters, or -1 */
    long output;      /* the next program of the pipe that is being written */
    bool used;
    const char *path; /* where others look for its stream; "": wherever we like; NULL: nobody does */
} node;

typedef struct replay {
    node *v;
    size_t n;
    bool temporary; /* a folder for files without a name */
    buf *out;
    err *e;
    bool failed; /* memory ran out */
} replay;

/* ---- Words of a command -------------------------------------------------------------- */

static void put(replay *r, const char *s)
{
    r->failed |= buf_add(r->out, s, strlen(s), r->e) != 0;
}

/* One word for the shell, whatever is in it. */
static void word(replay *r, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,=+@%-";

    if (*s && s[strspn(s, plain)] == '\0') {
        put(r, s);
        return;
    }
    put(r, "'");
    for (; *s; s++)
        if (*s == '\'')
            put(r, "'\\''");
        else
            r->failed |= buf_add(r->out, s, 1, r->e) != 0;
    put(r, "'");
}

/* A number or a string as a command line has it; false for what is neither, and for nil. */
static bool text(const value *v, buf *b, err *e)
{
    if (!v || v->type == VALUE_NIL || v->type == VALUE_ARRAY || v->type == VALUE_MAP)
        return false;
    if (v->type == VALUE_STR)
        return buf_add(b, v->s, v->n + 1, e) == 0;
    return value_json(v, -1, b, e) == 0 && buf_add(b, "", 1, e) == 0;
}

/* " --name VALUE", where the value is there. */
static void option(replay *r, const char *name, const value *v)
{
    buf b = {0};

    if (text(v, &b, r->e)) {
        put(r, " ");
        put(r, name);
        put(r, " ");
        word(r, (char *)b.p);
    }
    buf_free(&b);
}

static void flag(replay *r, const char *name, const value *v)
{
    if (v && v->type == VALUE_BOOL && v->b) {
        put(r, " ");
        put(r, name);
    }
}

/* The items of an array: as words of their own, or joined by commas after an option. */
static void operands(replay *r, const value *list)
{
    for (size_t i = 0; list && list->type == VALUE_ARRAY && i < list->n; i++)
        if (list->child[i]->type == VALUE_STR) {
            put(r, " ");
            word(r, list->child[i]->s);
        }
}

static void joined(replay *r, const char *name, const value *list)
{
    buf b = {0};
    bool ok = true;

    for (size_t i = 0; i < list->n && ok; i++)
        if (list->child[i]->type == VALUE_STR)
            ok = buf_addf(&b, r->e, "%s,", list->child[i]->s) == 0;
    if (ok && b.n) {
        b.p[b.n - 1] = '\0';
        put(r, " ");
        put(r, name);
        put(r, " ");
        word(r, (char *)b.p);
    }
    r->failed |= !ok;
    buf_free(&b);
}

/* ---- Files ------------------------------------------------------------------------------ */

static node *find(replay *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].id, id) == 0)
            return &r->v[i];
    return NULL;
}

/* The parent of that role, or NULL. */
static node *parent(replay *r, const node *x, const char *role)
{
    const value *list = value_get(x->record, "parents");

    for (size_t i = 0; list && list->type == VALUE_ARRAY && i < list->n; i++)
        if (strcmp(value_get_str(list->child[i], "role", ""), role) == 0)
            return find(r, value_get_str(list->child[i], "id", ""));
    return NULL;
}

static void file_name(replay *r, const node *x)
{
    if (*x->path) {
        word(r, x->path);
        return;
    }
    put(r, "\"$d\"/");
    word(r, x->id);
}

/* " --name FILE", of the parent of that role. */
static void from(replay *r, const node *x, const char *name, const char *role)
{
    const node *p = parent(r, x, role);

    if (p && p->path) {
        put(r, " ");
        put(r, name);
        put(r, " ");
        file_name(r, p);
    }
}

/* ---- The programs --------------------------------------------------------------------- */

/* A seed is said where it is not that of the stream that comes in. */
static void seed(replay *r, const node *x)
{
    const value *s = value_get(x->record, "seed");

    if (x->input < 0 || !value_equal(s, value_get(r->v[x->input].record, "seed")))
        option(r, "--seed", s);
}

static void load(replay *r, const node *x)
{
    const value *p = x->params, *sources = value_get(p, "sources"), *classes = value_get(p, "classes");
    size_t n = sources && sources->type == VALUE_ARRAY ? sources->n : 0;
    const char *format = n ? value_get_str(sources->child[0], "format", "") : "";
    bool dash = false;

    if (strcmp(format, "list") == 0) {
        option(r, "--files-from", value_get(sources->child[0], "operand"));
        flag(r, "-0", value_get(p, "null"));
        n = 0;
    }
    option(r, "--split", value_get(p, "split"));
    if (classes && classes->type == VALUE_ARRAY)
        joined(r, "--classes", classes);
    else
        option(r, "--classes", classes);
    option(r, "--limit", value_get(p, "limit"));
    flag(r, "--balance", value_get(p, "balance"));
    if (value_get_int(p, "epochs", 0) != 1)
        option(r, "--epochs", value_get(p, "epochs"));
    flag(r, "--shuffle", value_get(p, "shuffle"));
    option(r, "--uniform-by", value_get(value_get(p, "uniform-by"), "operand"));
    option(r, "--shuffle-buffer", value_get(p, "shuffle-buffer"));
    option(r, "--shard", value_get(p, "shard"));
    option(r, "--size", value_get(p, "size"));
    if (strcmp(value_get_str(p, "fit", "stretch"), "stretch") != 0)
        option(r, "--fit", value_get(p, "fit"));
    option(r, "--shrink", value_get(p, "shrink"));
    flag(r, "--gray", value_get(p, "gray"));
    if (strcmp(value_get_str(p, "background", "ffffff"), "ffffff") != 0)
        option(r, "--background", value_get(p, "background"));
    if (strcmp(value_get_str(p, "on-error", "fail"), "fail") != 0)
        option(r, "--on-error", value_get(p, "on-error"));
    option(r, "--seed", value_get(x->record, "seed"));
    for (size_t i = 0; i < n; i++) {
        const char *operand = value_get_str(sources->child[i], "operand", "");
        if (*operand == '-' && operand[1] && !dash)
            put(r, " --");
        dash |= *operand == '-' && operand[1];
        put(r, " ");
        word(r, operand);
    }
}

static void augment(replay *r, const node *x)
{
    const value *views = value_get(x->params, "views"), *local = value_get(x->params, "local");
    char count[48];

    if (local) {
        snprintf(count, sizeof count, " --views %" PRId64 "+%" PRId64, value_get_int(x->params, "views", 0),
                 value_get_int(x->params, "local", 0));
        put(r, count);
    } else {
        option(r, "--views", views);
    }
    seed(r, x);
    operands(r, value_get(x->params, "operations"));
    if (local) {
        put(r, " +");
        operands(r, value_get(x->params, "local_operations"));
    }
}

static void pretext(replay *r, const node *x)
{
    static const char *const others[] = {"task", "keep", "normalize", "assign", "digest", "weights_digest", NULL};
    const char *normalize = value_get_str(x->params, "normalize", ""), *task = value_get_str(x->params, "task", "");
    buf b = {0}, v = {0};
    bool first = true, ok = true;

    option(r, "--assign", value_get(x->params, "assign"));
    flag(r, "--keep", value_get(x->params, "keep"));
    if (*normalize && (strcmp(normalize, "lab") != 0 || strcmp(task, "colorize") != 0)) /* that is colorize's own */
        option(r, "--normalize", value_get(x->params, "normalize"));
    seed(r, x);
    ok = buf_addf(&b, r->e, "%s", task) == 0;
    for (size_t i = 0; x->params && i < x->params->n && ok; i++) {
        const char *key = x->params->key[i];
        bool other = false;
        for (int k = 0; others[k]; k++)
            other |= strcmp(key, others[k]) == 0;
        v.n = 0;
        if (other || !text(x->params->child[i], &v, r->e))
            continue;
        ok = buf_addf(&b, r->e, "%c%s=%s", first ? ':' : ',', key, (char *)v.p) == 0;
        first = false;
    }
    r->failed |= !ok || buf_add(&b, "", 1, r->e);
    if (!r->failed) {
        put(r, " ");
        word(r, (char *)b.p);
    }
    buf_free(&b);
    buf_free(&v);
}

/* "contrast:temperature=0.2,..." is a --set for each. */
static void settings(replay *r, const char *objective)
{
    const char *s = objective ? strchr(objective, ':') : NULL;

    while (s && s[1]) {
        const char *end = strchr(++s, ',');
        char *one = strndup(s, end ? (size_t)(end - s) : strlen(s));
        put(r, " --set ");
        if (one)
            word(r, one);
        r->failed |= !one;
        free(one);
        s = end;
    }
}

static void train(replay *r, const node *x)
{
    const value *p = x->params;
    bool untrained = value_get_int(p, "steps", -1) == 0;

    option(r, "--encoder", value_get(p, "encoder"));
    if (value_get_int(p, "width", 0) > 0)
        option(r, "--width", value_get(p, "width"));
    if (strcmp(value_get_str(p, "stem", "auto"), "auto") != 0)
        option(r, "--stem", value_get(p, "stem"));
    option(r, "--projector", value_get(p, "projector"));
    settings(r, value_get_str(p, "objective", NULL));
    from(r, x, "--init", "init");
    option(r, "--init-parts", value_get(p, "init_parts"));
    option(r, "--steps", value_get(p, "steps"));
    option(r, "--input", value_get(p, "input"));
    if (untrained && x->input >= 0 && !value_get(p, "bn_estimate") && !value_get(p, "init_parts"))
        put(r, " --no-bn-estimate");
    option(r, "--batch", value_get(p, "batch"));
    option(r, "--chunk", value_get(p, "chunk"));
    option(r, "--optimizer", value_get(p, "optimizer"));
    option(r, "--schedule", value_get(p, "schedule"));
    option(r, "--warmup", value_get(p, "warmup"));
    seed(r, x);
}

static void embed(replay *r, const node *x)
{
    const value *p = x->params;

    if (value_get_bool(p, "pixels", false))
        put(r, " --model pixels");
    else
        from(r, x, "--model", "model");
    option(r, "--layer", value_get(p, "layer"));
    flag(r, "--flatten", value_get(p, "flatten"));
    if (value_get_int(p, "height", 0) == value_get_int(p, "width", -1))
        option(r, "--size", value_get(p, "height"));
    flag(r, "--keep", value_get(p, "keep"));
}

static void cluster(replay *r, const node *x)
{
    static const char *const names[] = {"method", "clusters", "heads", "lambda", "tolerance", "init", "iterations", "pca", NULL};
    char name[32];

    for (int i = 0; names[i]; i++) {
        snprintf(name, sizeof name, "--%s", names[i]);
        option(r, name, value_get(x->params, names[i]));
    }
    flag(r, "--whiten", value_get(x->params, "whiten"));
    flag(r, "--l2", value_get(x->params, "l2"));
    seed(r, x);
}

static void convert(replay *r, const node *x)
{
    option(r, "--from", value_get(x->params, "format"));
    put(r, " ");
    word(r, value_get_str(x->params, "operand", "-"));
}

static const struct program {
    const char *name;
    void (*words)(replay *r, const node *x);
} programs[] = {
    {"ssl-load", load},   {"ssl-augment", augment}, {"ssl-pretext", pretext}, {"ssl-train", train},
    {"ssl-embed", embed}, {"ssl-cluster", cluster}, {"ssl-convert", convert},
};

static const struct program *program(const char *name)
{
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strcmp(programs[i].name, name) == 0)
            return &programs[i];
    return NULL;
}

/* ---- What is needed of what ------------------------------------------------------------ */

static int read_history(replay *r, const value *history)
{
    r->n = history ? history->n : 0;
    if (r->n == 0)
        return err_set(r->e, ERR_INPUT, "the stream has no history to replay");
    r->v = calloc(r->n, sizeof *r->v);
    if (!r->v)
        return err_nomem(r->e);
    for (size_t i = 0; i < r->n; i++) {
        const value *record = history->child[i];
        r->v[i] = (node){.record = record, .params = value_get(record, "parameters"),
                         .id = value_get_str(record, "id", ""), .tool = value_get_str(record, "tool", ""), .input = -1};
    }
    return 0;
}

/* That file must be there: it is made by the record, under this name ("": any). */
static void want(replay *r, node *x, const char *path)
{
    if (!x->path || !*x->path)
        x->path = path;
    r->temporary |= !*path;
}

/* The saved streams that ssl-load read: each names the record that wrote it. */
static void want_sources(replay *r, const node *x)
{
    const value *sources = value_get(x->params, "sources");

    for (size_t i = 0; sources && sources->type == VALUE_ARRAY && i < sources->n; i++) {
        node *p = find(r, value_get_str(sources->child[i], "history", ""));
        if (p)
            want(r, p, value_get_str(sources->child[i], "operand", ""));
    }
}

/* One record's files, and the stream that it filters. Parents stand before their children, or the history is broken. */
static int relate(replay *r, size_t i)
{
    node *x = &r->v[i], *p;
    const value *list = value_get(x->record, "parents");
    bool loads = strcmp(x->tool, "ssl-load") == 0;

    if (!program(x->tool))
        return err_set(r->e, ERR_INPUT, "cannot replay '%s', which is none of the programs that ssl-show knows", x->tool);
    for (size_t k = 0; list && list->type == VALUE_ARRAY && k < list->n; k++) {
        const char *role = value_get_str(list->child[k], "role", "");
        p = find(r, value_get_str(list->child[k], "id", ""));
        if (!p || p >= x)
            return err_set(r->e, ERR_INPUT, "the history is broken: record %zu comes from one that is not before it", i + 1);
        if (strcmp(role, "input") == 0 && !loads)
            x->input = p - r->v;
        else if (strcmp(role, "assignments") == 0)
            want(r, p, loads ? value_get_str(value_get(x->params, "uniform-by"), "operand", "")
                             : value_get_str(x->params, "assign", ""));
        else if (!loads)
            want(r, p, "");
    }
    if (loads)
        want_sources(r, x);
    return 0;
}

/* From the newest back: what nobody wants is not made. */
static int plan(replay *r)
{
    r->v[r->n - 1].used = true;
    for (size_t i = r->n; i-- > 0;) {
        node *x = &r->v[i];
        x->used |= x->path != NULL;
        if (x->used && relate(r, i))
            return -1;
        if (x->used && x->input >= 0)
            r->v[x->input].used = true;
    }
    return 0;
}

/* ---- The script -------------------------------------------------------------------------- */

static void pipe_to(replay *r, long end, const char *indent)
{
    long first = end;

    r->v[end].output = -1;
    while (r->v[first].input >= 0) {
        r->v[r->v[first].input].output = first;
        first = r->v[first].input;
    }
    put(r, indent);
    for (long i = first; i >= 0; i = r->v[i].output) {
        if (i != first) {
            put(r, " |\n    ");
            put(r, indent);
        }
        put(r, r->v[i].tool);
        program(r->v[i].tool)->words(r, &r->v[i]);
    }
}

/* A file that others read: whole, or not there. */
static void make_file(replay *r, size_t i)
{
    const node *x = &r->v[i];
    const char *slash = strrchr(x->path, '/');

    if (!*x->path) {
        pipe_to(r, (long)i, "");
        put(r, " >");
        file_name(r, x);
        put(r, "\n");
        return;
    }
    put(r, "if [ ! -e ");
    word(r, x->path);
    put(r, " ]; then\n");
    if (slash && slash > x->path) {
        char *folder = strndup(x->path, (size_t)(slash - x->path));
        put(r, "    mkdir -p ");
        if (folder)
            word(r, folder);
        r->failed |= !folder;
        put(r, "\n");
        free(folder);
    }
    pipe_to(r, (long)i, "    ");
    put(r, " >");
    word(r, x->path);
    put(r, ".new\n    mv ");
    word(r, x->path);
    put(r, ".new ");
    word(r, x->path);
    put(r, "\nfi\n");
}

/* Of a history that anybody may have written: a line's end in it would make the rest a command. */
static void remark(replay *r, const char *s)
{
    r->failed |= describe_text(s, strlen(s), r->out, r->e) != 0;
}

/* "# source: photos (folder), digest 1f0c..."; format may be NULL. */
static void source(replay *r, const char *what, const char *operand, const char *format, const char *digest)
{
    put(r, "# ");
    put(r, what);
    put(r, ": ");
    remark(r, operand);
    if (format) {
        put(r, " (");
        remark(r, format);
        put(r, ")");
    }
    put(r, ", digest ");
    remark(r, digest);
    put(r, "\n");
}

/* A line for each source that is no stream of ours, once. */
static void sources(replay *r)
{
    const char *last = "", *last_weights = "";

    for (size_t i = 0; i < r->n; i++) {
        const value *p = r->v[i].params, *list = value_get(p, "sources");
        const char *weights = value_get_str(p, "weights", "builtin"), *weights_digest = value_get_str(p, "weights_digest", NULL);
        if (!r->v[i].used)
            continue;
        for (size_t k = 0; list && list->type == VALUE_ARRAY && k < list->n; k++) {
            const char *operand = value_get_str(list->child[k], "operand", ""), *digest = value_get_str(list->child[k], "digest", "unknown");
            if (value_get(list->child[k], "history") || (k == 0 && strcmp(digest, last) == 0))
                break; /* most often all loads of a pipeline read the same */
            if (k == 0)
                last = digest;
            source(r, "source", operand, value_get_str(list->child[k], "format", "?"), digest);
        }
        if (strcmp(r->v[i].tool, "ssl-convert") == 0)
            source(r, "source", value_get_str(p, "operand", "-"), value_get_str(p, "format", "?"), value_get_str(p, "digest", "unknown"));
        if (weights_digest && strcmp(weights, "builtin") != 0 && strcmp(weights_digest, last_weights) != 0)
            source(r, "weights", weights, NULL, last_weights = weights_digest);
    }
}

static void heading(replay *r)
{
    bool other = false;

    for (size_t i = 0; i < r->n; i++)
        other |= r->v[i].used && strcmp(value_get_str(r->v[i].record, "version", ""), TOOLS_VERSION) != 0;
    put(r, "#!/bin/sh\n# Writes the stream to standard output (ssl-show --replay).\n");
    sources(r);
    if (other)
        put(r, "# made by another version than " TOOLS_VERSION ": the bytes may differ\n");
    put(r, "set -eu\n");
    if (r->temporary)
        put(r, "d=$(mktemp -d)\ntrap 'rm -rf \"$d\"' EXIT\ntrap 'exit 1' HUP INT TERM\n");
}

int replay_script(const header *h, buf *out, err *e)
{
    replay r = {.out = out, .e = e};
    int rc = -1;

    if (value_get(h->extra, "train")) {
        err_set(e, ERR_INPUT, "a checkpoint is the middle of a training; its model can be replayed");
        goto out;
    }
    if (read_history(&r, h->history) || plan(&r))
        goto out;
    heading(&r);
    for (size_t i = 0; i + 1 < r.n; i++)
        if (r.v[i].path)
            make_file(&r, i);
    pipe_to(&r, (long)r.n - 1, "");
    put(&r, "\n");
    rc = r.failed ? err_nomem(e) : 0;
out:
    free(r.v);
    return rc;
}
