#include "eval/plan.h"

#include "eval/split.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum role { UNUSED, TRAIN, VAL, TEST, ROLES } role;

features plan_features(const plan *p, const embeddings *t)
{
    return (features){.x = t->x, .label = p->label, .id = t->id, .n = t->n, .dim = t->dim, .classes = p->n_classes};
}

void plan_clear(plan *p)
{
    free(p->parts);
    free(p->v);
    free(p->label);
    free(p->classes);
    *p = (plan){0};
}

/* ---- Classes ------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Number the classes that occur among training rows (role TRAIN) by name, and check the others against them. */
static int number_classes(plan *p, const embeddings *t, const role *roles, err *e)
{
    size_t (*counts)[ROLES] = calloc((size_t)t->classes.n + 1, sizeof *counts);
    int32_t *number = malloc(((size_t)t->classes.n + 1) * sizeof *number);
    int rc = -1;

    p->classes = calloc((size_t)t->classes.n + 1, sizeof *p->classes);
    p->label = malloc((t->n + 1) * sizeof *p->label);
    if (!counts || !number || !p->classes || !p->label) {
        err_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < t->n; i++)
        counts[t->label[i]][roles[i]]++;
    for (int c = 0; c < t->classes.n; c++) {
        size_t others = counts[c][VAL] + counts[c][TEST];
        if (counts[c][TRAIN])
            p->classes[p->n_classes++] = t->classes.v[c];
        else if (others) {
            err_set(e, ERR_INPUT, "class '%s' is in %s (%zu samples) but not in train", t->classes.v[c],
                    counts[c][TEST] ? "test" : "val", others);
            goto out;
        }
    }
    if (p->n_classes < 2) {
        err_set(e, ERR_INPUT, "all training samples are of one class, '%s'; two are needed", p->classes[0]);
        goto out;
    }
    qsort(p->classes, (size_t)p->n_classes, sizeof *p->classes, by_bytes);
    for (int c = 0; c < p->n_classes; c++)
        number[names_find(&t->classes, p->classes[c], strlen(p->classes[c]))] = c;
    for (size_t i = 0; i < t->n; i++)
        p->label[i] = roles[i] == UNUSED ? -1 : number[t->label[i]];
    rc = 0;
out:
    free(counts);
    free(number);
    return rc;
}

/* ---- Fixed roles ----------------------------------------------------------------- */

static role *all_unused(const embeddings *t, err *e)
{
    role *roles = calloc(t->n + 1, sizeof *roles);

    if (!roles)
        err_nomem(e);
    return roles;
}

static rows take(plan *p, const embeddings *t, const role *roles, role which, size_t *at)
{
    rows r = {p->v + *at, 0};

    for (uint32_t i = 0; i < t->n; i++)
        if (roles[i] == which) {
            p->v[(*at)++] = i;
            r.n++;
        }
    return r;
}

static int one_part(plan *p, const embeddings *t, const role *roles, err *e)
{
    size_t at = 0;

    p->parts = calloc(1, sizeof *p->parts);
    p->v = malloc((t->n + 1) * sizeof *p->v);
    if (!p->parts || !p->v)
        return err_nomem(e);
    p->n = 1;
    p->parts[0].train = take(p, t, roles, TRAIN, &at);
    p->parts[0].val = take(p, t, roles, VAL, &at);
    p->parts[0].test = take(p, t, roles, TEST, &at);
    p->unused = t->n - at;
    return number_classes(p, t, roles, e);
}

static int number_of(const name_set *t, const char *s)
{
    return names_find(t, s, strlen(s));
}

/* "train 500, val 20, none 3" */
static void list_splits(const embeddings *t, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (int k = -1; k < t->splits.n && at < size; k++) {
        size_t n = 0;
        for (size_t i = 0; i < t->n; i++)
            n += t->split[i] == k;
        if (n)
            at += (size_t)snprintf(out + at, size - at, "%s%s %zu", at ? ", " : "", k < 0 ? "unmarked" : t->splits.v[k], n);
    }
}

