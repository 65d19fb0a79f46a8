/*
 * A contact sheet: the images of a stream's first samples on one page, with
 * captions. A sample is a card: all its images (views, rotations, patches) side
 * by side, each above its target where it has one of its own; below them class
 * and key. Tiny images are enlarged by a whole factor, pixel by pixel; large
 * ones are reduced. Of some tasks the pictures are composed: see example.h;
 * `image` and `views`, where they were kept, stand before these.
 */
#ifndef IMAGE_SHEET_H
#define IMAGE_SHEET_H

#include "base/buf.h"
#include "base/err.h"
#include "stream/header.h"
#include "stream/stream.h"

#include <stdbool.h>

typedef struct sheet sheet;

/*
 * `only`: draw this field alone; NULL: what an example asks, or every field that is an image (|u1,
 * [H,W,C] or [P,H,W,C] with 1 or 3 channels), in the frame's order. h is
 * borrowed until sheet_free(). ERR_INPUT when it declares nothing to draw.
 */
sheet *sheet_new(const header *h, const char *only, err *e);
void sheet_free(sheet *s);

/* How many samples of this stream fill a sheet well. */
int sheet_capacity(const sheet *s);

/* Take a card from a sample; its pixels are copied (and reduced). ERR_INPUT when it has nothing to draw. */
int sheet_add(sheet *s, const sample *in, err *e);
int sheet_count(const sheet *s);

/* A card has room for so many images. Of the one that lacks most: how many it was to have, and has; 0 where none lacks any. */
int64_t sheet_wanted(const sheet *s, int *drawn);

/*
 * Draw the cards and append a PNG file to out. *text: whether captions could be
 * drawn; where they cannot, the sheet has none and e says why, but the result
 * is 0. -1: no sheet.
 */
int sheet_png(sheet *s, buf *out, bool *text, err *e);

#endif
