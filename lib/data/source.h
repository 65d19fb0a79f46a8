/*
 * Data sources: folders, tars, binary data sets. A source is one file and one
 * row of the table below. It lists what it holds and reads one entry, from any
 * thread; one that can also come down a pipe hands out its images in turn.
 */
#ifndef DATA_SOURCE_H
#define DATA_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "data/listing.h"
#include "stream/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The bytes of one image. Zero-initialise, reuse, item_free(). */
typedef struct item {
    const uint8_t *p; /* an image file's bytes, or pixels; borrowed, mostly from own */
    size_t n;
    int h, w, c;      /* pixels (h, w, c) when c > 0 */
    const char *path; /* the same bytes on disk, or NULL; borrowed from the entry */
    buf own;
    sample fields;    /* of a saved stream, those that are passed on; borrows from own */
} item;

void item_free(item *it);

/* One image from a pipe. Strings are borrowed until the next call. */
typedef struct record {
    const char *key, *split, *class; /* split and class may be NULL */
} record;

typedef struct source source;

typedef struct source_probe {
    const char *path;
    bool folder;
    uint8_t head[512]; /* a file's first bytes */
    size_t n;
} source_probe;

typedef struct source_type {
    const char *name; /* for --format */
    const char *help;
    /* Whether this is one; NULL: only by name. */
    bool (*is)(const source_probe *p);
    /* Append entries to l, with source = s->number. */
    int (*list)(source *s, listing *l, err *e);
    /* Fill *it, which is empty but for its memory. Any thread. What is wrong with this image alone is ERR_INPUT. */
    int (*read)(const source *s, const entry *en, item *it, err *e);
    /* From a pipe: 1, 0 at the end, -1. NULL: not from a pipe. */
    int (*start)(source *s, err *e);
    int (*next)(source *s, record *r, item *it, err *e);
    void (*close)(source *s);
} source_type;

struct source {
    const source_type *type;
    const char *operand; /* borrowed */
    uint32_t number;
    int fd;              /* standard input; of a pipe, what to read */
    bool piped;          /* it can only be read in order: standard input, a fifo, a device */
    bool own_fd;
    bool folder;         /* the operand is one */
    uint8_t seen[512];   /* its first bytes, read already to see what it is */
    size_t seen_n;
    bool zero_ended;     /* a list's names end with NUL */
    const char *split;   /* the only split that will be read, or NULL: a hint */
    int h, w, c;         /* all images have this shape; 0: not known before they are decoded */
    const char *prefix;  /* goes before each key ("photos/") where there are several folders; "" otherwise */
    char digest[65];     /* of the content; "" for a pipe */
    const header *head;  /* of a saved stream; owned by state */
    /* From a pipe: called before waiting for input. */
    int (*on_wait)(void *arg, err *e);
    void *wait_arg;
    void *state;         /* the type's own; closed when not NULL */
};

/*
 * Find an operand's type: by its name, or by a look at the operand when format
 * is NULL. The operand "-" is s->fd. A pipe's first bytes are read into s->seen.
 */
int source_open(source *s, const char *operand, const char *format, err *e);
/* type->list() and the digest. */
int source_list(source *s, listing *l, err *e);
void source_close(source *s);

/* The table, for --list. */
void source_table(FILE *f);
const source_type *source_find(const char *name);

/* ---- The rows ---- */

extern const source_type source_folder, source_list_file, source_image, source_tar, source_saved, source_idx,
    source_cifar10, source_cifar100, source_stl10, source_npy;

/* The key of what is named s below the operand: the prefix before it, fit for a stream. NULL out of memory. */
char *source_key(const source *s, listing *l, const char *name, size_t n, err *e);

/* Read a whole file into it->own: how folders, lists and single images read theirs. */
int source_read_file(const source *s, const entry *en, item *it, err *e);

#endif
