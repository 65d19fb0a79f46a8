/*
 * A growable run of bytes. Zero-initialise it; buf_free() when done.
 * Growth is geometric; a failed growth leaves the buffer as it was.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct buf {
    uint8_t *p; /* owned */
    size_t n;   /* bytes in use */
    size_t cap;
} buf;

/* Make room for `more` bytes beyond n. 0 or -1 (out of memory). */
int buf_reserve(buf *b, size_t more, err *e);
int buf_add(buf *b, const void *p, size_t n, err *e);
int buf_addf(buf *b, err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void buf_free(buf *b);

#endif
