/*
 * Reading ahead: a thread decodes frames of examples and assembles the next
 * batches while the network works on the current one.
 *
 * A batch is counted in source images (frames); each brings P inputs. Only
 * copies of bytes are made here; the input transform is the trainer's.
 */
#ifndef NN_BATCH_H
#define NN_BATCH_H

#include "base/err.h"
#include "stream/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define BATCH_MAX_FIELDS 8

/* A field that each example brings besides its input. */
typedef struct batch_field {
    const char *name; /* NULL ends a list */
    dtype type;
    int ndim;
    bool optional; /* absent from the whole stream unless its header declares it */
} batch_field;

/* What the samples of one stream look like: every sample must have these shapes. */
typedef struct batch_shape {
    dtype type;            /* of the input: DT_U1 images or DT_F4 vectors */
    int P;                 /* inputs of one source image */
    int H, W, C;           /* images; vectors have H = W = 0 and C values */
    const batch_field *field;
    int64_t dims[BATCH_MAX_FIELDS][TENSOR_MAX_DIMS]; /* of each field */
    size_t bytes[BATCH_MAX_FIELDS];                  /* of one sample; 0: the stream has no such field */
} batch_shape;

typedef struct batch {
    int n;             /* source images, at most the batch size */
    uint8_t *input;    /* n x P x (H, W, C) bytes, or n x P x C floats */
    void *field[BATCH_MAX_FIELDS]; /* n x the field's shape, aligned; NULL when the stream has none */
    int64_t *index, *epoch, *pos;
    char (*key)[128];  /* cut to fit */
    bool test;         /* a sample of the split "test" is among them */
} batch;

/* Whether sample i of the batch is sound (a label in range); may be NULL. Called by the thread. */
typedef int batch_check(const void *arg, const batch *b, int i, err *e);

typedef struct batch_reader batch_reader;

/*
 * The shapes of a stream of examples, from its header; where the header leaves
 * a dimension open, the first sample is looked at. `fields` is borrowed (static).
 * size: source images in a batch. skip_to: samples with a smaller `pos` are
 * passed over (a resumed run); it fails when the first one is beyond it.
 * The reader is borrowed, and used by nothing else until batch_reader_free().
 */
batch_reader *batch_reader_new(reader *r, int fd, const batch_field *fields, int size, int64_t skip_to, err *e);
const batch_shape *batch_reader_shape(const batch_reader *b);
/* Start the thread. */
int batch_reader_start(batch_reader *b, batch_check *check, const void *arg, err *e);

/*
 * The next batch: 1, or 0 at the sound end of the input, or -1. It is the
 * caller's until the next call, and the last one until the reader is freed. Batches are full but for the last, which is
 * returned only when it is also the first: a few leftover samples would give
 * poor batch statistics.
 */
int batch_reader_next(batch_reader *b, const batch **next, err *e);
/* Stops the thread, also in the middle of the stream. */
void batch_reader_free(batch_reader *b);

#endif
