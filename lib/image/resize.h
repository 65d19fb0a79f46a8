/*
 * Resampling with antialiasing, as Pillow's Image.resize(size, filter, box,
 * reducing_gap=None) does it: when an axis shrinks, the filter's support grows
 * with the scale; the horizontal pass comes first; both passes round to 8 bits.
 * Coefficients are fixed-point (22 bits) and computed in Pillow's order, so for
 * boxes of whole pixels the result is Pillow's to the byte, on every machine.
 */
#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H

#include "image/image.h"

#define RESIZE_MAX_BYTES (1 << 30) /* of a result: more than a frame holds is refused */

enum resample { RESAMPLE_NEAREST, RESAMPLE_BOX, RESAMPLE_BILINEAR, RESAMPLE_BICUBIC, RESAMPLE_LANCZOS };

/*
 * The box (x, y, w, h) of src, in pixels and within it, to out_w x out_h in
 * dst. Pixels outside the box contribute where the filter reaches them.
 * src and dst are different images. 0 or -1.
 */
int image_resize(const image *src, double x, double y, double w, double h, int out_w, int out_h,
                 enum resample filter, image *dst, err *e);

/* Crop, then resize: pixels outside the box do not contribute (torchvision's resized_crop). */
int image_crop_resize(const image *src, int x, int y, int w, int h, int out_w, int out_h,
                      enum resample filter, image *dst, err *e);

/* The size with a short side of n: the long side is truncated, as by torchvision's Resize(n). */
void image_short_side(int w, int h, int n, int *out_w, int *out_h);

#endif
