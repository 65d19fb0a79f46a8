/*
 * The members of a tar archive: POSIX ustar and pax, GNU, v7. Archives joined
 * by cat are read as one. Memory is constant.
 */
#ifndef DATA_TAR_H
#define DATA_TAR_H

#include "data/feed.h"

typedef struct tar {
    feed f;
    uint64_t left;  /* bytes of the current member, with padding, not passed over yet */
    bool ended;     /* an end-of-archive block was the last thing seen */
    buf name;       /* a long name to come */
    int64_t size;   /* a size from a pax header; -1: none */
    bool sparse;
} tar;

typedef struct tar_member {
    char type;        /* '0' regular, '5' folder, ... */
    const char *name; /* valid until the next call */
    uint64_t offset;  /* of its bytes in the archive */
    int64_t size;
} tar_member;

/* fd is borrowed. */
void tar_start(tar *t, int fd);
void tar_free(tar *t);
/* 1; 0 at the end; -1: ERR_INPUT for what is no tar or a cut one. */
int tar_next(tar *t, tar_member *m, err *e);
/* The current member's first n bytes; fewer is an error. Valid until the next call. */
const uint8_t *tar_bytes(tar *t, size_t n, err *e);
/* Whether a block is a member's header, by its checksum. */
bool tar_is_header(const uint8_t block[512]);

#endif
