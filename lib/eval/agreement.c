#include "eval/agreement.h"

#include "base/fmath.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int64_t row_sum(const int64_t *t, size_t B, size_t a)
{
    int64_t n = 0;

    for (size_t b = 0; b < B; b++)
        n += t[a * B + b];
    return n;
}

static int64_t column_sum(const int64_t *t, size_t A, size_t B, size_t b)
{
    int64_t n = 0;

    for (size_t a = 0; a < A; a++)
        n += t[a * B + b];
    return n;
}

static double total(const int64_t *t, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += t[i];
    return (double)sum;
}

/* -p log p */
static double surprise(double p)
{
    return p > 0 ? -p * fmath_log(p) : 0;
}

double agreement_nmi(const int64_t *t, size_t A, size_t B)
{
    double n = total(t, A * B), ha = 0, hb = 0, joint = 0;

    for (size_t a = 0; a < A; a++)
        ha += surprise((double)row_sum(t, B, a) / n);
    for (size_t b = 0; b < B; b++)
        hb += surprise((double)column_sum(t, A, B, b) / n);
    for (size_t i = 0; i < A * B; i++)
        joint += surprise((double)t[i] / n);
    if (ha <= 0 && hb <= 0)
        return 1;
    double nmi = ha > 0 && hb > 0 ? (ha + hb - joint) / sqrt(ha * hb) : 0;
    return nmi < 0 ? 0 : nmi > 1 ? 1 : nmi;
}

static double pairs(int64_t n)
{
    return (double)n * (double)(n - 1) / 2;
}

double agreement_ari(const int64_t *t, size_t A, size_t B)
{
    double same = 0, in_a = 0, in_b = 0, n = total(t, A * B);

    for (size_t i = 0; i < A * B; i++)
        same += pairs(t[i]);
    for (size_t a = 0; a < A; a++)
        in_a += pairs(row_sum(t, B, a));
    for (size_t b = 0; b < B; b++)
        in_b += pairs(column_sum(t, A, B, b));
    double all = n * (n - 1) / 2, expected = all > 0 ? in_a * in_b / all : 0, most = (in_a + in_b) / 2;
    return most == expected ? 1 : (same - expected) / (most - expected);
}

typedef struct matching {
    const int64_t *t;
    size_t A, B;     /* of the table */
    size_t R, C;     /* rows are matched, one each, to R <= C columns; counted from 1 */
    bool turned;     /* rows are the groups b */
    double *u, *v;   /* potentials [R + 1], [C + 1] */
    double *least;   /* [C + 1]: reduced cost of the cheapest way to each column */
    size_t *row_of;  /* [C + 1]: the row that has the column; 0: none */
    size_t *before;  /* [C + 1]: the column before it on that way */
    bool *seen;      /* [C + 1] */
} matching;

static double match_cost(const matching *m, size_t r, size_t c)
{
    return -(double)(m->turned ? m->t[(c - 1) * m->B + r - 1] : m->t[(r - 1) * m->B + c - 1]);
}

/* Match one more row along the cheapest augmenting path. */
static void augment(matching *m, size_t row)
{
    size_t at = 0;

    m->row_of[0] = row;
    for (size_t c = 0; c <= m->C; c++) {
        m->least[c] = INFINITY;
        m->seen[c] = false;
    }
    do {
        size_t r = m->row_of[at], next = 0;
        double delta = INFINITY;
        m->seen[at] = true;
        for (size_t c = 1; c <= m->C; c++) {
            if (m->seen[c])
                continue;
            double d = match_cost(m, r, c) - m->u[r] - m->v[c];
            if (d < m->least[c]) {
                m->least[c] = d;
                m->before[c] = at;
            }
            if (m->least[c] < delta) {
                delta = m->least[c];
                next = c;
            }
        }
        for (size_t c = 0; c <= m->C; c++) {
            if (m->seen[c]) {
                m->u[m->row_of[c]] += delta;
                m->v[c] -= delta;
            } else {
                m->least[c] -= delta;
            }
        }
        at = next;
    } while (m->row_of[at] != 0);
    for (; at != 0; at = m->before[at])
        m->row_of[at] = m->row_of[m->before[at]];
}

double agreement_matched(const int64_t *t, size_t A, size_t B, err *e)
{
    matching m = {.t = t, .A = A, .B = B, .turned = A > B};
    double n = total(t, A * B), hit = -1;

    m.R = m.turned ? B : A;
    m.C = m.turned ? A : B;
    m.u = calloc(m.R + 1, sizeof *m.u);
    m.v = calloc(m.C + 1, sizeof *m.v);
    m.least = malloc((m.C + 1) * sizeof *m.least);
    m.row_of = calloc(m.C + 1, sizeof *m.row_of);
    m.before = calloc(m.C + 1, sizeof *m.before);
    m.seen = malloc((m.C + 1) * sizeof *m.seen);
    if (!m.u || !m.v || !m.least || !m.row_of || !m.before || !m.seen) {
        err_nomem(e);
        goto out;
    }
    for (size_t r = 1; r <= m.R; r++)
        augment(&m, r);
    hit = 0;
    for (size_t c = 1; c <= m.C; c++)
        if (m.row_of[c])
            hit -= match_cost(&m, m.row_of[c], c);
    hit = n > 0 ? hit / n : 0;
out:
    free(m.u);
    free(m.v);
    free(m.least);
    free(m.row_of);
    free(m.before);
    free(m.seen);
    return hit;
}
