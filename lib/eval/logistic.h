/*
 * Multinomial logistic regression, the "linear probe".
 *
 * Features are standardised with the mean and standard deviation of the rows
 * that train; a feature that is constant there has no weight. Over n rows it
 * minimises
 *
 *     1/n sum_i -log softmax(W' z_i + b)[y_i]  +  l2/2 |W|^2
 *
 * (Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning",
 * 2nd ed., 4.4; the bias is not penalised), by L-BFGS. scikit-learn's
 * LogisticRegression with C = 1 / (l2 n) on StandardScaler's output has the
 * same minimum, for three classes and more.
 *
 * Products are float32; the loss, the sums over rows and the weights are
 * double. Rows are summed in an order that is the same for any number of
 * threads.
 */
#ifndef EVAL_LOGISTIC_H
#define EVAL_LOGISTIC_H

#include "base/err.h"
#include "eval/features.h"
#include "eval/lbfgs.h"
#include "eval/precondition.h"

typedef struct logistic {
    int dim, classes;
    size_t depth, panels; /* of the weights: see logistic.c */
    size_t n_weights;
    float *mean, *scale; /* [dim] owned; z = (x - mean) * scale */
    double *w;           /* [n_weights] owned */
    preconditioner pre;  /* made by the first fit that it helps */
} logistic;

/* The standardisation of those rows, and weights of zero. logistic_clear() also after a failure. 0 or -1. */
int logistic_init(logistic *m, const features *f, rows train, err *e);
void logistic_clear(logistic *m);

/*
 * Minimise, starting from the weights that are there (so that a path of
 * strengths is quick). `train` must be the rows of logistic_init(), with every
 * class among them. `tolerance` is lbfgs.h's: an estimate of how far the objective may
 * end above its minimum.
 */
int logistic_fit(logistic *m, const features *f, rows train, double l2, double tolerance, int max_iterations,
                 int threads, lbfgs_result *result, err *e);

/* The most probable class of each row (the lowest of equals), and the mean of -log p(y_i), which may be NULL. */
int logistic_predict(const logistic *m, const features *f, rows test, int threads, int32_t *predicted, double *log_loss,
                     err *e);

/* The objective and its gradient [n_weights] at w, for tests. */
int logistic_loss(const logistic *m, const features *f, rows train, double l2, int threads, const double *w, double *loss,
                  double *gradient, err *e);

/* The weight of feature d (d = dim: the bias) for class c, in w or in a gradient. */
double *logistic_weight(const logistic *m, double *w, int d, int c);

#endif
