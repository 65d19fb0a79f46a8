#include "base/fmath.h"

#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: k times the first is exact for |k| < 2^20. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0
#define SQRT2 0x1.6a09e667f3bcdp+0

double fmath_exp(double x)
{
    /* Taylor coefficients 1/13! ... 1/0!; the rest is below 1e-17 for |r| <= ln(2)/2. */
    static const double c[] = {
        1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
        1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0,
    };

    if (x < -708)
        return 0;
    int64_t k = (int64_t)(x * LOG2_E + (x < 0 ? -0.5 : 0.5));
    double r = (x - (double)k * LN2_HIGH) - (double)k * LN2_LOW, p = c[0], scale;
    for (int i = 1; i < 14; i++)
        p = p * r + c[i];
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

double fmath_log(double x)
{
    uint64_t bits;
    double m;

    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | (uint64_t)1023 << 52;
    memcpy(&m, &bits, sizeof m);
    if (m > SQRT2) {
        m /= 2;
        k++;
    }
    /* log m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172 */
    double s = (m - 1) / (m + 1), t = s * s, p = 0;
    for (int i = 23; i >= 3; i -= 2)
        p = (p + 1.0 / i) * t;
    return (double)k * LN2_HIGH + (2 * s + (2 * s * p + (double)k * LN2_LOW));
}
