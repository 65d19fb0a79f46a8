/*
 * Bytes in order, from a file or a pipe, with a look ahead. A file's bytes can
 * be skipped without reading them. Memory grows as bytes arrive, never from a
 * length that the data claims.
 */
#ifndef DATA_FEED_H
#define DATA_FEED_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct feed {
    int fd;       /* borrowed */
    int64_t size; /* of a file; -1: a pipe */
    uint64_t pos; /* of the next byte */
    buf b;        /* b.p + at is the next byte */
    size_t at;
    int (*on_wait)(void *arg, err *e); /* may be NULL: called before a read that may wait */
    void *wait_arg;
} feed;

/* A regular file is read with pread() from its start; anything else with read(). */
void feed_start(feed *f, int fd);
void feed_free(feed *f);

/* Bytes that were already read from a pipe; they come first. */
int feed_push(feed *f, const void *p, size_t n, err *e);

/* Look at the next n bytes: *p is valid until the next call. How many there are, fewer only at the end, or -1. */
int64_t feed_peek(feed *f, size_t n, const uint8_t **p, err *e);
/* Pass over n bytes: 1, 0 when the end comes first, or -1. */
int feed_skip(feed *f, uint64_t n, err *e);

#endif
