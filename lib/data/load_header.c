/* What ssl-load says about a run before its first image. */
#include "data/load_impl.h"

#include "base/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The histories of saved streams; what they make random and what we make random must not be the same. */
static int inherit(load *L, history_parent **parents, int *n, err *e)
{
    bool seeded = L->o->seed >= 0;

    L->h.seed = seeded ? (uint64_t)L->o->seed : 0;
    *parents = calloc((size_t)L->sources + 1, sizeof **parents); /* and that of --uniform-by */
    if (!*parents)
        return err_nomem(e);
    for (int i = 0; i < L->sources; i++) {
        const header *head = L->s[i].head;
        bool known = false;
        if (!head)
            continue;
        if (!seeded)
            L->h.seed = head->seed;
        seeded = true;
        if (history_merge(&L->h, head->history, NULL, e))
            return -1;
        const char *id = history_last(head);
        for (int k = 0; k < *n && id; k++)
            known |= strcmp((*parents)[k].id, id) == 0;
        if (id && !known)
            (*parents)[(*n)++] = (history_parent){"input", id};
    }
    L->key = rng_mix(rng_mix_str(L->h.seed, LOAD_TOOL), history_count(&L->h, LOAD_TOOL));
    return 0;
}

/* A string of the command line may hold bytes that a stream may not. */
static value *text_or_nil(load *L, const char *s)
{
    err ignored; /* out of memory shows as a failed value */

    if (!s || !*s)
        return value_nil();
    s = listing_escape(&L->l, s, strlen(s), &ignored);
    return s ? value_str(s) : NULL;
}

static value *class_list(const load *L)
{
    value *v = value_array();

    for (int i = 0; i < L->sel.classes; i++)
        value_push(v, value_str(L->sel.class[i]));
    return v;
}

/* What, with its defaults, decides which bytes come out. */
static value *parameters(load *L)
{
    const load_opts *o = L->o;
    value *v = value_map(), *sources = value_array();
    char text[64];

    for (int i = 0; i < L->sources; i++) {
        value *s = value_map();
        value_set(s, "operand", text_or_nil(L, L->s[i].operand));
        value_set(s, "format", value_str(L->s[i].type->name));
        value_set(s, "digest", text_or_nil(L, L->s[i].digest));
        if (L->s[i].head && history_last(L->s[i].head)) /* of a saved stream: which record wrote it */
            value_set(s, "history", value_str(history_last(L->s[i].head)));
        value_push(sources, s);
    }
    value_set(v, "sources", sources);
    value_set(v, "split", text_or_nil(L, o->split));
    value_set(v, "classes", !o->classes ? value_nil() : L->pipe ? text_or_nil(L, o->classes) : class_list(L));
    value_set(v, "limit", o->limit > 0 ? value_int(o->limit) : value_nil());
    value_set(v, "balance", value_bool(o->balance));
    value_set(v, "epochs", o->epochs == LOAD_FOREVER ? value_str("inf") : value_int(o->epochs));
    value_set(v, "shuffle", value_bool(o->shuffle));
    if (o->list && o->zero_ended) /* only then: the histories of others stay as they were */
        value_set(v, "null", value_bool(true));
    if (o->uniform_by) {
        value *by = value_map();
        value_set(by, "operand", text_or_nil(L, o->uniform_by));
        value_set(by, "digest", value_str(L->groups.digest));
        value_set(v, "uniform-by", by);
    }
    if (L->pipe && o->shuffle)
        value_set(v, "shuffle-buffer", value_int(o->buffer));
    snprintf(text, sizeof text, "%" PRId64 "/%" PRId64, o->shard, o->shards);
    value_set(v, "shard", o->shards > 1 ? value_str(text) : value_nil());
    value_set(v, "size", o->decode.size > 0 ? value_int(o->decode.size) : value_nil());
    value_set(v, "fit", value_str(o->decode.fit == DECODE_CROP ? "crop" : "stretch"));
    value_set(v, "shrink", o->decode.shrink > 0 ? value_int(o->decode.shrink) : value_nil());
    value_set(v, "gray", value_bool(o->decode.channels == 1));
    snprintf(text, sizeof text, "%02x%02x%02x", o->decode.background[0], o->decode.background[1], o->decode.background[2]);
    value_set(v, "background", value_str(text));
    value_set(v, "on-error", value_str(o->skip_bad ? "skip" : "fail"));
    return v;
}

