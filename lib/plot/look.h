/*
 * What tells series and classes apart: a colour, and, for those who print
 * without colours or see them otherwise, a shape, a dash or a hatching.
 */
#ifndef PLOT_LOOK_H
#define PLOT_LOOK_H

#include "plot/svg.h"

/*
 * The colour of series i of n. Up to ten differ: the sequences of six and ten that Petroff optimised for
 * colour-vision deficiencies ("Accessible color sequences for data visualization", arXiv:2107.02270).
 */
const char *look_colour(int i, int n);
/* SVG's stroke-dasharray. */
const char *look_dash(int i);

/* Shapes of points; they repeat after LOOK_MARKERS. */
#define LOOK_MARKERS 10
/* Whether the shape is an outline: drawn by stroke, and else by fill. */
bool look_is_outline(int marker);
/* A path of the shape round (x, y), as wide as about 2r. */
void look_marker(svg *s, int marker, double x, double y, double r);
/* The same as an element of its own. */
void look_point(svg *s, int marker, double x, double y, double r, const char *colour);

/* Define the hatchings once in a file; then the fill of series i is look_fill(). Each is over its colour. */
void look_hatchings(svg *s, int n);
void look_fill(int i, char out[24]);

#endif
