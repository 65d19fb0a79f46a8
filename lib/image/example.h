/*
 * What an example asks, as a person sees it: pictures composed of its fields,
 * where these alone would not show it. For
 *
 *   - patches (the objective has `places`): each puzzle as it is given, beside
 *     its patches where they belong;
 *   - colours of a grey image (`show` is "ab" or "ab-bins"): the grey image,
 *     beside it in its colours.
 */
#ifndef IMAGE_EXAMPLE_H
#define IMAGE_EXAMPLE_H

#include "image/image.h"
#include "stream/header.h"
#include "stream/stream.h"

enum { EXAMPLE_PICTURES = 8 };

typedef struct example {
    int n; /* pictures; 0: the fields are to be drawn as they are */
    int64_t of; /* how many there would be without the limit of EXAMPLE_PICTURES */
    image im[EXAMPLE_PICTURES];
    const char *label[EXAMPLE_PICTURES]; /* static */
} example;

/* How many pictures a stream's samples will have at most; 0 where none are composed. */
int example_declared(const header *h);

/* Zeroed at first; example_clear() also after a failure. ERR_INPUT where the fields are not as the objective says. */
int example_draw(example *x, const header *h, const sample *in, err *e);
void example_clear(example *x);

#endif
