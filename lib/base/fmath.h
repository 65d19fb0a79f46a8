/*
 * exp and log from additions, multiplications and divisions in a fixed order,
 * so that a result does not depend on the C library or on the
 * instruction set that its exp() happens to pick. Within 2 units in the last
 * place (tested against libm).
 */
#ifndef BASE_FMATH_H
#define BASE_FMATH_H

#include <stddef.h>

/* e^x; 0 below -708 (no denormals), for x up to 709. */
double fmath_exp(double x);

/* The same of each of n, in their place, to the bit, and several times as fast. */
void fmath_exps(double *x, size_t n);

/* Natural logarithm of a normal positive number. */
double fmath_log(double x);

#endif
