/*
 * Resampling with antialiasing, as Pillow's Image.resize(size, filter, box,
 * reducing_gap=None) does it: when an axis shrinks, the filter's support grows
 * with the scale; the horizontal pass comes first; both passes round to 8 bits.
 */
#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H

#include "image/image.h"

enum resample { RESAMPLE_NEAREST, RESAMPLE_BOX, RESAMPLE_BILINEAR, RESAMPLE_BICUBIC, RESAMPLE_LANCZOS };

/*
 * The box (x, y, w, h) of src, in pixels and within it, to out_w x out_h in
 * dst. src and dst are different images. 0 or -1.
 */
int image_resize(const image *src, double x, double y, double w, double h, int out_w, int out_h,
                 enum resample filter, image *dst, err *e);

#endif
