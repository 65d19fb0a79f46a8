/*
 * A sheet of answers: what a network was given, what it made of it, and what
 * was true, side by side.
 */
#ifndef IMAGE_PREVIEW_H
#define IMAGE_PREVIEW_H

#include "image/sheet.h"

typedef struct preview preview;

/* h: of the examples or the model; its history makes the heading; borrowed only for this call. NULL: out of memory. */
preview *preview_new(const header *h, err *e);
void preview_free(preview *p);

/* Pixels of an image [h, w, c], c 1 or 3; borrowed. */
typedef struct preview_image {
    int h, w, c;
    const uint8_t *pixels;
} preview_image;

/* One card. */
int preview_add(preview *p, const char *key, preview_image given, preview_image answer, preview_image truth, err *e);

/* As sheet_png(). */
int preview_png(preview *p, buf *out, bool *text, err *e);

#endif
