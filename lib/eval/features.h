/*
 * Feature vectors with their classes, and selections of them: what every
 * evaluation takes. A fold, a split or a few-shot draw is a list of rows of one
 * table, so nothing is copied.
 */
#ifndef EVAL_FEATURES_H
#define EVAL_FEATURES_H

#include <stddef.h>
#include <stdint.h>

typedef struct features {
    const float *x;       /* [n][dim]; finite */
    const int32_t *label; /* [n], each in 0..classes-1 */
    const uint64_t *id;   /* [n], stable numbers of the samples (hashes of their keys): random choices follow them */
    size_t n;             /* below 2^32 */
    int dim, classes;
} features;

/* Rows of a table, borrowed. */
typedef struct rows {
    const uint32_t *v;
    size_t n;
} rows;

#endif
