/*
 * A chain of augmentations, written as operands in the manner of SoX:
 *
 *     crop:32,scale=0.2-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2
 *
 * An operand is NAME[:VALUE,...][,PARAMETER=VALUE,...]; every operation takes
 * p=PROBABILITY, or p=P/P/... for the first, second, ... view (the last one
 * holds for the rest). @NAME[:SIZE] stands for a preset's operands. What
 * follows the operand "+" is a second chain, for small, local views.
 *
 * Each operation draws from a generator of its own, keyed by the chain's key,
 * its name, its ordinal among the operations of that name, the view, the epoch
 * and the index, so no operation moves another.
 */
#ifndef AUGMENT_CHAIN_H
#define AUGMENT_CHAIN_H

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct chain chain;

/* NULL and ERR_USAGE when an operand is wrong. */
chain *chain_new(char *const *operands, int n, err *e);
void chain_free(chain *c);
/* The chain after "+", or NULL. It is c's, and draws apart from it. */
const chain *chain_local(const chain *c);

int chain_length(const chain *c);
/* The most values that a p= lists: as many views are meant, at least. */
int chain_views(const chain *c);
/* Operation i as an operand with every parameter by name, appended to out. */
int chain_text(const chain *c, int i, buf *out, err *e);
/* The size of the result for images of w x h; -1 stands for one that varies. */
void chain_size(const chain *c, int *w, int *h);

/* Before the first chain_apply(). */
void chain_set_key(chain *c, uint64_t key);

/* What one thread needs; zero-initialise, work_free(). */
typedef struct work {
    image a, b;
    buf scratch;
} work;

void work_free(work *k);

/*
 * One view of src. *result is src or an image of k's, valid until the next call
 * with k. 0 or -1; the message begins with the operation's name. Any number of
 * threads may share c.
 */
int chain_apply(const chain *c, int view, int64_t epoch, int64_t index, const image *src, work *k,
                const image **result, err *e);

/* The tables, as text for --list. */
int chain_list(buf *out, err *e);

#endif
