/*
 * ZIP archives (PKWARE's APPNOTE.TXT), as far as .npz files need them: members
 * stored or deflated, no encryption. From 4 GiB on they are of the kind zip64.
 */
#ifndef DATA_ZIP_H
#define DATA_ZIP_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct zip_member {
    char name[256];
    const uint8_t *p; /* its bytes; borrowed from the archive, or from `inflated` until the next call */
    size_t n;
} zip_member;

typedef struct zip_reader {
    const uint8_t *p; /* the archive; borrowed */
    size_t n, at;     /* at: the next entry of the directory */
    uint64_t left;
    buf inflated;
} zip_reader;

/* ERR_INPUT where it is no archive. zip_read_end() when done, also after a failure. */
int zip_read(zip_reader *z, const uint8_t *p, size_t n, err *e);
/* The next member: 1, 0 after the last, -1. Lengths, offsets and checksums are verified. */
int zip_next(zip_reader *z, zip_member *m, err *e);
void zip_read_end(zip_reader *z);

typedef struct zip_writer {
    int fd; /* borrowed */
    uint64_t at;
    uint64_t limit; /* sizes and offsets from here on are written as zip64's; 0: 2^32 - 1. For tests */
    unsigned members;
    buf directory;
} zip_writer;

/* A member, stored: what is in head, then what is in p. Zero-initialise the writer but for fd. */
int zip_put(zip_writer *z, const char *name, const buf *head, const void *p, size_t n, err *e);
/* The directory. The writer is done with, also after a failure. */
int zip_end(zip_writer *z, err *e);
void zip_write_end(zip_writer *z);

#endif
