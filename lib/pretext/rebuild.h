/* What the tasks share that ask for an image (or for its colours) back: the objective `reconstruct`. */
#ifndef PRETEXT_REBUILD_H
#define PRETEXT_REBUILD_H

#include "pretext/pretext.h"

typedef struct rebuild_task {
    int up, down;   /* the answer is up / down times as large as the input */
    const char *show; /* what an answer means to the eye: "rgb", "ab", "ab-bins" */
    int channels, classes; /* one of them is 0 */
    int skip;       /* maps that the decoder leaves out */
    double spread;  /* of the targets' channels, as -1..1; 0: not told, and taken for 1 */
} rebuild_task;

/* Declare the objective. Returns its map for more entries; NULL with e set. */
value *rebuild_declare(pretext *p, header *h, const rebuild_task *t, err *e);

/* The colour that stands where nothing is shown: ImageNet's mean, as the usual normalisation makes it 0. */
extern const uint8_t rebuild_mean[3];
#define REBUILD_MEAN_GRAY 114

#endif
