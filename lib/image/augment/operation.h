/*
 * One augmentation: how it is written, what its parameters are, and what it
 * does to an image. A new one is a file with an `operation` and a line in table.c.
 */
#ifndef AUGMENT_OPERATION_H
#define AUGMENT_OPERATION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"
#include "image/image.h"

#include <stdbool.h>

enum { OPERATION_MAX_PARAMS = 8 };

enum param_type {
    PARAM_SIZE,   /* "32" (lo 32, hi 0) or "48x32", width x height (lo 48, hi 32) */
    PARAM_INT,    /* lo; the word in `words`, if any, stands for -1 */
    PARAM_RANGE,  /* "0.2-1" (lo, hi), or "0.2" (both) */
    PARAM_SPREAD, /* as a range, but a single x means centre - x to centre + x, no lower than min */
    PARAM_CHOICE  /* one of `words`, separated by '|'; lo is its place */
};

typedef struct param {
    const char *name; /* NULL ends a table */
    enum param_type type;
    const char *initial; /* the default, as one would write it; NULL: must be given; "": stays unset */
    const char *what;    /* a phrase for --list */
    double min, max;     /* of each number */
    double centre;       /* PARAM_SPREAD */
    const char *words;
} param;

typedef struct argument {
    bool set;
    double lo, hi;
} argument;

typedef struct operation {
    const char *name;
    const char *what;     /* one line for --list */
    const char *p;        /* the default probability, as written */
    const param *params;  /* in the order of values without a name */
    /* Optional: what the table cannot say; may set what is unset. ERR_USAGE. */
    int (*check)(argument *a, err *e);
    /* Optional (the size stays): from the size of an image, -1 where it varies, to that of the result. */
    void (*size)(const argument *a, int *w, int *h);
    /*
     * Draw what is random from r, and write the result to dst, another image
     * than src, which is not written to. `scratch` is for whatever is needed
     * (n is 0 on entry). 0 or -1.
     */
    int (*apply)(const argument *a, rng *r, const image *src, image *dst, buf *scratch, err *e);
} operation;

/* The table, in the order of --list; NULL ends it. */
extern const operation *const operations[];

extern const operation operation_crop, operation_centercrop, operation_resize;
extern const operation operation_flip, operation_vflip, operation_rotate;
extern const operation operation_jitter, operation_gray, operation_solarize;
extern const operation operation_blur, operation_sharpness, operation_erase;
extern const operation operation_affine, operation_perspective, operation_randaugment;
extern const operation operation_invert, operation_posterize, operation_autocontrast, operation_equalize;

#endif
