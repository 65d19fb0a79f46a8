#include "data/select.h"

#include "base/opt.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

/* ---- Classes ---------------------------------------------------------------- */

bool select_named(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every name that was asked for must exist. */
static int check_wanted(const listing *l, const char *list, err *e)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        if (names_find(&l->classes, p, n) < 0) {
            char word[256];
            snprintf(word, sizeof word, "%.*s", (int)n, p);
            const char *near = opt_nearest(word, (const char *const *)l->classes.v, l->classes.n);
            if (near)
                return err_set(e, ERR_INPUT, "no class is named '%s'; did you mean '%s'?", word, near);
            return err_set(e, ERR_INPUT, "no class is named '%s'", word);
        }
        p += n;
        p += *p == ',';
    }
    return 0;
}

/* Those that an image has or the source declares: a path's class may have had to give way to a label. */
static void mark_classes(int *mark, const listing *l)
{
    for (int i = 0; i < l->classes.n; i++)
        mark[i] = names_find(&l->declared, l->classes.v[i], strlen(l->classes.v[i])) >= 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].class >= 0)
            mark[l->v[i].class] = 1;
}

static int sort_classes(selection *s, const listing *l, const char *wanted, err *e)
{
    const name_set *t = &l->classes;

    if (wanted && check_wanted(l, wanted, e))
        return -1;
    s->label = malloc((size_t)(t->n + 1) * sizeof *s->label);
    s->class = malloc((size_t)(t->n + 1) * sizeof *s->class);
    if (!s->label || !s->class)
        return err_nomem(e);
    mark_classes(s->label, l);
    for (int i = 0; i < t->n; i++)
        if (s->label[i] && (!wanted || select_named(wanted, t->v[i])))
            s->class[s->classes++] = t->v[i];
    qsort(s->class, (size_t)s->classes, sizeof *s->class, by_name);
    for (int i = 0; i < t->n; i++) {
        const char *name = t->v[i];
        const char **hit = bsearch(&name, s->class, (size_t)s->classes, sizeof *s->class, by_name);
        s->label[i] = hit ? (int)(hit - s->class) : -1;
    }
    return 0;
}

/* ---- The limit -------------------------------------------------------------- */

typedef struct lot {
    uint64_t number;
    uint32_t at; /* in the selection */
    int label;
} lot;

static int by_number(const void *a, const void *b)
{
    const lot *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int by_value(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return x < y ? -1 : x > y;
}

/*
 * How many of each class: as even as the classes' sizes allow. The smallest
 * classes are filled first, each with its share of what is left for those not
 * yet served; quota[] comes in as the sizes.
 */
static int share_out(size_t *quota, int classes, size_t limit, err *e)
{
    size_t *sizes = malloc((size_t)classes * sizeof *sizes), level = 0, extra = 0;

    if (!sizes)
        return err_nomem(e);
    memcpy(sizes, quota, (size_t)classes * sizeof *sizes);
    qsort(sizes, (size_t)classes, sizeof *sizes, by_value);
    for (int i = 0; i < classes; i++) {
        size_t left = (size_t)(classes - i);
        if (sizes[i] > limit / left) { /* from here on all are large enough */
            level = limit / left;
            extra = limit % left;
            break;
        }
        limit -= sizes[i];
        level = sizes[i];
    }
    free(sizes);
    for (int i = 0; i < classes; i++) {
        if (quota[i] <= level)
            continue;
        quota[i] = level + (extra > 0);
        extra -= extra > 0;
    }
    return 0;
}

static int apply_limit(selection *s, const listing *l, const select_opts *o, err *e)
{
    size_t limit = (size_t)o->limit, taken = 0;
    lot *lots = NULL;
    size_t *quota = NULL;
    bool *keep = NULL;
    int rc = -1;

    if (o->limit <= 0 || limit >= s->n)
        return 0;
    lots = malloc(s->n * sizeof *lots);
    quota = calloc((size_t)s->classes + 1, sizeof *quota);
    keep = calloc(s->n, sizeof *keep);
    if (!lots || !quota || !keep) {
        err_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < s->n; i++) {
        int class = l->v[s->v[i]].class;
        lots[i] = (lot){rng_mix(o->key, i), (uint32_t)i, class >= 0 ? s->label[class] : s->classes};
        quota[lots[i].label]++;
    }
    if (o->balance && share_out(quota, s->classes + (quota[s->classes] > 0), limit, e))
        goto out;
    qsort(lots, s->n, sizeof *lots, by_number);
    for (size_t i = 0; i < s->n && taken < limit; i++) {
        if (quota[lots[i].label] == 0)
            continue;
        quota[lots[i].label]--;
        keep[lots[i].at] = true;
        taken++;
    }
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (keep[i])
            s->v[n++] = s->v[i];
    s->n = n;
    rc = 0;
out:
    free(lots);
    free(quota);
    free(keep);
    return rc;
}

/* ---- Selection -------------------------------------------------------------- */

static int nothing_left(const listing *l, const select_opts *o, err *e)
{
    char there[256] = "";

    if (o->split && names_find(&l->splits, o->split, strlen(o->split)) < 0) {
        for (int i = 0; i < l->splits.n; i++) {
            size_t n = strlen(there);
            snprintf(there + n, sizeof there - n, "%s%s", i ? ", " : "; there is ", l->splits.v[i]);
        }
        return err_set(e, ERR_INPUT, "no image is in the split '%s'%s", o->split, *there ? there : "; the source has no splits");
    }
    return err_set(e, ERR_INPUT, "no image is left after the selection");
}

int select_entries(selection *s, const listing *l, const select_opts *o, err *e)
{
    int split = o->split ? names_find(&l->splits, o->split, strlen(o->split)) : -1;

    *s = (selection){0};
    if (sort_classes(s, l, o->classes, e))
        goto fail;
    s->v = malloc((l->n + 1) * sizeof *s->v);
    if (!s->v) {
        err_nomem(e);
        goto fail;
    }
    for (size_t i = 0; i < l->n; i++) {
        const entry *en = &l->v[i];
        if (o->split && (split < 0 || en->split != split))
            continue;
        if (o->classes && (en->class < 0 || s->label[en->class] < 0))
            continue;
        s->v[s->n++] = (uint32_t)i;
    }
    if (s->n == 0) {
        nothing_left(l, o, e);
        goto fail;
    }
    if (apply_limit(s, l, o, e))
        goto fail;
    return 0;
fail:
    select_clear(s);
    return -1;
}

void select_clear(selection *s)
{
    free(s->v);
    free(s->label);
    free(s->class);
    *s = (selection){0};
}

/* ---- Order ------------------------------------------------------------------ */

int order_init(order *o, size_t n, bool shuffle, uint64_t key, err *e)
{
    *o = (order){.n = n, .shuffle = shuffle, .key = key, .epoch = -1};
    if (shuffle && !(o->v = malloc(n * sizeof *o->v)))
        return err_nomem(e);
    return 0;
}

size_t order_index(order *o, int64_t pos)
{
    int64_t epoch = pos / (int64_t)o->n;
    size_t i = (size_t)(pos % (int64_t)o->n);

    if (!o->shuffle)
        return i;
    if (epoch != o->epoch) {
        rng r = rng_at(rng_mix(o->key, (uint64_t)epoch));
        for (size_t k = 0; k < o->n; k++)
            o->v[k] = (uint32_t)k;
        rng_shuffle_u32(&r, o->v, o->n);
        o->epoch = epoch;
    }
    return o->v[i];
}

void order_clear(order *o)
{
    free(o->v);
    *o = (order){0};
}
