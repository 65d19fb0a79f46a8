/* What several operations draw. */
#ifndef AUGMENT_DRAW_H
#define AUGMENT_DRAW_H

#include "image/augment/operation.h"

double draw_range(rng *r, const argument *range);

/*
 * The sides of a rectangle with an area of `area` times a number uniform in
 * `scale`, and a ratio a / b whose logarithm is uniform in that of `ratio`;
 * rounded half to even. They may be 0, or larger than the image.
 */
void draw_sides(rng *r, double area, const argument *scale, const argument *ratio, int *a, int *b);

#endif