int plan_splits(plan *p, const embeddings *t, const char *test, err *e)
{
    int test_number = number_of(&t->splits, test), train = number_of(&t->splits, "train");
    int val = number_of(&t->splits, "val");
    role *roles;

    *p = (plan){0};
    if (test_number == train && train >= 0)
        return err_set(e, ERR_USAGE, "split '%s' cannot train and test", test);
    if (train < 0 || test_number < 0) {
        char have[256];
        list_splits(t, have, sizeof have);
        return err_set(e, ERR_INPUT, "no sample is of the split '%s' (%s); name another with --test, or use --folds",
                       train < 0 ? "train" : test, have);
    }
    if (!(roles = all_unused(t, e)))
        return -1;
    for (size_t i = 0; i < t->n; i++)
        roles[i] = t->split[i] < 0 ? UNUSED : t->split[i] == test_number ? TEST : t->split[i] == train ? TRAIN :
                   t->split[i] == val ? VAL : UNUSED;
    int rc = one_part(p, t, roles, e);
    free(roles);
    return rc;
}

static bool has_split(const embeddings *t, size_t from, size_t to, int split)
{
    for (size_t i = from; split >= 0 && i < to; i++)
        if (t->split[i] == split)
            return true;
    return false;
}

int plan_streams(plan *p, const embeddings *t, size_t second, const char *test, err *e)
{
    int test_number = number_of(&t->splits, test), train = number_of(&t->splits, "train");
    int val = number_of(&t->splits, "val");
    role *roles;

    *p = (plan){0};
    if (second == 0 || second == t->n)
        return err_set(e, ERR_INPUT, "no labelled sample to %s", second == 0 ? "train on" : "test on");
    if (!has_split(t, 0, second, train))
        train = -1;
    if (!has_split(t, second, t->n, test_number))
        test_number = -1;
    if (!(roles = all_unused(t, e)))
        return -1;
    for (size_t i = 0; i < second; i++)
        roles[i] = train < 0 || t->split[i] == train ? TRAIN : val >= 0 && t->split[i] == val ? VAL : UNUSED;
    for (size_t i = second; i < t->n; i++)
        roles[i] = test_number < 0 || t->split[i] == test_number ? TEST : UNUSED;
    int rc = one_part(p, t, roles, e);
    free(roles);
    return rc;
}

/* ---- Folds -------------------------------------------------------------------------- */

static int enough_for_folds(const plan *p, const embeddings *t, int folds, err *e)
{
    size_t *counts = calloc((size_t)p->n_classes, sizeof *counts);
    int rc = 0;

    if (!counts)
        return err_nomem(e);
    for (size_t i = 0; i < t->n; i++)
        counts[p->label[i]]++;
    for (int c = 0; c < p->n_classes && rc == 0; c++)
        if (counts[c] < (size_t)folds)
            rc = err_set(e, ERR_INPUT, "class '%s' has %zu sample%s, too few for %d folds", p->classes[c], counts[c],
                         counts[c] == 1 ? "" : "s", folds);
    free(counts);
    return rc;
}

static int deal(plan *p, const embeddings *t, int folds, uint64_t seed, err *e)
{
    features f = plan_features(p, t);
    uint32_t *v = p->v = malloc(((size_t)folds + 1) * t->n * sizeof *v);
    int *fold = malloc(t->n * sizeof *fold), rc = -1;

    p->parts = calloc((size_t)folds, sizeof *p->parts);
    if (!v || !fold || !p->parts) {
        err_nomem(e);
        goto out;
    }
    for (uint32_t i = 0; i < t->n; i++)
        v[i] = i;
    if (split_folds(&f, (rows){v, t->n}, folds, seed, fold, e))
        goto out;
    for (int k = 0; k < folds; k++) {
        size_t trains = 0, tests = 0;
        v += t->n;
        for (uint32_t i = 0; i < t->n; i++)
            if (fold[i] == k)
                v[t->n - ++tests] = i;
            else
                v[trains++] = i;
        p->parts[k] = (plan_part){.train = {v, trains}, .test = {v + trains, tests}};
    }
    p->n = folds;
    rc = 0;
out:
    free(fold);
    return rc;
}

int plan_folds(plan *p, const embeddings *t, int folds, uint64_t seed, err *e)
{
    role *roles = all_unused(t, e);

    *p = (plan){0};
    if (!roles)
        return -1;
    for (size_t i = 0; i < t->n; i++)
        roles[i] = TRAIN;
    int rc = number_classes(p, t, roles, e);
    if (rc == 0)
        rc = enough_for_folds(p, t, folds, e);
    if (rc == 0)
        rc = deal(p, t, folds, seed, e);
    free(roles);
    return rc;
}
