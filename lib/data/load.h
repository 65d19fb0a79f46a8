/* ssl-load's work: from sources to a stream of images. */
#ifndef DATA_LOAD_H
#define DATA_LOAD_H

#include "base/err.h"
#include "image/decode.h"

#include <stdbool.h>
#include <stdint.h>

#define LOAD_FOREVER INT64_MAX /* epochs without end */

typedef struct load_opts {
    char **operands; /* sources; borrowed, like all strings here */
    int n_operands;
    const char *list;   /* --files-from: a file of paths, "-" for in_fd; or NULL */
    bool zero_ended;    /* its entries end with NUL */
    const char *format; /* of the operands; NULL: look */
    const char *split, *classes;
    int64_t limit; /* 0: none */
    bool balance;
    int64_t epochs; /* LOAD_FOREVER: without end */
    bool shuffle;
    const char *uniform_by; /* a file of assignments: visit its clusters evenly, in random order; or NULL */
    int64_t buffer;  /* images that shuffling holds when it reads a pipe */
    int64_t seed;    /* -1: the seed of the first saved stream, else 0 */
    int64_t shard, shards; /* positions with pos % shards == shard */
    int64_t skip;    /* positions below are left out */
    decode_opts decode;
    bool skip_bad;
    int threads;
    int in_fd, out_fd;
    /* Optional: after each image with how many are done of how many (-1: unknown). */
    void (*each)(int64_t done, int64_t total, void *arg);
    /* Optional: a remark for the user. */
    void (*note)(const char *text, void *arg);
    void *arg;
} load_opts;

/*
 * Load it all and write the stream. On failure the abort frame has been
 * written. ERR_USAGE for what a pipe cannot do (several epochs).
 */
int load_run(const load_opts *o, err *e);

#endif
