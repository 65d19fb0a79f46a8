/* kNN against brute force in double precision, ties, and edge cases. */
#include "base/rng.h"
#include "eval/knn.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN = 5000, TEST = 203, DIM = 45, CLASSES = 7 };

typedef struct pair {
    double similarity;
    uint32_t at;
} pair;

static int nearest_first(const void *a, const void *b)
{
    const pair *x = a, *y = b;

    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static double cosine(const float *a, const float *b, int n)
{
    double ab = 0, aa = 0, bb = 0;

    for (int i = 0; i < n; i++)
        ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* The winner's lead over the second class, relative: near ties may fall either way in float32. */
static int brute_force(const features *f, rows train, const float *q, int k, double T, double *lead)
{
    pair *p = malloc(train.n * sizeof *p);
    double votes[CLASSES] = {0};
    int best = 0;

    for (size_t i = 0; i < train.n; i++)
        p[i] = (pair){cosine(q, f->x + train.v[i] * (size_t)f->dim, f->dim), (uint32_t)i};
    qsort(p, train.n, sizeof *p, nearest_first);
    for (int i = 0; i < k; i++)
        votes[f->label[train.v[p[i].at]]] += exp(p[i].similarity / T);
    for (int c = 1; c < f->classes; c++)
        best = votes[c] > votes[best] ? c : best;
    *lead = 1;
    for (int c = 0; c < f->classes; c++)
        if (c != best)
            *lead = fmin(*lead, 1 - votes[c] / votes[best]);
    /* So may the choice of the k-th neighbour. */
    if ((size_t)k < train.n && p[k - 1].similarity - p[k].similarity < 1e-6)
        *lead = 0;
    free(p);
    return best;
}

typedef struct fixture {
    features f;
    rows train, test;
    float *x;
    int32_t *label;
    uint32_t *v;
} fixture;

static fixture make(void)
{
    int n = TRAIN + TEST;
    fixture t = {.x = malloc((size_t)n * DIM * sizeof(float)), .label = malloc((size_t)n * sizeof(int32_t)),
                 .v = malloc((size_t)n * sizeof(uint32_t))};
    double centre[CLASSES * DIM];
    rng r = rng_at(11);

    for (int i = 0; i < CLASSES * DIM; i++)
        centre[i] = rng_normal(&r);
    for (int i = 0; i < n; i++) {
        t.v[i] = (uint32_t)i;
        t.label[i] = (int32_t)rng_below(&r, CLASSES);
        for (int d = 0; d < DIM; d++)
            t.x[i * DIM + d] = (float)(centre[t.label[i] * DIM + d] + 2.5 * rng_normal(&r));
    }
    rng_shuffle_u32(&r, t.v, (size_t)n);
    t.f = (features){.x = t.x, .label = t.label, .n = (size_t)n, .dim = DIM, .classes = CLASSES};
    t.train = (rows){t.v, TRAIN};
    t.test = (rows){t.v + TRAIN, TEST};
    return t;
}

static void drop(fixture *t)
{
    free(t->x);
    free(t->label);
    free(t->v);
}

Test(knn, agrees_with_brute_force)
{
    fixture t = make();
    int k[] = {1, 20, 200}, unclear = 0;
    int32_t *p = malloc(3 * TEST * sizeof *p), *again = malloc(3 * TEST * sizeof *again);
    err e = {0};

    cr_assert_eq(knn_predict(&t.f, t.train, t.test, k, 3, 0.07, 2, p, &e), 0);
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < TEST; i++) {
            double lead;
            int expected = brute_force(&t.f, t.train, t.x + t.test.v[i] * DIM, k[j], 0.07, &lead);
            if (lead < 1e-4)
                unclear++;
            else
                cr_assert_eq(p[j * TEST + i], expected, "row %d, k %d: %d, expected %d", i, k[j], p[j * TEST + i], expected);
        }
    cr_assert_lt(unclear, 10);
    for (int threads = 1; threads < 4; threads += 2) {
        cr_assert_eq(knn_predict(&t.f, t.train, t.test, k, 3, 0.07, threads, again, &e), 0);
        cr_assert_eq(memcmp(p, again, 3 * TEST * sizeof *p), 0, "%d threads", threads);
    }
    free(p);
    free(again);
    drop(&t);
}

/* A row finds itself at k = 1; k may be all rows. */
Test(knn, k_from_one_to_all)
{
    fixture t = make();
    int k[] = {1, TRAIN};
    int32_t *p = malloc(2 * TEST * sizeof *p);
    rows inside = {t.v, TEST};
    err e = {0};

    cr_assert_eq(knn_predict(&t.f, t.train, inside, k, 2, 0.07, 1, p, &e), 0);
    for (int i = 0; i < TEST; i++)
        cr_assert_eq(p[i], t.label[t.v[i]]);
    free(p);
    drop(&t);
}

Test(knn, votes_by_hand)
{
    /* Query (1, 0). Similarities 0.96, 0.8, 0.8, 0.6; lengths do not matter; the last row has none. */
    float x[] = {1, 0, 9.6f, 2.8f, 0.8f, 0.6f, 8, -6, 0.06f, 0.08f, 0, 0};
    int32_t label[] = {0, 2, 1, 1, 0, 0}, p[3];
    uint32_t train[] = {1, 2, 3, 4, 5}, test[] = {0};
    features f = {.x = x, .label = label, .n = 6, .dim = 2, .classes = 3};
    int k[] = {1, 3, 5};
    err e = {0};

    /* exp(0.96 / T) against 2 exp(0.8 / T): even at T = 0.16 / ln 2 = 0.2308. */
    cr_assert_eq(knn_predict(&f, (rows){train, 5}, (rows){test, 1}, k, 3, 0.24, 1, p, &e), 0);
    cr_assert_eq(p[0], 2);
    cr_assert_eq(p[1], 1);
    cr_assert_eq(knn_predict(&f, (rows){train, 5}, (rows){test, 1}, k, 3, 0.22, 1, p, &e), 0);
    cr_assert_eq(p[1], 2);
    /* So small a temperature that exp(s / T) itself would overflow. */
    cr_assert_eq(knn_predict(&f, (rows){train, 5}, (rows){test, 1}, k, 3, 1e-6, 1, p, &e), 0);
    cr_assert_eq(p[2], 2);
}
