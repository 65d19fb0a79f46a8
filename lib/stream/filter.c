#include "stream/filter.h"

#include "base/buf.h"
#include "base/pool.h"
#include "stream/frame.h"

#include <stdlib.h>

/*
 * Small samples travel through the pool several at a time, because handing a
 * job to another thread costs as much as the work on a small image.
 */
enum { BATCH = 16, BATCH_BYTES = 32 << 10 };

typedef struct job {
    buf in;                /* copies of the frames, one behind the other */
    size_t at[BATCH + 1];  /* where each begins */
    const sample *only;    /* or, with one thread, the reader's own sample */
    int n;
    int64_t first;         /* its number in the input */
    frame out[BATCH];
    int rc[BATCH];
    err e;                 /* why the last of them failed: none is tried after it */
} job;

typedef struct run {
    const filter *f;
    reader *r;
    writer *w;
    pool *pool;
    job *jobs, *filling;
    job **idle;            /* a stack */
    int n_jobs, n_idle;
    int64_t done, skipped;
    bool stop;             /* each() has had enough */
    bool failed;
    err e;                 /* why, in the order of the input */
} run;

static int work_on(job *j, int i, const sample *s, int worker, const filter *f)
{
    frame_begin(&j->out[i], FRAME_SAMPLE);
    int rc = f->fn(s, &j->out[i], worker, f->arg, &j->e);
    if (rc == 0)
        rc = frame_end(&j->out[i], &j->e);
    return rc < 0 ? sample_where(s, j->first + i, &j->e) : rc;
}

static void work(void *job_, int worker, void *run_)
{
    job *j = job_;
    const filter *f = ((run *)run_)->f;
    sample s;

    for (int i = 0; i < j->n; i++) {
        if (j->only) {
            j->rc[i] = work_on(j, i, j->only, worker, f);
        } else {
            const uint8_t *p = j->in.p + j->at[i] + FRAME_HEAD + FRAME_CRC;
            j->rc[i] = sample_parse(&s, p, j->at[i + 1] - j->at[i] - FRAME_HEAD - FRAME_CRC, &j->e);
            if (j->rc[i] == 0)
                j->rc[i] = work_on(j, i, &s, worker, f);
        }
        if (j->rc[i] < 0)
            return;
    }
}

/* Write what a finished job has made. After a failure, or when enough has been written, it is only put away. */
static void emit(run *x, job *j)
{
    for (int i = 0; i < j->n && !x->failed && !x->stop; i++) {
        if (j->rc[i] < 0) {
            x->failed = true;
            x->e = j->e;
        } else if (j->rc[i] > 0) {
            x->skipped++;
        } else if (writer_put(x->w, &j->out[i], &x->e)) {
            x->failed = true;
        } else {
            x->done++;
            x->stop = x->f->each && x->f->each(x->done, x->f->arg);
        }
    }
    j->n = 0;
    j->in.n = 0;
    x->idle[x->n_idle++] = j;
}

/* Hand over the job that is being filled, if there is one. */
static void submit(run *x)
{
    if (x->filling)
        pool_put(x->pool, x->filling);
    x->filling = NULL;
}

/* The input has paused: finish what is under way, unless more comes in the meantime, and send it. */
static int on_wait(void *run_, err *e)
{
    run *x = run_;
    job *j;

    submit(x);
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

static int add(run *x, const sample *s, err *e)
{
    job *j = x->filling;

    if (!j) {
        if (x->n_idle == 0)
            emit(x, pool_take(x->pool, true));
        j = x->filling = x->idle[--x->n_idle];
        j->first = reader_count(x->r) - 1;
    }
    if (x->f->threads > 1) {
        size_t n;
        const uint8_t *p = reader_frame(x->r, &n);
        if (buf_add(&j->in, p, n, e))
            return -1;
        j->at[++j->n] = j->in.n;
    } else {
        j->only = s;
        j->n = 1;
    }
    if (j->only || j->n == BATCH || j->in.n >= BATCH_BYTES)
        submit(x);
    return 0;
}

static int loop(run *x, err *e)
{
    sample s;
    job *j;
    int rc = 0;

    while (!x->failed && !x->stop && (rc = reader_next(x->r, &s, e)) > 0) {
        if ((rc = add(x, &s, e)) < 0)
            break;
        while ((j = pool_take(x->pool, false)))
            emit(x, j);
    }
    /* Also after a failure of the input: what came before it goes out, whatever the number of threads. */
    submit(x);
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
    /* How far the input had been read when it was enough depends on the threads, so then its own count is left out. */
    if (rc == 0)
        rc = writer_finish(x.w, x.skipped + (x.stop ? 0 : reader_skipped(r)), e);
    if (rc)
        writer_abort(x.w, f->tool, e);
    pool_free(x.pool);
    for (int i = 0; x.jobs && i < x.n_jobs; i++) {
        buf_free(&x.jobs[i].in);
        for (int k = 0; k < BATCH; k++)
            frame_free(&x.jobs[i].out[k]);
    }
    free(x.jobs);
    free(x.idle);
    writer_free(x.w);
    return rc;
}
