#include "nn/team.h"

#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* How long a thread looks for the next loop before it sleeps: about 20 microseconds, longer than the serial parts of a step. */
enum { SPINS = 2000 };

typedef struct member {
    team *t;
    int index;
    pthread_t id;
    /* Its share of the loop in progress: the generation above the number of jobs not yet taken, so that a thread that
     * wakes too late cannot take a job of the next loop. A cache line of its own. */
    _Alignas(64) _Atomic uint64_t claim;
} member;

struct team {
    int threads, started;
    member *members;

    /* The loop in progress. */
    team_job *fn;
    void *arg;
    int jobs;
    _Atomic uint32_t generation; /* written when all else is ready */
    _Alignas(64) _Atomic int done;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* a loop or a call began, or stop */
    pthread_cond_t idle; /* the call ended */
    _Atomic int sleepers;
    _Atomic bool stop;
    void (*call)(void *);
    void *call_arg;
};

static inline void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#endif
}

/* Where the share of a thread begins. */
static int share_begin(const team *t, int thread)
{
    return (int)((int64_t)t->jobs * thread / t->threads);
}

/* Takes jobs of one share of the loop of this generation until none is left. */
static void work_on(team *t, uint32_t generation, int share, int thread)
{
    _Atomic uint64_t *claim = &t->members[share].claim;
    uint64_t c = atomic_load_explicit(claim, memory_order_acquire);

    while (c >> 32 == generation && (uint32_t)c > 0) {
        if (!atomic_compare_exchange_weak_explicit(claim, &c, c - 1, memory_order_acq_rel, memory_order_acquire))
            continue;
        /* The loop cannot end before this job is done, so fn, arg and jobs are this generation's. */
        t->fn(t->arg, share_begin(t, share + 1) - (int)(uint32_t)c, thread);
        atomic_fetch_add_explicit(&t->done, 1, memory_order_release);
        c = atomic_load_explicit(claim, memory_order_acquire);
    }
}

/* The thread's own share, and then what others have not come to. */
static void work(team *t, uint32_t generation, int thread)
{
    for (int i = 0; i < t->threads; i++)
        work_on(t, generation, (thread + i) % t->threads, thread);
}

static void wake_sleepers(team *t)
{
    if (atomic_load(&t->sleepers) > 0) {
        pthread_mutex_lock(&t->lock);
        pthread_cond_broadcast(&t->wake);
        pthread_mutex_unlock(&t->lock);
    }
}

void team_run(team *t, int jobs, team_job *fn, void *arg)
{
    if (t->threads == 1 || jobs == 1) {
        for (int i = 0; i < jobs; i++)
            fn(arg, i, 0);
        return;
    }
    if (jobs < 1)
        return;

    uint32_t generation = atomic_load_explicit(&t->generation, memory_order_relaxed) + 1;
    t->fn = fn;
    t->arg = arg;
    t->jobs = jobs;
    atomic_store_explicit(&t->done, 0, memory_order_relaxed);
    for (int i = 0; i < t->threads; i++)
        atomic_store_explicit(&t->members[i].claim, (uint64_t)generation << 32 | (uint32_t)(share_begin(t, i + 1) - share_begin(t, i)),
                              memory_order_release);
    atomic_store(&t->generation, generation);
    wake_sleepers(t);
    work(t, generation, 0);
    for (int spins = 0; atomic_load_explicit(&t->done, memory_order_acquire) != jobs;) {
        if (++spins < SPINS)
            relax();
        else
            sched_yield(); /* a member lost its CPU in the middle of a job */
    }
}

static void *follow(void *arg)
{
    member *m = arg;
    team *t = m->t;
    uint32_t seen = 0;

    while (!atomic_load(&t->stop)) {
        uint32_t now = 0;
        for (int spins = 0; spins < SPINS; spins++) {
            now = atomic_load_explicit(&t->generation, memory_order_acquire);
            if (now != seen)
                break;
            relax();
        }
        if (now == seen) {
            pthread_mutex_lock(&t->lock);
            atomic_fetch_add(&t->sleepers, 1);
            while (atomic_load(&t->generation) == seen && !atomic_load(&t->stop))
                pthread_cond_wait(&t->wake, &t->lock);
            atomic_fetch_sub(&t->sleepers, 1);
            pthread_mutex_unlock(&t->lock);
            continue;
        }
        seen = now;
        work(t, now, m->index);
    }
    return NULL;
}

static void *lead(void *arg)
{
    team *t = ((member *)arg)->t;

    pthread_mutex_lock(&t->lock);
    while (!atomic_load(&t->stop)) {
        if (!t->call) {
            pthread_cond_wait(&t->wake, &t->lock);
            continue;
        }
        pthread_mutex_unlock(&t->lock);
        t->call(t->call_arg);
        pthread_mutex_lock(&t->lock);
        t->call = NULL;
        pthread_cond_signal(&t->idle);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

void team_call(team *t, void (*fn)(void *arg), void *arg)
{
    if (t->threads == 1) {
        fn(arg);
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->call = fn;
    t->call_arg = arg;
    pthread_cond_broadcast(&t->wake);
    while (t->call)
        pthread_cond_wait(&t->idle, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

/* Best effort: a refusal (a container's cgroup) costs speed only. */
static void pin(const team *t)
{
    cpu_set_t all, one;

    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) != t->threads)
        return;
    for (int cpu = 0, i = 0; cpu < CPU_SETSIZE && i < t->threads; cpu++)
        if (CPU_ISSET(cpu, &all)) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pthread_setaffinity_np(t->members[i++].id, sizeof one, &one);
        }
}

team *team_new(int threads, err *e)
{
    team *t = aligned_alloc(alignof(team), sizeof *t);

    if (!t) {
        err_nomem(e);
        return NULL;
    }
    *t = (team){0};
    t->threads = threads > 0 ? threads : pool_cpus();
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    pthread_cond_init(&t->idle, NULL);
    if (t->threads == 1)
        return t;
    t->members = aligned_alloc(alignof(member), (size_t)t->threads * sizeof *t->members);
    if (!t->members) {
        err_nomem(e);
        team_free(t);
        return NULL;
    }

    /* Signals are the main thread's business. */
    sigset_t all, old;
    int failed = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; t->started < t->threads && !failed; t->started += !failed) {
        member *m = &t->members[t->started];
        *m = (member){.t = t, .index = t->started};
        failed = pthread_create(&m->id, NULL, m->index == 0 ? lead : follow, m);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        err_set(e, ERR_RUN, "cannot start %d threads", t->threads);
        team_free(t);
        return NULL;
    }
    pin(t);
    return t;
}

void team_free(team *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->stop, true);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    for (int i = 0; i < t->started; i++)
        pthread_join(t->members[i].id, NULL);
    pthread_cond_destroy(&t->idle);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t->members);
    free(t);
}

int team_threads(const team *t)
{
    return t->threads;
}
