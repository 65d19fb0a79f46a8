/*
 * Strings numbered in the order in which they are first met: class names,
 * splits. Zero-initialise; names_clear() when done.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct name_set {
    char **v; /* owned, NUL-terminated */
    int n;
    int32_t *slots; /* hash table: a number + 1, or 0 */
    size_t n_slots; /* a power of two, at least twice n */
} name_set;

/* The number of s[0..len-1], cut at a NUL, which is added if it is new; -1 out of memory. */
int names_number(name_set *t, const char *s, size_t len, err *e);
/* Its number, or -1 when it is not there. */
int names_find(const name_set *t, const char *s, size_t len);
void names_clear(name_set *t);

#endif
