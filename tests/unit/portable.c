/* Elementary functions in plain arithmetic: close to the C library's. */
#include "base/portable.h"

#include <criterion/criterion.h>
#include <math.h>

/* In units of the last place of the true value. */
static double error(double got, double want)
{
    double ulp = nextafter(fabs(want), INFINITY) - fabs(want);

    return fabs(got - want) / ulp;
}

Test(portable, exponential_and_logarithm)
{
    for (double x = -700; x < 700; x += 0.37)
        cr_assert_lt(error(portable_exp(x), exp(x)), 2.5, "exp(%g)", x);
    for (double x = 1e-300; x < 1e300; x *= 1.37)
        cr_assert_lt(error(portable_log(x), log(x)), 2.5, "log(%g)", x);
    for (double x = 0.5; x < 2; x += 0.00037)
        cr_assert_lt(error(portable_log(x), log(x)), 2.5, "log(%g)", x);
    cr_assert_eq(portable_exp(0), 1);
    cr_assert_eq(portable_log(1), 0);
    cr_assert_eq(portable_exp(-1000), 0);
    cr_assert(isinf(portable_exp(1000)));
}

Test(portable, sine_and_cosine)
{
    for (double x = -100; x < 100; x += 0.0137) {
        cr_assert_lt(fabs(portable_sin(x) - sin(x)), 3e-16, "sin(%g)", x);
        cr_assert_lt(fabs(portable_cos(x) - cos(x)), 3e-16, "cos(%g)", x);
    }
    cr_assert_eq(portable_sin(0), 0);
    cr_assert_eq(portable_cos(0), 1);
}
