/*
 * A bounds-checked walk over msgpack, for bytes that nobody has vouched for
 * yet. It allocates nothing. msgpack-c allocates from element counts before it
 * has seen the elements, so nothing reaches it that has not been walked.
 * Private to lib/stream.
 */
#ifndef STREAM_WALK_H
#define STREAM_WALK_H

#include <stddef.h>
#include <stdint.h>

typedef enum head_type {
    HEAD_NIL, HEAD_BOOL, HEAD_INT, HEAD_BIG, /* an unsigned integer above INT64_MAX */
    HEAD_FLOAT, HEAD_STR, HEAD_BIN, HEAD_EXT, HEAD_ARRAY, HEAD_MAP
} head_type;

/* What one msgpack object says before its contents. */
typedef struct head {
    head_type type;
    union {
        int64_t i;  /* HEAD_INT, HEAD_BOOL */
        double f;   /* HEAD_FLOAT */
        uint32_t n; /* bytes of STR, BIN, EXT; elements of ARRAY; pairs of MAP */
    };
} head;

/*
 * Read the head at *p and step over it: to the bytes of a STR, BIN or EXT
 * (past an EXT's type), to the first element of an ARRAY or MAP. The bytes, or
 * the least bytes that the elements can take, are known to be there. 0 or -1.
 */
int walk_head(const uint8_t **p, const uint8_t *end, head *h);

/*
 * Step over one whole object, nested at most `depth` deep (a scalar is 0 deep,
 * [1] is 1), of at most *values objects, which is counted down. 0; or -1 when
 * it is malformed, -2 too deep, -3 too many.
 */
int walk_skip(const uint8_t **p, const uint8_t *end, int depth, size_t *values);

#endif
