/* A file that is read here and there, by many threads: with pread(), or from memory when it came compressed. */
#ifndef DATA_BLOB_H
#define DATA_BLOB_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct blob {
    const char *path; /* borrowed; for messages */
    int fd;           /* -1: in memory */
    int64_t size;
    uint8_t *p; /* owned */
} blob;

/* A gzip file is inflated. */
int blob_open(blob *b, const char *path, err *e);
/* Exactly n bytes; ERR_INPUT "'path' is truncated" when they are not there. */
int blob_read(const blob *b, uint64_t offset, void *dst, size_t n, err *e);
void blob_close(blob *b);

#endif
