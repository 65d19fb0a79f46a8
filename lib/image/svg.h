/* SVG drawings as pixels, through libvips (librsvg). */
#ifndef IMAGE_SVG_H
#define IMAGE_SVG_H

#include "base/buf.h"

/*
 * Draw an SVG file of n bytes at `scale` pixels to its unit, and append a PNG file to out. ERR_RUN, with
 * the reason, where this machine's libvips cannot read SVG.
 */
int svg_png(const void *svg, size_t n, double scale, buf *out, err *e);

#endif
