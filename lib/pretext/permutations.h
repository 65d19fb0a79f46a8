/*
 * Sets of permutations of the nine patches of a jigsaw puzzle, far from each
 * other: each next one has the largest Hamming distance to its nearest
 * neighbour in the set so far, and among those the largest sum of distances
 * (Algorithm 1 of Noroozi and Favaro, ECCV 2016, takes the sum alone, which
 * now and then admits near twins); among those the first in lexicographic
 * order. It begins with the identity. So the set is the same everywhere, and
 * a smaller one is the beginning of a larger one.
 */
#ifndef PRETEXT_PERMUTATIONS_H
#define PRETEXT_PERMUTATIONS_H

#include "base/err.h"

#include <stdint.h>

enum { PERMUTATION = 9, PERMUTATIONS_MAX = 10000 };

/* Fills set[n][PERMUTATION], n up to PERMUTATIONS_MAX; about 1 ms each. 0 or -1 (out of memory). */
int permutations_make(uint8_t (*set)[PERMUTATION], int n, err *e);

/* In how many places two differ. */
int permutations_distance(const uint8_t *a, const uint8_t *b);

#endif
