/*
 * How well two groupings of the same samples agree, from the table of how many
 * samples each pair of groups shares: table[a * B + b], a < A, b < B.
 */
#ifndef EVAL_AGREEMENT_H
#define EVAL_AGREEMENT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* I(a; b) / sqrt(H(a) H(b)) (Strehl and Ghosh 2002), as DeepCluster reports it; 1 when both are one single group. */
double agreement_nmi(const int64_t *table, size_t A, size_t B);

/* The adjusted Rand index (Hubert and Arabie 1985): 1 for equal groupings, 0 expected by chance. */
double agreement_ari(const int64_t *table, size_t A, size_t B);

/*
 * The largest share of samples that is right when each group a stands for at most one group b and each
 * b for at most one a: the Hungarian method with shortest augmenting paths (Kuhn 1955; Jonker and
 * Volgenant 1987). -1 when memory is out.
 */
double agreement_matched(const int64_t *table, size_t A, size_t B, err *e);

#endif