static int declare_fields(load *L, err *e)
{
    const decode_opts *d = &L->o->decode;
    header *h = &L->h;
    const source *first = &L->s[0];
    int64_t shape[3] = {d->size, d->size, d->channels};
    bool splits = L->pipe || L->l.splits.n > 0, classes = L->pipe || L->sel.classes > 0;

    if (d->size <= 0) {
        bool same = first->c > 0;
        for (int i = 1; i < L->sources; i++)
            same = same && L->s[i].h == first->h && L->s[i].w == first->w;
        shape[0] = same ? first->h : -1;
        shape[1] = same ? first->w : -1;
    }
    if (header_set_field(h, "key", "str", -1, NULL, e) || header_set_field(h, "index", "int", -1, NULL, e) ||
        header_set_field(h, "pos", "int", -1, NULL, e) || header_set_field(h, "epoch", "int", -1, NULL, e) ||
        (splits && header_set_field(h, "split", "str", -1, NULL, e)) || (classes && header_set_field(h, "class", "str", -1, NULL, e)) ||
        (h->classes && header_set_field(h, "label", "int", -1, NULL, e)) ||
        header_set_field(h, "image", dtype_name(DT_U1), 3, shape, e))
        return -1;
    /* Fields that saved streams have beyond ours pass through. */
    for (int i = 0; i < L->sources; i++) {
        const value *f = L->s[i].head ? L->s[i].head->fields : NULL;
        for (size_t k = 0; f && k < f->n; k++)
            if (!value_get(h->fields, f->key[k]) && strcmp(f->key[k], "label") && strcmp(f->key[k], "split") && strcmp(f->key[k], "class"))
                value_set(h->fields, f->key[k], value_copy(f->child[k]));
    }
    return value_failed(h->fields) ? err_nomem(e) : 0;
}

/* The classes that a stream in a pipe declares, as far as they are selected. */
static value *pipe_classes(const load *L)
{
    const value *c = L->s[0].head ? L->s[0].head->classes : NULL;
    value *v = c ? value_array() : NULL;

    for (size_t i = 0; c && i < c->n; i++)
        if (!L->o->classes || select_named(L->o->classes, c->child[i]->s))
            value_push(v, value_copy(c->child[i]));
    return v;
}

/* How many images there are, and how many frames they make: ours of the shards, whatever is skipped. */
static int count_frames(load *L, err *e)
{
    const load_opts *o = L->o;
    int64_t n = -1, all = -1;

    if (!L->pipe)
        n = (int64_t)L->sel.n;
    else if (L->s[0].head && !o->split && !o->classes && o->limit == 0)
        n = L->s[0].head->count;
    if (n >= 0 && o->epochs != LOAD_FOREVER && __builtin_mul_overflow(n, o->epochs, &all))
        return err_set(e, ERR_USAGE, "so many epochs have no end; say --epochs inf");
    L->h.distinct = n;
    L->h.count = all < 0 ? -1 : all > o->shard ? (all - o->shard + o->shards - 1) / o->shards : 0;

    int64_t ahead = (o->shard - o->skip) % o->shards;
    L->step = o->shards;
    L->first = o->skip + (ahead < 0 ? ahead + o->shards : ahead);
    L->end = all < 0 ? INT64_MAX - L->step : all;
    L->total = all < 0 ? -1 : L->end > L->first ? (L->end - L->first + L->step - 1) / L->step : 0;
    return 0;
}

/* Visit the clusters of --uniform-by evenly: its stream becomes one more parent. */
static int visit_evenly(load *L, history_parent *parent, int *n, err *e)
{
    const char *path = L->o->uniform_by;
    int32_t *group = malloc(L->sel.n * sizeof *group);
    int rc = group ? 0 : err_nomem(e);

    if (rc == 0)
        rc = assignments_load(&L->groups, path, e);
    for (size_t i = 0; i < L->sel.n && rc == 0; i++) {
        const char *key = L->l.v[L->sel.v[i]].key;
        const int32_t *c = assignments_find(&L->groups, key, strlen(key));
        if (c)
            group[i] = c[0];
        else
            rc = err_set(e, ERR_INPUT, "'%s' has no cluster for '%s'", path, key);
    }
    if (rc == 0)
        rc = uniform_init(&L->even, group, L->sel.n, L->groups.clusters, rng_mix_str(L->key, "uniform"), e);
    free(group);
    if (rc)
        return -1;
    parent->role = "assignments";
    if (history_merge(&L->h, L->groups.history, &parent->id, e))
        return -1;
    *n += parent->id != NULL;
    return 0;
}

int load_header(load *L, err *e)
{
    history_parent *parents = NULL;
    int n = 0, rc = -1;

    if (header_init(&L->h, KIND_IMAGES, e) || inherit(L, &parents, &n, e))
        goto out;
    if (!L->pipe) {
        select_opts s = {L->o->split, L->o->classes, L->o->limit, L->o->balance, rng_mix_str(L->key, "limit")};
        if (select_entries(&L->sel, &L->l, &s, e) ||
            order_init(&L->ord, L->sel.n, L->o->shuffle, rng_mix_str(L->key, "shuffle"), e) ||
            (L->o->uniform_by && visit_evenly(L, &parents[n], &n, e)))
            goto out;
    }
    if (L->pipe)
        L->h.classes = pipe_classes(L);
    else if (L->sel.classes > 0)
        L->h.classes = class_list(L);
    if (L->h.classes && value_failed(L->h.classes)) {
        err_nomem(e);
        goto out;
    }
    if (count_frames(L, e) || declare_fields(L, e) || history_add(&L->h, LOAD_TOOL, parameters(L), parents, n, e))
        goto out;
    rc = 0;
out:
    free(parents);
    return rc;
}
