/* Between decode.c and the decoders: each gives the upright image in its own 1 or 3 channels. */
#ifndef IMAGE_DECODE_IMPL_H
#define IMAGE_DECODE_IMPL_H

#include "image/decode.h"

#include <stdbool.h>

/* ERR_INPUT unless 0 < w * h <= the limit. */
int decode_check_size(const decode_opts *o, int64_t w, int64_t h, err *e);

/* ---- libjpeg-turbo; an instance is reused from image to image ---- */

typedef struct jpeg jpeg;

jpeg *jpeg_new(err *e);
void jpeg_free(jpeg *j);
bool jpeg_is(const uint8_t *p, size_t n);
/* 1: decoded; 0: colours that are left to libvips (CMYK, or a profile that is not sRGB's); -1. */
int jpeg_decode(jpeg *j, const decode_opts *o, const uint8_t *p, size_t n, image *out, int *orientation, err *e);

/* ---- libvips; started on first use, since that takes longer than many small images ---- */

int vips_decode(const decode_opts *o, const uint8_t *p, size_t n, const char *path, image *out, int *orientation, err *e);

/* ---- ICC ---- */

/* Whether a profile, or the beginning of one, says that it is sRGB's, in the description that every profile has. */
bool icc_is_srgb(const uint8_t *profile, size_t n);

/* ---- EXIF ---- */

/* The orientation 1..8 in the TIFF structure of an EXIF block (after "Exif\0\0"); 1 when there is none. */
int exif_orientation(const uint8_t *tiff, size_t n);

#endif
