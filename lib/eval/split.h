/*
 * Stratified choices of rows: folds, held-out parts, few labels per class.
 *
 * Choices depend on the seed and on the classes and ids of the rows, never on
 * the order of the table: two encoders that are given the same images are
 * compared on the same folds and draws. Within a class, rows are ordered by a
 * hash of seed and id, and dealt out in that order.
 */
#ifndef EVAL_SPLIT_H
#define EVAL_SPLIT_H

#include "base/err.h"
#include "eval/features.h"

/*
 * Deal the rows of each class to `folds` folds: fold[i] of r.v[i] is
 * 0..folds-1, or -1 for the only row of its class, which is never held out.
 * The sizes of the folds differ by at most one within a class, and overall.
 */
int split_folds(const features *f, rows r, int folds, uint64_t seed, int *fold, err *e);

/*
 * `labels` rows of each class into chosen (room for labels * classes), in the
 * order of r; -1 with ERR_INPUT and the class's number in *scarce (else -1)
 * when a class has fewer. The draw of a larger number contains that of a
 * smaller one with the same seed.
 */
int split_draw(const features *f, rows r, int labels, uint64_t seed, uint32_t *chosen, size_t *n_chosen, int *scarce,
               err *e);

#endif
