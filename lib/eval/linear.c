#include "eval/linear.h"

#include "eval/logistic.h"
#include "eval/split.h"

#include <math.h>
#include <stdlib.h>

/* Of the objective, in nats. A choice needs less than the fit that is reported. */
#define CHOICE_TOLERANCE 1e-4
#define FINAL_TOLERANCE 1e-6

enum {
    MAX_ITERATIONS = 2000,
    PATIENCE = 4 /* strengths in a row (two decades) that are no better end the search */
};

double linear_grid(int i)
{
    static const double grid[LINEAR_GRID] = {
        100, 31.622776601683793, 10, 3.1622776601683795, 1, 0.31622776601683794, 0.1, 0.031622776601683791, 0.01,
        0.0031622776601683794, 0.001, 0.00031622776601683794, 1e-4, 3.1622776601683795e-05, 1e-5, 3.1622776601683795e-06, 1e-6,
    };

    return grid[i];
}

/* One division of the rows into some that fit and some that judge. */
typedef struct part {
    uint32_t *owned; /* [train.n]: fit, then judge; NULL when both are borrowed */
    rows fit, judge;
    logistic model;
    int32_t *predicted; /* [judge.n] */
} part;

static int held_out_parts(const features *f, rows train, uint64_t seed, part *parts, int n, err *e)
{
    int *fold = malloc((train.n ? train.n : 1) * sizeof *fold), rc = -1;

    if (!fold) {
        err_nomem(e);
        goto out;
    }
    if (split_folds(f, train, LINEAR_FOLDS, seed, fold, e))
        goto out;
    for (int k = 0; k < n; k++) {
        uint32_t *v = parts[k].owned = malloc((train.n ? train.n : 1) * sizeof *v);
        size_t fits = 0, judges = 0;
        if (!v) {
            err_nomem(e);
            goto out;
        }
        for (size_t i = 0; i < train.n; i++)
            if (fold[i] == k)
                v[train.n - ++judges] = train.v[i];
            else
                v[fits++] = train.v[i];
        parts[k].fit = (rows){v, fits};
        parts[k].judge = (rows){v + fits, judges};
    }
    rc = 0;
out:
    free(fold);
    return rc;
}

/* How good one strength is: rows right, and the loss summed over them, over all parts. */
typedef struct quality {
    int64_t right;
    double loss;
} quality;

static int judge(const features *f, part *p, double l2, const linear_options *o, quality *q, err *e)
{
    lbfgs_result result;
    double loss;

    if (logistic_fit(&p->model, f, p->fit, l2, CHOICE_TOLERANCE, MAX_ITERATIONS, o->threads, &result, e) ||
        logistic_predict(&p->model, f, p->judge, o->threads, p->predicted, &loss, e))
        return -1;
    for (size_t i = 0; i < p->judge.n; i++)
        q->right += p->predicted[i] == f->label[p->judge.v[i]];
    q->loss += loss * (double)p->judge.n;
    if (o->fitted)
        o->fitted(o->arg);
    return 0;
}

static int search(const features *f, part *parts, int n, const linear_options *o, double *l2, err *e)
{
    quality best = {-1, 0};
    int worse = 0;

    for (int i = 0; i < LINEAR_GRID && worse < PATIENCE; i++) {
        quality q = {0, 0};
        for (int k = 0; k < n; k++)
            if (judge(f, &parts[k], linear_grid(i), o, &q, e))
                return -1;
        worse++;
        if (q.right > best.right || (q.right == best.right && q.loss < best.loss)) {
            best = q;
            *l2 = linear_grid(i);
            worse = 0;
        }
    }
    return 0;
}

static int choose(const features *f, rows train, rows val, const linear_options *o, double *l2, err *e)
{
    part parts[LINEAR_FOLDS] = {{0}};
    int n = val.n > 0 || train.n >= LINEAR_CROSS_BELOW ? 1 : LINEAR_FOLDS, rc = -1;
    size_t judges = 0;

    if (val.n > 0)
        parts[0] = (part){.fit = train, .judge = val};
    else if (held_out_parts(f, train, o->seed, parts, n, e))
        goto out;
    for (int k = 0; k < n; k++) {
        judges += parts[k].judge.n;
        parts[k].predicted = malloc((parts[k].judge.n + 1) * sizeof *parts[k].predicted);
        if (!parts[k].predicted) {
            err_nomem(e);
            goto out;
        }
        if (logistic_init(&parts[k].model, f, parts[k].fit, e))
            goto out;
    }
    *l2 = LINEAR_DEFAULT_L2;
    rc = judges > 0 ? search(f, parts, n, o, l2, e) : 0;
out:
    for (int k = 0; k < n; k++) {
        free(parts[k].owned);
        free(parts[k].predicted);
        logistic_clear(&parts[k].model);
    }
    return rc;
}

int linear_probe(const features *f, rows train, rows val, rows test, const linear_options *o, int32_t *predicted,
                 double *l2, int *unconverged, err *e)
{
    logistic m = {0};
    lbfgs_result result;
    int rc = -1;

    *l2 = o->l2;
    if (isnan(o->l2) && choose(f, train, val, o, l2, e))
        goto out;
    if (logistic_init(&m, f, train, e) ||
        logistic_fit(&m, f, train, *l2, FINAL_TOLERANCE, MAX_ITERATIONS, o->threads, &result, e) ||
        logistic_predict(&m, f, test, o->threads, predicted, NULL, e))
        goto out;
    if (o->fitted)
        o->fitted(o->arg);
    *unconverged += !result.converged;
    rc = 0;
out:
    logistic_clear(&m);
    return rc;
}
