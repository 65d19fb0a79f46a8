/* Scores by hand, intervals against published values, stratified choices. */
#include "base/rng.h"
#include "eval/scores.h"
#include "eval/split.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Test(scores, confusion_accuracy_and_macro_f1_by_hand)
{
    int32_t truth[] = {0, 0, 0, 0, 1, 1, 1, 2, 2, 2}, predicted[] = {0, 0, 0, 1, 1, 1, 0, 2, 2, 0};
    int64_t m[9] = {0}, expected[9] = {3, 1, 0, 1, 2, 0, 1, 0, 2};

    scores_count(m, 3, truth, predicted, 10);
    cr_assert_eq(memcmp(m, expected, sizeof m), 0);
    cr_assert_eq(scores_correct(m, 3), 7);
    cr_assert_eq(scores_total(m, 3), 10);
    /* F1: 6/9, 4/6, 4/5 */
    cr_assert_float_eq(scores_macro_f1(m, 3), (6.0 / 9 + 4.0 / 6 + 4.0 / 5) / 3, 1e-12);
}

Test(scores, macro_f1_leaves_out_classes_that_never_occur)
{
    int64_t absent[9] = {4, 0, 0, 0, 6, 0, 0, 0, 0}, only_predicted[9] = {4, 0, 0, 0, 5, 1, 0, 0, 0};

    cr_assert_float_eq(scores_macro_f1(absent, 3), 1, 1e-12);
    cr_assert_float_eq(scores_macro_f1(only_predicted, 3), (1 + 10.0 / 11 + 0) / 3, 1e-12);
}

Test(scores, wilson_known_values)
{
    static const struct { int64_t k, n; double low, high; } known[] = {
        /* Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3 */
        {81, 263, 0.2553, 0.3662},
        {15, 148, 0.0624, 0.1605},
        {0, 20, 0.0000, 0.1611},
        {1, 29, 0.0061, 0.1718},
        /* by symmetry */
        {20, 20, 0.8389, 1.0000},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        interval w = scores_wilson(known[i].k, known[i].n);
        cr_assert_float_eq(w.low, known[i].low, 5.1e-5, "%d/%d: low %.5f", (int)known[i].k, (int)known[i].n, w.low);
        cr_assert_float_eq(w.high, known[i].high, 5.1e-5, "%d/%d: high %.5f", (int)known[i].k, (int)known[i].n, w.high);
    }
}

Test(scores, interval_of_a_mean)
{
    double v[] = {0.50, 0.52, 0.55, 0.49, 0.54}, mean; /* s = 0.0254951, t(4) = 2.776445 */
    interval i = scores_mean(v, 5, &mean);

    cr_assert_float_eq(mean, 0.52, 1e-12);
    cr_assert_float_eq(i.high - mean, 2.776445 * 0.0254951 / sqrt(5), 1e-6);
    cr_assert_float_eq(mean - i.low, i.high - mean, 1e-12);

    /* Many draws, by the expansion: t(39) = 2.022691. Values alternate, so s is known. */
    double many[40];
    for (int j = 0; j < 40; j++)
        many[j] = j % 2 ? 0.4 : 0.6;
    i = scores_mean(many, 40, &mean);
    cr_assert_float_eq((i.high - mean) / (0.1 * sqrt(40.0 / 39) / sqrt(40)), 2.022691, 2e-5);
}

/* ---- Stratified choices ---- */

enum { N = 1000, CLASSES = 5 };

static int32_t label[N];
static uint64_t id[N];
static uint32_t v[N];

/* Classes of 1, 99, 200, 300 and 400 rows, mixed. */
static features make(void)
{
    for (uint32_t i = 0; i < N; i++)
        v[i] = i;
    rng r = rng_at(5);
    rng_shuffle_u32(&r, v, N);
    for (uint32_t i = 0; i < N; i++) {
        label[v[i]] = i < 1 ? 0 : i < 100 ? 1 : i < 300 ? 2 : i < 600 ? 3 : 4;
        id[i] = rng_mix(1, i);
    }
    for (uint32_t i = 0; i < N; i++)
        v[i] = i;
    return (features){.label = label, .id = id, .n = N, .dim = 1, .classes = CLASSES};
}

Test(split, folds_are_even_and_stratified)
{
    features f = make();
    int fold[N], count[CLASSES][5] = {{0}}, total[5] = {0};
    err e = {0};

    cr_assert_eq(split_folds(&f, (rows){v, N}, 5, 1, fold, &e), 0);
    for (int i = 0; i < N; i++) {
        if (label[i] == 0) {
            cr_assert_eq(fold[i], -1, "the only row of its class is never held out");
            continue;
        }
        cr_assert(fold[i] >= 0 && fold[i] < 5);
        count[label[i]][fold[i]]++;
        total[fold[i]]++;
    }
    for (int k = 0; k < 5; k++) {
        cr_assert(count[1][k] == 19 || count[1][k] == 20);
        cr_assert_eq(count[2][k], 40);
        cr_assert_eq(count[3][k], 60);
        cr_assert_eq(count[4][k], 80);
        cr_assert(total[k] == 199 || total[k] == 200);
    }
}

Test(split, choices_follow_ids_and_seed_not_order)
{
    features f = make();
    uint32_t turned[N], a[N], b[N];
    int fold[N], other[N], scarce;
    size_t na, nb;
    err e = {0};

    for (uint32_t i = 0; i < N; i++)
        turned[i] = N - 1 - i;
    cr_assert_eq(split_folds(&f, (rows){v, N}, 5, 1, fold, &e), 0);
    cr_assert_eq(split_folds(&f, (rows){turned, N}, 5, 1, other, &e), 0);
    for (int i = 0; i < N; i++)
        cr_assert_eq(fold[i], other[N - 1 - i]);
    cr_assert_eq(split_folds(&f, (rows){v, N}, 5, 2, other, &e), 0);
    cr_assert_neq(memcmp(fold, other, sizeof fold), 0, "another seed, other folds");

    /* Without class 0, which has one row: its hash decides nothing else. */
    uint32_t four[N];
    size_t n = 0;
    for (uint32_t i = 0; i < N; i++)
        if (label[i] > 0)
            four[n++] = i;
    cr_assert_eq(split_draw(&f, (rows){four, n}, 10, 1, a, &na, &scarce, &e), 0);
    cr_assert_eq(na, 40);
    int per[CLASSES] = {0};
    for (size_t i = 0; i < na; i++)
        per[label[a[i]]]++;
    for (int c = 1; c < CLASSES; c++)
        cr_assert_eq(per[c], 10);
    /* A smaller draw lies inside the larger one. */
    cr_assert_eq(split_draw(&f, (rows){four, n}, 3, 1, b, &nb, &scarce, &e), 0);
    cr_assert_eq(nb, 12);
    for (size_t i = 0, j = 0; i < nb; i++, j++) {
        while (j < na && a[j] != b[i])
            j++;
        cr_assert_lt(j, na);
    }
}

Test(split, a_class_with_too_few_rows_is_named)
{
    features f = make();
    uint32_t a[N];
    size_t n;
    int scarce;
    err e = {0};

    cr_assert_eq(split_draw(&f, (rows){v, N}, 2, 1, a, &n, &scarce, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert_eq(scarce, 0);
}
