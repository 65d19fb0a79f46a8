#include "image/augment/draw.h"

#include "base/portable.h"

#include <math.h>

double draw_range(rng *r, const argument *range)
{
    return rng_range(r, range->lo, range->hi);
}

void draw_sides(rng *r, double area, const argument *scale, const argument *ratio, int *a, int *b)
{
    double part = area * draw_range(r, scale);
    double quotient = portable_exp(rng_range(r, portable_log(ratio->lo), portable_log(ratio->hi)));

    *a = (int)rint(fmin(sqrt(part * quotient), 1e9));
    *b = (int)rint(fmin(sqrt(part / quotient), 1e9));
}
