#include "pretext/permutations.h"

#include <stdlib.h>
#include <string.h>

enum { ALL = 362880 }; /* 9! */
#define ONES 0x111111111u /* nine nibbles of 1 */

/* Every permutation as nine nibbles, in lexicographic order. */
static void list_all(uint64_t *all)
{
    uint8_t p[PERMUTATION] = {0, 1, 2, 3, 4, 5, 6, 7, 8};

    for (int k = 0; k < ALL; k++) {
        all[k] = 0;
        for (int i = 0; i < PERMUTATION; i++)
            all[k] |= (uint64_t)p[i] << 4 * i;
        /* The next one: swap the last ascent with the least larger element after it, reverse the rest. */
        int i = PERMUTATION - 2, j = PERMUTATION - 1;
        while (i >= 0 && p[i] > p[i + 1])
            i--;
        if (i < 0)
            break;
        while (p[j] < p[i])
            j--;
        uint8_t t = p[i];
        p[i] = p[j];
        p[j] = t;
        for (int a = i + 1, b = PERMUTATION - 1; a < b; a++, b--) {
            t = p[a];
            p[a] = p[b];
            p[b] = t;
        }
    }
}

/* The number of nibbles that differ: each to its lowest bit, then summed into the ninth by a multiplication. */
static inline unsigned distance(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ b;

    x |= x >> 2;
    x |= x >> 1;
    return (unsigned)((x & ONES) * (uint64_t)ONES >> 32) & 15;
}

int permutations_distance(const uint8_t *a, const uint8_t *b)
{
    int d = 0;

    for (int i = 0; i < PERMUTATION; i++)
        d += a[i] != b[i];
    return d;
}

int permutations_make(uint8_t (*set)[PERMUTATION], int n, err *e)
{
    uint64_t *all = malloc(ALL * sizeof *all);
    /* Distance to the nearest of the set, then the sum: compared as one number. A member's nearest is itself: 0. */
    uint32_t *score = malloc(ALL * sizeof *score);
    int rc = -1, next = 0;

    if (!all || !score) {
        err_nomem(e);
        goto out;
    }
    list_all(all);
    for (int k = 0; k < ALL; k++)
        score[k] = (uint32_t)15 << 24;
    for (int m = 0; m < n; m++) {
        uint64_t chosen = all[next];
        uint32_t best = 0;
        for (int i = 0; i < PERMUTATION; i++)
            set[m][i] = (uint8_t)(chosen >> 4 * i & 15);
        for (int k = 0; k < ALL; k++) {
            uint32_t d = distance(all[k], chosen), least = score[k] >> 24, sum = (score[k] & 0xffffff) + d;
            score[k] = (d < least ? d : least) << 24 | sum;
        }
        for (int k = 0; k < ALL; k++)
            best = score[k] > best ? score[k] : best;
        for (next = 0; score[next] != best;)
            next++;
    }
    rc = 0;
out:
    free(all);
    free(score);
    return rc;
}
