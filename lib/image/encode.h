/* An image as a file, through libvips; the same bytes each time. */
#ifndef IMAGE_ENCODE_H
#define IMAGE_ENCODE_H

#include "base/buf.h"
#include "image/image.h"

/* Appended to out. */
int image_png(const image *im, buf *out, err *e);
/* quality: 1..100. */
int image_jpeg(const image *im, int quality, buf *out, err *e);

#endif
