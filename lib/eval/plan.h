/*
 * Who trains and who is tested: the rows of a table of embeddings, dealt to
 * train, val and test by split, by stream or by fold.
 */
#ifndef EVAL_PLAN_H
#define EVAL_PLAN_H

#include "base/err.h"
#include "eval/embeddings.h"
#include "eval/features.h"

typedef struct plan_part {
    rows train, val, test; /* borrowed from the plan */
} plan_part;

typedef struct plan {
    plan_part *parts; /* one, or one a fold; owned */
    int n;
    uint32_t *v; /* what the rows lie in; owned */
    int32_t *label; /* [table's n] class numbers for `features`, -1 where a row takes no part; owned */
    const char **classes; /* [n_classes] names in byte order; owned array of names borrowed from the table */
    int n_classes;
    size_t unused; /* rows that take no part */
} plan;

/*
 * Each of these checks that two classes or more train, and that every class of
 * val and test is among them. ERR_INPUT otherwise. plan_clear() also after a
 * failure.
 */

/* Splits "train", "val" and `test` of the whole table. */
int plan_splits(plan *p, const embeddings *t, const char *test, err *e);

/*
 * Rows before `second` train and the others test. Where a side is itself
 * marked by splits only its own part counts: "train" and "val" of the first,
 * `test` of the second.
 */
int plan_streams(plan *p, const embeddings *t, size_t second, const char *test, err *e);

/* Stratified cross-validation over the whole table, whatever the splits; each class must have `folds` rows. */
int plan_folds(plan *p, const embeddings *t, int folds, uint64_t seed, err *e);

void plan_clear(plan *p);

/* The table as the plan numbers its classes; borrowed from both. */
features plan_features(const plan *p, const embeddings *t);

#endif
