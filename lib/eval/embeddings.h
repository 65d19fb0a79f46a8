/*
 * Streams of embeddings, read into memory as one table: 4 D + 24 bytes a
 * sample. Classes and splits are matched by name, so that two streams
 * can share a table whatever their headers number.
 */
#ifndef EVAL_EMBEDDINGS_H
#define EVAL_EMBEDDINGS_H

#include "base/err.h"
#include "base/progress.h"
#include "base/names.h"
#include "stream/stream.h"

typedef struct embeddings {
    size_t n, cap;
    int dim;
    float *x;       /* [n][dim], finite; owned, like all below */
    int32_t *label; /* [n], a number in `classes` */
    int32_t *split; /* [n], a number in `splits`, or -1 */
    uint64_t *id;   /* [n], a hash of the key */
    name_set classes, splits;
    int64_t unlabeled; /* samples of the split "unlabeled", left out */
} embeddings;

/*
 * Append a whole stream of embeddings, to its trailer. Each sample must have a
 * class (the field `class`, or `label` and the header's classes), except that
 * those of the split "unlabeled" are left out. ERR_INPUT says which sample is
 * unlabelled, not finite, of another dimension, or a repetition (epoch > 0).
 * The progress counts samples.
 */
int embeddings_read(embeddings *t, reader *r, progress *p, err *e);
void embeddings_clear(embeddings *t);

#endif
