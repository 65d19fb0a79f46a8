/*
 * An order that visits groups evenly: in each epoch of n positions every group
 * that has members gets n / groups of them (Caron et al., "Deep clustering",
 * ECCV 2018, section 3.3: images are drawn uniformly over the clusters). A
 * group's members come in a random order, and again in another one until the
 * group has had its share, so some come several times and others not at all.
 */
#ifndef DATA_UNIFORM_H
#define DATA_UNIFORM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct uniform {
    size_t n, groups;   /* members in all; groups that have any */
    uint64_t key;
    uint32_t *begin;    /* [groups + 1] into `members`; owned, like all below */
    uint32_t *members;  /* [n], group by group */
    uint32_t *v, *visit; /* [n]: the epoch's order, and how often each has come before, in all epochs */
    uint32_t *visits;   /* [n]: of each member so far */
    int64_t epoch;      /* of v; -1: none */
} uniform;

/* group[i] is member i's, from 0 to groups - 1. uniform_clear() also after a failure. 0 or -1. */
int uniform_init(uniform *u, const int32_t *group, size_t n, int groups, uint64_t key, err *e);
/* The member at a position, and how often it came before. Positions that go forward are cheap. */
size_t uniform_index(uniform *u, int64_t pos, int64_t *visit);
void uniform_clear(uniform *u);

#endif
