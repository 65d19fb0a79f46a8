/* Which entries of a listing a run is about, and in which order it visits them. */
#ifndef DATA_SELECT_H
#define DATA_SELECT_H

#include "data/listing.h"

typedef struct select_opts {
    const char *split;   /* or NULL */
    const char *classes; /* "cat,dog" or NULL */
    int64_t limit;       /* 0: all */
    bool balance;        /* the limit is shared out evenly over the classes */
    uint64_t key;        /* of the random subset */
} select_opts;

typedef struct selection {
    uint32_t *v; /* owned: entries, in the listing's order; v[index] */
    size_t n;
    int *label;        /* owned: of each class id; -1: not selected */
    const char **class; /* owned array of borrowed names, sorted by bytes; class[label] */
    int classes;
} selection;

/*
 * limit takes those entries whose random numbers are smallest, so a smaller
 * limit is a subset of a larger one. ERR_INPUT when nothing is left.
 */
int select_entries(selection *s, const listing *l, const select_opts *o, err *e);
void select_clear(selection *s);

/* Whether a name is in a list "cat,dog". */
bool select_named(const char *list, const char *name);

/*
 * The order of a run: position pos is entry order_index() of the selection, in
 * epoch pos / n. Shuffled, every epoch has an order of its own.
 */
typedef struct order {
    size_t n;
    bool shuffle;
    uint64_t key;
    uint32_t *v;   /* owned: the shuffled order of `epoch` */
    int64_t epoch; /* of v; -1: none */
} order;

int order_init(order *o, size_t n, bool shuffle, uint64_t key, err *e);
size_t order_index(order *o, int64_t pos);
void order_clear(order *o);

#endif
