/* Threads of the engine: where they may run, and that nothing of it reaches the caller or its children. */
#include "base/pool.h"
#include "nn/team.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS = 1000 };

typedef struct seen {
    team *t;
    cpu_set_t allowed[16]; /* of each thread */
    atomic_int started, taken[JOBS];
    int first[16]; /* who took the first job of each share */
} seen;

static void job(void *arg, int i, int thread)
{
    seen *s = arg;

    atomic_fetch_add(&s->taken[i], 1);
    sched_getaffinity(0, sizeof s->allowed[thread], &s->allowed[thread]);
    /* The first job of each share waits for those of the others: every thread must begin with its own. */
    for (int share = 0; share < team_threads(s->t); share++)
        if (i == JOBS * share / team_threads(s->t)) {
            s->first[share] = thread;
            atomic_fetch_add(&s->started, 1);
            while (atomic_load(&s->started) < team_threads(s->t))
                sched_yield();
        }
}

static void loop(void *arg)
{
    seen *s = arg;

    team_run(s->t, JOBS, job, s);
}

static void run(seen *s, int threads)
{
    err e;

    *s = (seen){0};
    s->t = team_new(threads, &e);
    cr_assert(s->t, "%s", e.msg);
    team_call(s->t, loop, s);
    for (int i = 0; i < JOBS; i++)
        cr_assert(s->taken[i] == 1, "job %d ran %d times", i, s->taken[i]);
    for (int i = 0; i < team_threads(s->t); i++)
        cr_assert(s->first[i] == i, "thread %d began with the share of thread %d", s->first[i], i);
}

Test(team, fills_the_mask_one_thread_a_processor)
{
    static seen s;
    cpu_set_t mine, all;
    int cpus = pool_cpus();

    if (cpus < 2 || cpus > 16)
        cr_skip_test("needs 2 to 16 processors, and has %d", cpus);
    sched_getaffinity(0, sizeof mine, &mine);
    run(&s, 0);
    cr_assert(team_threads(s.t) == cpus);
    CPU_ZERO(&all);
    for (int i = 0; i < cpus; i++) {
        cr_expect(CPU_COUNT(&s.allowed[i]) == 1, "thread %d may run on %d processors", i, CPU_COUNT(&s.allowed[i]));
        CPU_OR(&all, &all, &s.allowed[i]);
    }
    cr_expect(CPU_EQUAL(&all, &mine), "two threads are on one processor");

    /* The caller and a child of it may still run everywhere. */
    cpu_set_t now;
    sched_getaffinity(0, sizeof now, &now);
    cr_expect(CPU_EQUAL(&now, &mine));
    pid_t child = fork();
    if (child == 0) {
        sched_getaffinity(0, sizeof now, &now);
        _exit(!CPU_EQUAL(&now, &mine));
    }
    int status = -1;
    waitpid(child, &status, 0);
    cr_expect(status == 0, "a child is held to fewer processors");
    team_free(s.t);
}

/* Fewer threads than processors, or more: two trainers side by side must not claim the same one. */
Test(team, leaves_a_smaller_or_larger_team_free)
{
    static seen s;
    cpu_set_t mine;
    int cpus = pool_cpus();

    sched_getaffinity(0, sizeof mine, &mine);
    for (int threads = 1; threads <= 4; threads++) {
        if (threads == cpus)
            continue;
        run(&s, threads);
        for (int i = 0; i < threads; i++)
            cr_expect(CPU_EQUAL(&s.allowed[i], &mine), "thread %d of %d is pinned", i, threads);
        team_free(s.t);
    }
}
