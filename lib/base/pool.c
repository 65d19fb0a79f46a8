#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct slot {
    void *job;
    bool done;
} slot;

struct pool {
    pool_work *work;
    void *arg;
    int threads; /* running beside the owner's, which is worker number `threads` */
    pthread_t *ids;
    slot *ring; /* window slots; job number i lives in ring[i % window] */
    unsigned long window, put, started, taken;
    bool stop;
    int next_worker;
    pthread_mutex_t lock;
    pthread_cond_t more, done;
};

/* The oldest job that nobody works on; the lock is held, but not while the work is done. */
static void work_on_next(pool *p, int worker)
{
    slot *s = &p->ring[p->started++ % p->window];

    pthread_mutex_unlock(&p->lock);
    p->work(s->job, worker, p->arg);
    pthread_mutex_lock(&p->lock);
    s->done = true;
    if (s == &p->ring[p->taken % p->window])
        pthread_cond_signal(&p->done);
}

static void *run(void *arg)
{
    pool *p = arg;

    pthread_mutex_lock(&p->lock);
    int worker = p->next_worker++;
    for (;;) {
        while (p->started == p->put && !p->stop)
            pthread_cond_wait(&p->more, &p->lock);
        if (p->stop)
            break;
        work_on_next(p, worker);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

pool *pool_new(int threads, int window, pool_work *work, void *arg, err *e)
{
    pool *p = calloc(1, sizeof *p);

    if (!p) {
        err_nomem(e);
        return NULL;
    }
    p->work = work;
    p->arg = arg;
    p->window = (unsigned long)(window < 1 ? 1 : window);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    pthread_cond_init(&p->done, NULL);
    p->ring = calloc(p->window, sizeof *p->ring);
    p->ids = calloc((size_t)(threads < 1 ? 1 : threads), sizeof *p->ids);
    if (!p->ring || !p->ids) {
        err_nomem(e);
        pool_free(p);
        return NULL;
    }
    if (threads < 2)
        return p;

    /* Signals are the main thread's business. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; p->threads < threads - 1; p->threads++)
        if (pthread_create(&p->ids[p->threads], NULL, run, p))
            break;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return p; /* fewer threads than asked for (even none) still work */
}

void pool_free(pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->threads; i++)
        pthread_join(p->ids[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p->ids);
    free(p->ring);
    free(p);
}

bool pool_full(const pool *p)
{
    return p->put - p->taken == p->window;
}

void pool_put(pool *p, void *job)
{
    slot *s = &p->ring[p->put % p->window];

    if (p->threads == 0) {
        p->work(job, 0, p->arg);
        *s = (slot){job, true};
        p->put++;
        p->started++;
        return;
    }
    pthread_mutex_lock(&p->lock);
    *s = (slot){job, false};
    p->put++;
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
}

void *pool_take(pool *p, bool wait)
{
    void *job = NULL;

    if (p->put == p->taken)
        return NULL;
    slot *s = &p->ring[p->taken % p->window];
    pthread_mutex_lock(&p->lock);
    while (!s->done && wait) {
        if (p->started != p->put)
            work_on_next(p, p->threads);
        else
            pthread_cond_wait(&p->done, &p->lock);
    }
    if (s->done) {
        job = s->job;
        p->taken++;
    }
    pthread_mutex_unlock(&p->lock);
    return job;
}

int pool_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
