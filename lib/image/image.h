/*
 * An 8-bit image in memory: rows from the top, pixels from the left, channels
 * interleaved (HWC), no padding. Zero-initialise; image_free() when done.
 * Memory is kept and reused when the shape changes.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct image {
    int h, w, c; /* c: 1 (grey) or 3 (RGB) */
    uint8_t *p;  /* owned; h * w * c bytes in use */
    size_t cap;
} image;

/* Take this shape; the pixels are undefined afterwards. 0 or -1 (out of memory). */
int image_shape(image *im, int h, int w, int c, err *e);
int image_copy(image *dst, const image *src, err *e);
void image_free(image *im);

static inline size_t image_bytes(const image *im)
{
    return (size_t)im->h * (size_t)im->w * (size_t)im->c;
}

/*
 * Luma of ITU-R BT.601 as Pillow's convert("L") rounds it:
 * (19595 R + 38470 G + 7471 B + 32768) >> 16.
 */
static inline uint8_t image_luma(const uint8_t *rgb)
{
    return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
}

/* To 1 or 3 channels, in place: luma, or the grey value three times. */
int image_channels(image *im, int c, err *e);

/*
 * Undo an EXIF orientation (1..8; others count as 1): the image that is meant
 * to be seen. tmp is scratch; the two may trade memory.
 */
int image_orient(image *im, int orientation, image *tmp, err *e);

#endif
