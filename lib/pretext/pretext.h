/*
 * Pretext tasks: what turns images into inputs and targets. A task is one file
 * in this folder and one line in the table of pretext.c; the trainer knows only
 * the objective that the task declares in the header.
 *
 * A task states
 *   - its parameters, with defaults and limits (they are parsed, checked and
 *     recorded for it);
 *   - in declare(), once, on the input's header: what its samples will hold,
 *     the objective and the input transform (and it prepares what every sample
 *     needs, such as a set of permutations);
 *   - in sample(), from any thread: the entries that it adds to one frame.
 *
 * Which fields there are is the task's own affair: `input` |u1[P,H,W,C] and
 * `target` are usual, `weight` or further tensors are not excluded. Objectives
 * and the fields that they need are specified in ssl-stream(5).
 */
#ifndef PRETEXT_PRETEXT_H
#define PRETEXT_PRETEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"
#include "stream/header.h"
#include "stream/stream.h"
#include "stream/value.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct pretext pretext;

typedef enum pretext_type { PRETEXT_INT, PRETEXT_REAL, PRETEXT_WORD } pretext_type;

typedef struct pretext_param {
    const char *name; /* NULL ends the list */
    pretext_type type;
    const char *standard; /* the default, as it would be written; NULL: must be given */
    double min, max;      /* PRETEXT_INT and PRETEXT_REAL */
    const char *choices;  /* "2|4": nothing else is taken; NULL: anything */
    const char *help;
} pretext_param;

typedef struct pretext_task {
    const char *name;
    const char *help;            /* one line */
    const pretext_param *params; /* may be NULL; values without a name are taken in this order */
    int (*declare)(pretext *p, header *h, err *e);
    /* 0, or 1 to leave the sample out (it is counted), or -1. */
    int (*sample)(const pretext *p, const sample *in, frame *out, int worker, err *e);
    /* Optional, for --estimate: take what the task wants to know of a sample, one after the other; then say it in text. */
    int (*observe)(pretext *p, const sample *in, err *e);
    int (*report)(const pretext *p, buf *out, err *e);
    void (*clear)(pretext *p); /* frees p->state; may be NULL */
    bool assigned; /* it needs p->assign */
} pretext_task;

/* A task with its parameters: what an operand such as `rotate:angles=2` says. */
struct pretext {
    const pretext_task *task;
    value *params;   /* owned; every parameter: int, float or str */
    const char *assign; /* --assign: a file of assignments; borrowed, set before pretext_declare() */
    /* Set by pretext_declare(), before the task's declare(): */
    bool gray;       /* images of one channel */
    int64_t classes; /* how many the header lists; 0: none */
    uint64_t key;    /* of this stage's random decisions; see pretext_rng() */
    int workers;     /* sample() is called with worker 0..workers-1 */
    const value *history; /* of another stream that the task read, a parent by the name of `role`; borrowed from state */
    const char *role;
    void *state;     /* the task's own, made by declare() and only read by sample() */
};

/* ---- For the tool ---------------------------------------------------------- */

extern const pretext_task *const pretext_tasks[]; /* NULL ends the table */

/* From an operand. ERR_USAGE when the task or a parameter is unknown or out of range. pretext_clear() is due only after 0. */
int pretext_init(pretext *p, const char *operand, err *e);
void pretext_clear(pretext *p);

/*
 * Make h, the header of an images or views stream, that of the examples: kind,
 * fields, objective, input transform. `keep`: image and views stay. The history
 * is left to the caller. Randomness is keyed by the seed and by how many
 * ssl-pretext records the history already has.
 */
int pretext_declare(pretext *p, header *h, uint64_t seed, bool keep, int workers, err *e);

/* Fill a frame that has been begun; the caller ends it. Thread-safe. */
int pretext_sample(const pretext *p, const sample *in, frame *out, bool keep, int worker, err *e);

/* ---- For the tasks --------------------------------------------------------- */

/* The images of one sample: its `views`, else its `image` as a stack of one. */
typedef struct pretext_images {
    int64_t n, height, width, channels;
    const uint8_t *data; /* [n, height, width, channels]; borrowed */
} pretext_images;

int pretext_get_images(const sample *in, pretext_images *x, err *e);

/* The same shape [n, H, W, C] as the header declares it, -1 where it varies. */
int pretext_declared(const header *h, int64_t shape[4], err *e);

/* Those images, unchanged, as the field `input`. */
void pretext_put_input(frame *out, const pretext_images *x);

/* One little-endian <i4 into a tensor's (unaligned) bytes. */
void pretext_store_i4(uint8_t *at, int32_t v);

/* The generator of one sample's decisions about view (or patch) `view`. */
rng pretext_rng(const pretext *p, const sample *in, int view);

/*
 * Declare an objective: {"name", "task", and what is set on it afterwards}.
 * The header owns it; the returned map is borrowed, for more entries. NULL when
 * memory is out.
 */
value *pretext_objective(const pretext *p, header *h, const char *name, err *e);

#endif
