/*
 * exp, log, sin and cos in plain double arithmetic, in one fixed order: the C
 * library's own differ in the last bit between processors (it picks versions
 * with fused multiply-add) and between systems, and what is drawn from them,
 * such as a crop's sides, must not. Within 2 units in the last place; for
 * finite arguments, |x| up to 1e5 for sin and cos, and x > 0 for log.
 */
#ifndef BASE_PORTABLE_H
#define BASE_PORTABLE_H

double portable_exp(double x);
double portable_log(double x);
double portable_sin(double x);
double portable_cos(double x);

#endif
