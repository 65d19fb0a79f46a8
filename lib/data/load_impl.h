/* What one run of load_run() holds. Between load.c and load_header.c. */
#ifndef DATA_LOAD_IMPL_H
#define DATA_LOAD_IMPL_H

#include "base/pool.h"
#include "data/load.h"
#include "data/select.h"
#include "data/source.h"
#include "data/uniform.h"
#include "stream/assignments.h"
#include "stream/stream.h"

#define LOAD_TOOL "ssl-load"

enum { BATCH = 32 }; /* most images of one job */

/* An image from a pipe, on its way. */
typedef struct piece {
    item it;
    buf text; /* key, split and class, each with its NUL; an absent one is empty */
    int64_t index;
} piece;

/* One frame to make. */
typedef struct task {
    const entry *en; /* where it comes from: listed */
    piece *from;     /* or from a pipe; owned */
    int64_t index, pos, epoch;
    frame out;
    int rc;
    err e;
} task;

typedef struct job {
    task t[BATCH];
    int n;
} job;

typedef struct scratch { /* a worker's */
    decoder *d;
    item it;
    image im;
} scratch;

typedef struct load {
    const load_opts *o;
    source *s;
    int sources;
    bool pipe;
    char **prefix; /* owned, one a source */
    listing l;
    selection sel;
    order ord;
    assignments groups; /* of --uniform-by */
    uniform even;
    uint64_t key; /* of all our random decisions */
    header h;
    writer *w;

    pool *pool;
    scratch *scratch;
    job *jobs, **idle;
    int n_jobs, n_idle;

    int64_t first, step, end; /* positions to visit: first, first + step, ... below end (-1: until the pipe ends) */
    int64_t total;  /* frames of the whole run; -1: not known */
    int64_t done, skipped;
    err bad;        /* the first image that was skipped */
} load;

/* The selection, the order, the positions to visit, and the header that says so. The sources are listed or started. */
int load_header(load *L, err *e);

#endif
