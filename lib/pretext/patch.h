/*
 * Patches: what the tasks about the arrangement of an image's parts share.
 * Each guard here takes away a trace by which a network could find where a
 * patch was without looking at what it shows.
 */
#ifndef PRETEXT_PATCH_H
#define PRETEXT_PATCH_H

#include "base/rng.h"
#include "pretext/pretext.h"

/* What every patch task declares: the objective's arrangement, and per-patch normalisation. */
typedef struct patch_task {
    int count;     /* inputs of one example */
    int examples;  /* examples of one image (or view) */
    int patch;     /* pixels along a side of an input */
    int classes;
    int each, hidden, layers; /* of the objective classify */
} patch_task;

/*
 * Declare fields, objective and input transform for images of `shape` (pretext_declared()). The
 * transform is "image" (each patch by its own mean and deviation), and says the size of whole images
 * where the header does. Returns the objective's map for more entries; NULL with e set.
 */
value *patch_declare(pretext *p, header *h, const int64_t shape[4], const patch_task *t, err *e);

/*
 * dst [patch, patch, c] is the patch of the whole image [h, w, c] whose upper left
 * pixel is (y, x), each channel read up to `shift` pixels further down and
 * right by its own draw, but not beyond the image: edges of colour, which
 * chromatic aberration leaves, no longer tell where in a photograph they were.
 */
void patch_cut(uint8_t *dst, int patch, const uint8_t *whole, int h, int w, int c, int y, int x, int shift, rng *r);

/* n pixels of 3 channels to their luma, in place; nothing for one channel. */
void patch_gray(uint8_t *rgb, int n, int c);

/*
 * Take away what differs between green and magenta, which is what a lens's chromatic aberration moves: each pixel
 * becomes p (I - a'a / aa'), a = (-1, 2, -1), rounded (Doersch et al., section 3.1). Nothing for one channel.
 */
void patch_project_colour(uint8_t *rgb, int n, int c);

/*
 * Keep one random channel; the others become its mean with noise of one level
 * (Doersch et al. replace them by noise of 1/100 of the channel's deviation,
 * which would be lost in 8 bits). Nothing for one channel.
 */
void patch_drop_colour(uint8_t *rgb, int n, int c, rng *r);

/* Scale the square patch down to between `least` and patch^2 pixels in all, and back (bilinear). 0 or -1. */
int patch_degrade(uint8_t *p, int patch, int c, int least, rng *r, err *e);

/* Which of two values a parameter that was left at -1 takes: photographs have patches of 32 pixels and more. */
static inline bool patch_is_small(int patch)
{
    return patch < 32;
}

#endif
