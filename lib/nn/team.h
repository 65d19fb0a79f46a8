/*
 * The engine's own threads: a fork-join team for loops of independent jobs.
 *
 * The caller of team_call() never computes: a team of T > 1 threads starts T
 * of its own and the caller sleeps. So the engine may pin its threads, one a
 * CPU, without anything leaking to the caller, its other threads or its
 * children. Threads are pinned only when they fill the affinity mask; a smaller
 * team leaves its placement to the kernel, so that two trainers side by side
 * do not both claim the first CPU.
 *
 * Each thread begins with its share of the jobs: thread t of T has the t-th of T
 * equal runs of them. So loops whose jobs are rows in order find each row in the
 * caches of the processor that wrote it, which matters where processors do not
 * share a cache. A thread that has finished takes what the others have not come
 * to, so a job must not depend on its thread. Then results are the same bits for
 * any number of threads.
 */
#ifndef NN_TEAM_H
#define NN_TEAM_H

#include "base/err.h"

typedef struct team team;

/* threads 0: every CPU in the affinity mask. NULL on failure. */
team *team_new(int threads, err *e);
void team_free(team *t);
int team_threads(const team *t);

/* Runs fn(arg) on the team's first thread and waits. */
void team_call(team *t, void (*fn)(void *arg), void *arg);

/*
 * Inside team_call(): runs fn(arg, job, thread) for every job in 0..jobs-1 and
 * waits. `thread` is 0..threads-1, for scratch. Each share is taken in order.
 */
typedef void team_job(void *arg, int job, int thread);
void team_run(team *t, int jobs, team_job *fn, void *arg);

#endif
