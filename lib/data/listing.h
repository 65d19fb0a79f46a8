/*
 * What there is to load: one entry an image, in the order of the source.
 * Nothing is opened to make an entry; a million of them are cheap.
 */
#ifndef DATA_LISTING_H
#define DATA_LISTING_H

#include "base/err.h"
#include "base/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct entry {
    const char *key;  /* UTF-8, borrowed from the listing */
    const char *path; /* of a file of its own, as open() takes it; else NULL */
    uint64_t offset;  /* where in the source's file otherwise */
    int64_t size;     /* stored bytes; -1: not known without opening it */
    int32_t split, class; /* ids in the listing's names; -1: none */
    uint32_t source;  /* number of the source */
    uint32_t part;    /* which of the source's files */
} entry;

typedef struct block block;

typedef struct listing {
    entry *v; /* owned */
    size_t n, cap;
    name_set splits, classes;
    name_set declared;     /* classes that the source says there are, whether or not they have images */
    block *text;        /* owned: where keys and paths live */
    size_t ignored;     /* files that are no images, by their name_set */
    const char *example; /* one of them */
} listing;

void listing_free(listing *l);
/* Empty it, but keep its memory for the next entries. */
void listing_reset(listing *l);
int listing_add(listing *l, const entry *en, err *e);

/* A NUL-terminated copy that lives as long as the listing; NULL out of memory. */
char *listing_text(listing *l, const char *s, size_t n, err *e);
/* The same for two strings, one behind the other. */
char *listing_join(listing *l, const char *a, const char *b, err *e);

/*
 * As listing_text, fit for a stream: bytes that are not UTF-8, and control
 * characters, become %XX.
 */
char *listing_escape(listing *l, const char *s, size_t n, err *e);
bool listing_clean(const char *s, size_t n); /* whether that would change nothing */

/* Whether a folder of that name is a split: train, val, test or unlabeled. */
bool listing_is_split(const char *s, size_t n);

/*
 * Split and class from a path, the same for folders, lists and tars: the last
 * folder is the class, unless it is named train, val, test or unlabeled; the
 * nearest folder of such a name is the split.
 */
int listing_classify(listing *l, entry *en, const char *path, size_t n, err *e);

/* A class that exists, with or without images. */
int listing_declare(listing *l, const char *class, size_t n, err *e);

/* Whether a file name ends as image files do. */
bool listing_is_image(const char *name, size_t n);

/*
 * Identifies what the entries from..to-1 say: SHA-256 over one line an entry,
 * key TAB split TAB class TAB size LF, with what is not known left empty. The
 * first `skip` bytes of the keys do not count.
 */
void listing_digest(const listing *l, size_t from, size_t to, size_t skip, char hex[65]);

/* Make keys unique: the second entry of a key becomes key~2, and so on. */
int listing_unique(listing *l, err *e);

#endif
