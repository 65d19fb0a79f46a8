/*
 * Scores of predictions, and the intervals that go with them.
 */
#ifndef EVAL_SCORES_H
#define EVAL_SCORES_H

#include <stddef.h>
#include <stdint.h>

/* An estimate between the ends of its 95 % interval. */
typedef struct interval {
    double low, high;
} interval;

/* Counts: confusion[t * classes + p] rows of class t were predicted as p. Adds to what is there. */
void scores_count(int64_t *confusion, int classes, const int32_t *truth, const int32_t *predicted, size_t n);

int64_t scores_correct(const int64_t *confusion, int classes);
int64_t scores_total(const int64_t *confusion, int classes);

/*
 * The mean over classes of F1 = 2 TP / (2 TP + FP + FN). Classes that neither
 * occur nor are predicted are left out, as scikit-learn's f1_score does.
 */
double scores_macro_f1(const int64_t *confusion, int classes);

/*
 * For a proportion, `correct` of n: the score interval without continuity
 * correction (Wilson 1927; Brown, Cai and DasGupta, "Interval estimation for a
 * binomial proportion", 2001). n >= 1.
 */
interval scores_wilson(int64_t correct, int64_t n);

/*
 * For the mean of n >= 2 values that vary from draw to draw: mean -+
 * t(n - 1) s / sqrt(n), with Student's t, cut to 0..1. *mean is the mean.
 */
interval scores_mean(const double *v, int n, double *mean);

#endif
