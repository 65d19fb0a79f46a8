/*
 * Geometric changes as Pillow's Image.transform() makes them: each pixel of dst
 * is taken from a place in src, whose pixel centres are at 0.5, 1.5, ...;
 * where that place is outside of src, dst is `fill`, a grey level.
 *
 * dst has its shape already, and as many channels as src. Nearest is Pillow's
 * to the byte, bilinear within one grey level.
 */
#ifndef AUGMENT_WARP_H
#define AUGMENT_WARP_H

#include "image/image.h"

enum warp { WARP_NEAREST, WARP_BILINEAR };

#define WARP_NAMES "nearest|bilinear"

/* (x, y) comes from (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]). */
void warp_affine(image *dst, const image *src, const double m[6], enum warp filter, int fill);

/* (x, y) comes from (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), both over m[6] x + m[7] y + 1. */
void warp_perspective(image *dst, const image *src, const double m[8], enum warp filter, int fill);

/*
 * The matrix for warp_affine() that shears about (cx, cy) by shear[0] along x,
 * then by shear[1] along y, scales, turns clockwise by `degrees`, and moves by
 * (x, y) pixels: torchvision's _get_inverse_affine_matrix(). Angles in degrees.
 */
void warp_matrix(double m[6], double cx, double cy, double degrees, double x, double y, double scale, const double shear[2]);

/*
 * The matrix for warp_perspective() that takes the corners of a w x h image,
 * the centres of its corner pixels at 0 and w - 1, to the four points `to`
 * (x, y; from the top left clockwise). -1 if there is none.
 */
int warp_corners(double m[8], int w, int h, const double to[4][2]);

#endif
