/*
 * The loop of every filter: read a sample, work on it (on several threads,
 * order kept), write a frame; flush before waiting; trailer on success, abort
 * frame on failure.
 */
#ifndef STREAM_FILTER_H
#define STREAM_FILTER_H

#include "stream/stream.h"

/*
 * Turn one sample into one frame. Called from any thread; `worker` numbers it.
 * Return 0 (frame built up to, not including, frame_end), 1 to drop the sample
 * (it is counted as skipped), or -1.
 */
typedef int filter_fn(const sample *in, frame *out, int worker, void *arg, err *e);

typedef struct filter {
    const char *tool; /* for the abort frame */
    int threads;      /* at least 1 */
    filter_fn *fn;
    void *arg;
    /* Optional: after each sample written, with the count so far (progress). Return 1 to stop early with success. */
    int (*each)(int64_t done, void *arg);
} filter;

/*
 * Run to the end of r. The header `h` goes out first. The trailer's count of
 * skipped samples includes the input's, if that was read to its end. Output is
 * the same for any number of threads, also up to a failure: what precedes it is
 * written, then the abort frame. Errors of fn get "sample N 'key'" in front. A
 * reader that has gone is ERR_GONE, which tool_main() takes for success.
 */
int filter_run(const filter *f, reader *r, const header *h, int out_fd, err *e);

#endif
