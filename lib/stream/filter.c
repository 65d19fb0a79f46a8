#include "stream/filter.h"

#include "base/buf.h"
#include "base/pool.h"
#include "stream/frame.h"

#include <stdlib.h>

/* A sample on its way through the pool. */
typedef struct job {
    buf in;         /* a copy of its frame, when another thread works on it */
    sample s;
    int64_t number; /* in the input */
    frame out;
    int rc;
    err e;
} job;

typedef struct run {
    const filter *f;
    reader *r;
    writer *w;
    pool *pool;
    job *jobs;
    job **idle; /* a stack */
    int n_jobs, n_idle;
    int64_t done, skipped;
    bool stop;  /* each() has had enough */
    bool failed;
    err e;      /* why, in the order of the input */
} run;

static void work(void *job_, int worker, void *run_)
{
    job *j = job_;
    const filter *f = ((run *)run_)->f;

    j->rc = 0;
    if (j->in.n)
        j->rc = sample_parse(&j->s, j->in.p + FRAME_HEAD + FRAME_CRC, j->in.n - FRAME_HEAD - FRAME_CRC, &j->e);
    frame_begin(&j->out, FRAME_SAMPLE);
    if (j->rc == 0)
        j->rc = f->fn(&j->s, &j->out, worker, f->arg, &j->e);
    if (j->rc == 0)
        j->rc = frame_end(&j->out, &j->e);
    if (j->rc < 0)
        sample_where(&j->s, j->number, &j->e);
}

/* Write a finished job. After a failure, or when enough has been written, jobs are only put away. */
static void emit(run *x, job *j)
{
    if (!x->failed && !x->stop) {
        if (j->rc < 0) {
            x->failed = true;
            x->e = j->e;
        } else if (j->rc > 0) {
            x->skipped++;
        } else if (writer_put(x->w, &j->out, &x->e)) {
            x->failed = true;
        } else {
            x->done++;
            x->stop = x->f->each && x->f->each(x->done, x->f->arg);
        }
    }
    x->idle[x->n_idle++] = j;
}

/* The input has paused: finish what is under way, unless more comes in the meantime, and send it. */
static int on_wait(void *run_, err *e)
{
    run *x = run_;
    job *j;

    while (!x->failed && !x->stop && (j = pool_take(x->pool, true))) {
        emit(x, j);
        if (reader_ready(x->r))
            return 0;
    }
    if (!x->failed && writer_flush(x->w, &x->e))
        x->failed = true;
    if (x->failed || x->stop) {
        *e = x->e;
        return -1; /* leave the reader; loop() knows why */
    }
    return 0;
}

static int submit(run *x, const sample *s, err *e)
{
    job *j = x->idle[--x->n_idle];

    j->number = reader_count(x->r) - 1;
    j->in.n = 0;
    if (x->f->threads > 1) {
        size_t n;
        const uint8_t *p = reader_frame(x->r, &n);
        if (buf_add(&j->in, p, n, e)) {
            x->idle[x->n_idle++] = j;
            return -1;
        }
    } else {
        j->s.n = s->n;
        for (int i = 0; i < s->n; i++)
            j->s.f[i] = s->f[i];
    }
    pool_put(x->pool, j);
    return 0;
}

static int loop(run *x, err *e)
{
    sample s;
    job *j;
    int rc = 0;

    while (!x->failed && !x->stop && (rc = reader_next(x->r, &s, e)) > 0) {
        if (pool_full(x->pool))
            emit(x, pool_take(x->pool, true));
        if ((rc = submit(x, &s, e)) < 0)
            break;
        while ((j = pool_take(x->pool, false)))
            emit(x, j);
    }
    /* Also after a failure of the input: what came before it goes out, whatever the number of threads. */
    while (!x->failed && !x->stop && (j = pool_take(x->pool, true)))
        emit(x, j);
    if (x->failed)
        *e = x->e;
    return x->failed || (rc < 0 && !x->stop) ? -1 : 0;
}

static int start(run *x, const filter *f, err *e)
{
    int window = f->threads > 1 ? 4 * f->threads : 1;

    x->n_jobs = window;
    x->jobs = calloc((size_t)window, sizeof *x->jobs);
    x->idle = calloc((size_t)window, sizeof *x->idle);
    if (!x->jobs || !x->idle)
        return err_nomem(e);
    for (int i = 0; i < window; i++)
        x->idle[x->n_idle++] = &x->jobs[i];
    x->pool = pool_new(f->threads, window, work, x, e);
    return x->pool ? 0 : -1;
}

int filter_run(const filter *f, reader *r, const header *h, int out_fd, err *e)
{
    run x = {.f = f, .r = r};
    int rc = -1;

    x.w = writer_new(out_fd, h, e);
    if (!x.w) {
        stream_abort(out_fd, f->tool, e);
        return -1;
    }
    if (start(&x, f, e) == 0) {
        reader_on_wait(r, on_wait, &x);
        rc = loop(&x, e);
        reader_on_wait(r, NULL, NULL);
    }
    if (rc == 0)
        rc = writer_finish(x.w, x.skipped + reader_skipped(r), e);
    if (rc)
        writer_abort(x.w, f->tool, e);
    pool_free(x.pool);
    for (int i = 0; x.jobs && i < x.n_jobs; i++) {
        buf_free(&x.jobs[i].in);
        frame_free(&x.jobs[i].out);
    }
    free(x.jobs);
    free(x.idle);
    writer_free(x.w);
    return rc;
}
