/*
 * Assignment of rows to clusters of equal size by optimal transport (Asano,
 * Rupprecht and Vedaldi, "Self-labelling via simultaneous clustering and
 * representation learning", ICLR 2020, equations 6 and 7; Cuturi, "Sinkhorn
 * distances", NIPS 2013). With the model's probabilities P = softmax(logits),
 *
 *     Q = diag(a) P^lambda diag(b),  each row sums to 1 / n, each column to 1 / K
 *
 * is the smoothed optimal plan; a row goes to its largest entry. Potentials are
 * kept as logarithms and each row's exponentials are taken relative to its
 * greatest, so that no lambda and no logits overflow or vanish. A constant
 * added to a row's logits changes nothing.
 */
#ifndef EVAL_SINKHORN_H
#define EVAL_SINKHORN_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct sinkhorn_options {
    int clusters;
    double lambda;
    double tolerance; /* of the sum over columns of |K column - 1| */
    int iterations;   /* at most */
    int threads;
} sinkhorn_options;

typedef struct sinkhorn_result {
    double objective; /* the mean over rows of -log P of their cluster */
    double deviation; /* what `tolerance` bounds, at the end */
    int iterations;
} sinkhorn_result;

/* logits: n rows of K = o->clusters numbers, `row` apart, finite. assignment[i * step] is written. Same bits for any threads. */
int sinkhorn_run(const float *logits, size_t row, size_t n, const sinkhorn_options *o, int32_t *assignment, size_t step,
                 sinkhorn_result *r, err *e);

#endif
