/*
 * A stream as a table: one row a sample, one column a field. What a sample
 * lacks is -1 (its integers count from 0), NaN or the empty string, and is
 * left out again when the rows become samples.
 */
#ifndef EXPORT_COLUMNS_H
#define EXPORT_COLUMNS_H

#include "base/buf.h"
#include "export/export.h"
#include "stream/stream.h"

typedef struct column {
    char *name; /* owned */
    field_type type;
    dtype dtype; /* of tensors, like the two below */
    int ndim;
    int64_t shape[TENSOR_MAX_DIMS]; /* of one row */
    size_t size; /* bytes of one row; 0 for strings */
    buf data;    /* int64_t, double, a tensor's bytes, or strings, each with its NUL */
    int64_t rows;
} column;

typedef struct columns {
    column c[STREAM_MAX_FIELDS];
    int n;
    int64_t rows;
} columns;

/* Read to the end of r. ERR_INPUT for a field that has no place in a table. columns_clear() when done, also after a failure. */
int columns_read(columns *t, reader *r, err *e);
/* A new column, empty. */
column *columns_add(columns *t, const char *name, field_type type, err *e);
column *columns_find(columns *t, const char *name);
/* A new tensor column, empty. */
column *columns_add_tensor(columns *t, const char *name, dtype type, int ndim, const int64_t *shape, err *e);
/* As samples of a stream; what every sample must have (key, index) is made up where it is missing. */
int columns_write(columns *t, const export_file *f, int fd, err *e);
void columns_clear(columns *t);

#endif
