/*
 * A progress line with rate and ETA. Silent unless the descriptor is a
 * terminal; redrawn at most ten times a second.
 *
 *     ssl-train: [=======>        ] 43 % 25,800/60,000 images  2,310/s  ETA 0:15  loss 0.71
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    int fd; /* -1: silent */
    const char *tool, *unit;
    int64_t total, start; /* total -1: unknown (no bar, no ETA) */
    double t0, last;
    bool drawn;
} progress;

/* `tool` and `unit` are borrowed until progress_end. `start`: work that was done before (a resumed run). */
void progress_start(progress *p, int fd, const char *tool, const char *unit, int64_t start, int64_t total, bool quiet);
/* `extra` (may be NULL) follows the figures, e.g. "loss 0.71". */
void progress_update(progress *p, int64_t done, const char *extra);
/* Clears the line, so that messages and prompts start on a clean one. */
void progress_end(progress *p);

/* Seconds on the monotonic clock. */
double progress_clock(void);

#endif
