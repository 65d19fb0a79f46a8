#include "eval/split.h"

#include "base/rng.h"

#include <stdlib.h>

typedef struct ticket {
    int32_t label;
    uint64_t hash;
    uint32_t row, at; /* r.v[at] == row */
} ticket;

static int by_class_then_hash(const void *a, const void *b)
{
    const ticket *x = a, *y = b;

    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* The rows class by class, each class in random order. */
static ticket *shuffle(const features *f, rows r, uint64_t seed, err *e)
{
    ticket *t = malloc((r.n ? r.n : 1) * sizeof *t);

    if (!t) {
        err_nomem(e);
        return NULL;
    }
    for (size_t i = 0; i < r.n; i++)
        t[i] = (ticket){f->label[r.v[i]], rng_mix(seed, f->id[r.v[i]]), r.v[i], (uint32_t)i};
    qsort(t, r.n, sizeof *t, by_class_then_hash);
    return t;
}

int split_folds(const features *f, rows r, int folds, uint64_t seed, int *fold, err *e)
{
    ticket *t = shuffle(f, r, seed, e);
    int next = 0; /* goes on from class to class, so that the folds stay even */

    if (!t)
        return -1;
    for (size_t i = 0; i < r.n; i++) {
        int before = i > 0 && t[i - 1].label == t[i].label, after = i + 1 < r.n && t[i + 1].label == t[i].label;
        fold[t[i].at] = before || after ? next++ % folds : -1;
    }
    free(t);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = ((const ticket *)a)->at, y = ((const ticket *)b)->at;

    return x < y ? -1 : x > y;
}

int split_draw(const features *f, rows r, int labels, uint64_t seed, uint32_t *chosen, size_t *n_chosen, int *scarce,
               err *e)
{
    ticket *t = shuffle(f, r, seed, e);
    size_t kept = 0;

    *scarce = -1;
    if (!t)
        return -1;
    for (size_t i = 0, end; i < r.n; i = end) {
        for (end = i + 1; end < r.n && t[end].label == t[i].label;)
            end++;
        if (end - i < (size_t)labels) {
            *scarce = t[i].label;
            free(t);
            return err_set(e, ERR_INPUT, "a class has %zu samples, fewer than %d labels", end - i, labels);
        }
        for (int j = 0; j < labels; j++)
            t[kept++] = t[i + (size_t)j];
    }
    qsort(t, kept, sizeof *t, by_place);
    for (size_t i = 0; i < kept; i++)
        chosen[i] = t[i].row;
    *n_chosen = kept;
    free(t);
    return 0;
}
