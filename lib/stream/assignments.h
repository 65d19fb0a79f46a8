/*
 * Assignments in memory: which cluster each sample belongs to, by its key, for
 * each head. What ssl-cluster writes and others join to their own samples.
 */
#ifndef STREAM_ASSIGNMENTS_H
#define STREAM_ASSIGNMENTS_H

#include "base/names.h"
#include "stream/stream.h"

typedef struct assignments {
    name_set keys;
    int32_t *cluster; /* [keys.n][heads], each in 0..clusters-1; owned */
    size_t cap;
    int heads, clusters;
    value *history;   /* of the stream; owned, may be NULL */
    char digest[65];  /* of its samples */
} assignments;

/* Read a whole stream of kind "assignments" from a file. ERR_INPUT names it. assignments_clear() also after a failure. */
int assignments_load(assignments *a, const char *path, err *e);
void assignments_clear(assignments *a);

/* The clusters of a key, one a head; NULL when it is not there. */
const int32_t *assignments_find(const assignments *a, const char *key, size_t len);
/* The same for a sample's field `key`. */
const int32_t *assignments_of(const assignments *a, const sample *s);

#endif
