/* Axes: which numbers stand on them, and where. */
#ifndef PLOT_AXIS_H
#define PLOT_AXIS_H

#include "base/err.h"
#include "plot/svg.h"

typedef struct axis {
    double low, high; /* of the data, widened by axis_init() */
    double from, to;  /* where these are on the page */
    double step;      /* between ticks; log: 0 */
    bool log;
} axis;

/*
 * Ticks at 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for graph labels", Graphics Gems 1990),
 * about `ticks` of them. With `whole` ends are widened to ticks. low <= high, finite; log: low > 0.
 * ERR_INPUT: a double has no room for the axis or for its ticks.
 */
int axis_init(axis *a, double low, double high, double from, double to, int ticks, bool log, bool whole, err *e);
double axis_at(const axis *a, double v);

/* The i-th tick from 0; false: there is none. text: its number. */
bool axis_tick(const axis *a, int i, double *v, char text[32]);

/* A number as a person writes it: 12k for 12000, 0.05, 1e-4. */
void axis_number(double v, double step, char text[32]);

#endif
