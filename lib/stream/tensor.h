/*
 * Tensors as they travel: a dtype, a shape, and bytes in C order. In a frame a
 * tensor is the msgpack array [dtype, [shape...], bin]. Little endian; the
 * bytes are unaligned, so read them with memcpy, never through a cast.
 */
#ifndef STREAM_TENSOR_H
#define STREAM_TENSOR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TENSOR_MAX_DIMS 8

typedef enum dtype { DT_U1, DT_I4, DT_I8, DT_F4, DT_F8, DT_COUNT } dtype;

/* "|u1", "<i4", "<i8", "<f4", "<f8"; sizes in bytes. */
const char *dtype_name(dtype t);
size_t dtype_size(dtype t);
/* -1 when the name is not one of the above. */
int dtype_parse(const char *s, size_t n);

typedef struct tensor {
    dtype type;
    int ndim;
    int64_t shape[TENSOR_MAX_DIMS];
    const uint8_t *data; /* borrowed, unaligned */
    size_t bytes;        /* product of shape times the dtype's size */
} tensor;

/* Elements; ndim 0 is a scalar (1). Assumes a checked shape. */
int64_t tensor_count(const tensor *t);
/* Bytes of a shape, or -1 when a dimension is negative or the product exceeds `limit`. */
int64_t tensor_bytes(dtype type, int ndim, const int64_t *shape, int64_t limit);
/* "[3,32,32]" into out. */
const char *tensor_shape_text(int ndim, const int64_t *shape, char out[128]);

#endif
