/* Masks: which pixels of an image are hidden, and how much each one counts. */
#ifndef PRETEXT_MASK_H
#define PRETEXT_MASK_H

#include "base/err.h"
#include "base/rng.h"

#include <stdint.h>

/*
 * The middle `side` of the height and of the width is to be told. Of it, a
 * border of `overlap` pixels stays visible and counts `band`, so that the
 * answer fits to what is round it; the rest is hidden and counts 1 (Pathak et
 * al., "Context Encoders", CVPR 2016, section 4: a predicted border of the
 * visible counts ten times). weight [h, w]: 0 outside; hidden [h, w]: 1 where
 * nothing is shown. Returns how many pixels are hidden, which may be 0.
 */
int mask_centre(uint8_t *hidden, uint8_t *weight, int h, int w, double side, int overlap, int band);

/*
 * Regions of any shape that cover `area` of the image (exactly, to a pixel):
 * where smooth noise is greatest (the paper thresholds low-pass noise). The
 * noise is uniform on a grid of 6 x 6, interpolated by 3t^2 - 2t^3. 0 or -1
 * (out of memory).
 */
int mask_regions(uint8_t *hidden, int h, int w, double area, rng *r, err *e);

/* Squares of `side` of the shorter side, at random places, until they cover `area` at least. */
void mask_blocks(uint8_t *hidden, int h, int w, double side, double area, rng *r);

#endif
