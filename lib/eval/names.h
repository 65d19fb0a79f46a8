/*
 * Strings numbered in the order in which they are first met: class names,
 * splits. Zero-initialise; names_clear() when done.
 */
#ifndef EVAL_NAMES_H
#define EVAL_NAMES_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct names {
    char **v; /* owned, NUL-terminated */
    int n;
    int32_t *slots; /* hash table: a number + 1, or 0 */
    size_t n_slots; /* a power of two, at least twice n */
} names;

/* The number of s[0..len-1], cut at a NUL, which is added if it is new; -1 out of memory. */
int names_number(names *t, const char *s, size_t len, err *e);
/* Its number, or -1 when it is not there. */
int names_find(const names *t, const char *s, size_t len);
void names_clear(names *t);

#endif
