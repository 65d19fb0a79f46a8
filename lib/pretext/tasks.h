/* The tasks' rows, one file each; see pretext.h. */
#ifndef PRETEXT_TASKS_H
#define PRETEXT_TASKS_H

#include "pretext/pretext.h"

extern const pretext_task pretext_rotate;
extern const pretext_task pretext_jigsaw;
extern const pretext_task pretext_context;
extern const pretext_task pretext_colorize;
extern const pretext_task pretext_inpaint;
extern const pretext_task pretext_superres;
extern const pretext_task pretext_labels;
extern const pretext_task pretext_contrast;
extern const pretext_task pretext_cluster;
extern const pretext_task pretext_pirl;

#endif
