/*
 * An ordered worker pool: jobs go in, are worked on by several threads, and
 * come out in the order in which they went in. One thread owns the pool, does
 * the putting and taking, and is one of the workers: it works when it would
 * wait otherwise. With one thread, work happens inside pool_put() and no thread
 * is started, so that -j 1 is simple to debug.
 *
 *     while (more input) {
 *         if (pool_full(p)) { job = pool_take(p, true); use it; }
 *         pool_put(p, job);
 *     }
 *     while ((job = pool_take(p, true))) use it;
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/err.h"

#include <stdbool.h>

typedef struct pool pool;

/* Works on one job; called from any thread. worker is 0..threads-1, for per-thread scratch. Failures go into the job. */
typedef void pool_work(void *job, int worker, void *arg);

/* At most `window` jobs are between put and take. NULL on failure. */
pool *pool_new(int threads, int window, pool_work *work, void *arg, err *e);
/* Waits for the jobs in progress; jobs not yet taken are the caller's to free beforehand. */
void pool_free(pool *p);

bool pool_full(const pool *p);
/* The pool must not be full. */
void pool_put(pool *p, void *job);
/* The oldest job, when done; NULL when none is inside or, without wait, when it is not done yet. */
void *pool_take(pool *p, bool wait);

/* CPUs that this process may run on (its affinity mask), at least 1. */
int pool_cpus(void);

#endif
