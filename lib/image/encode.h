/* An image as a PNG file, through libvips; the same bytes each time. */
#ifndef IMAGE_ENCODE_H
#define IMAGE_ENCODE_H

#include "base/buf.h"
#include "image/image.h"

/* Appended to out. */
int image_png(const image *im, buf *out, err *e);

#endif
