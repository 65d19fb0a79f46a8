/*
 * The learning rate over a run of T steps, as a factor of the base rate.
 *
 *     warm-up, t < W:  (t + 1) / W                          (Goyal et al. 2017)
 *     constant:        1
 *     cosine:          (1 + cos(pi (t - W) / (T - W))) / 2  (Loshchilov and Hutter 2017)
 *     step:            factor^(number of marks m with t >= m T)
 */
#ifndef NN_SCHEDULE_H
#define NN_SCHEDULE_H

#include "base/err.h"
#include "stream/value.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_MAX_MARKS 16

typedef enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_STEP } schedule_kind;

typedef struct schedule {
    schedule_kind kind;
    int64_t steps;  /* T; -1: without end (constant only) */
    int64_t warmup; /* W */
    double factor;
    double mark[SCHEDULE_MAX_MARKS]; /* fractions of the run, ascending */
    int marks;
} schedule;

/* "constant", "cosine", "step" or "step:factor=0.2,at=0.3/0.6/0.8". ERR_USAGE. Steps and warm-up are the caller's to set. */
int schedule_parse(schedule *s, const char *text, err *e);
/* Whether the schedule depends on the number of steps. */
bool schedule_needs_steps(const schedule *s);
/* The factor of the base rate at step t = 0, 1, ... */
double schedule_at(const schedule *s, int64_t t);
/* The text that schedule_parse() takes, for the history; NULL when memory is out. */
value *schedule_text(const schedule *s);

#endif
