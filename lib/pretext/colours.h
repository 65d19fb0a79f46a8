/*
 * How often each colour of the grid of base/lab.h occurs in images, and how much
 * its pixels are to count, so that the rare, saturated colours are learnt too
 * (Zhang, Isola and Efros, ECCV 2016, section 2.2).
 *
 * On disk a distribution is text: a line "a<TAB>b<TAB>p", then one for each of
 * the 313 colours, in any order, with p >= 0 in any unit.
 */
#ifndef PRETEXT_COLOURS_H
#define PRETEXT_COLOURS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/lab.h"

/* Read a file; p sums to 1. ERR_INPUT names file and line. */
int colours_read(const char *path, double p[LAB_BINS], err *e);
/* The text of a distribution, appended. */
int colours_write(const double p[LAB_BINS], buf *out, err *e);
/* That of CIFAR-10's 50,000 training images at 8 x 8. */
void colours_builtin(double p[LAB_BINS]);

/* w = 1 / ((1 - lambda) p + lambda / 313), scaled so that the sum of p w is 1. */
void colours_weights(const double p[LAB_BINS], double lambda, double w[LAB_BINS]);

#endif
