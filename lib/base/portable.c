#include "base/portable.h"

#include <math.h>

/* ln 2 and pi / 2 in two parts; the first has trailing zeros, so that a small multiple of it is exact. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define HALF_PI_HIGH 0x1.921fb54400000p+0
#define HALF_PI_LOW 0x1.0b4611a626331p-34

/* frexp(), ldexp() and rint() are exact, so the C library may do them. */

double portable_exp(double x)
{
    if (x > 709.7)
        return INFINITY;
    if (x < -745.2)
        return 0;
    double k = rint(x * 1.4426950408889634074), r = (x - k * LN2_HIGH) - k * LN2_LOW, sum = 1;

    for (int n = 14; n > 0; n--) /* Taylor, |r| <= ln 2 / 2 */
        sum = 1 + r * sum / n;
    return ldexp(sum, (int)k);
}

double portable_log(double x)
{
    int k;
    double m = frexp(x, &k);

    if (m < 0.70710678118654752440) {
        m *= 2;
        k--;
    }
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    for (int n = 21; n > 1; n -= 2) /* log m = 2 artanh s, |s| <= 0.172 */
        sum = (sum + 1.0 / n) * s2;
    return k * LN2_HIGH + (2 * s * sum + k * LN2_LOW + 2 * s);
}

static double sine(double r)
{
    double r2 = r * r, sum = 1;

    for (int n = 17; n > 1; n -= 2)
        sum = 1 - r2 * sum / (n * (n - 1));
    return r * sum;
}

static double cosine(double r)
{
    double r2 = r * r, sum = 1;

    for (int n = 18; n > 0; n -= 2)
        sum = 1 - r2 * sum / (n * (n - 1));
    return sum;
}

/* sin(x + quarter * pi / 2) */
static double turned(double x, int quarter)
{
    double k = rint(x * 0.63661977236758134308), r = (x - k * HALF_PI_HIGH) - k * HALF_PI_LOW;
    int q = ((int)k + quarter) & 3;
    double v = q & 1 ? cosine(r) : sine(r);

    return q & 2 ? -v : v;
}

double portable_sin(double x)
{
    return turned(x, 0);
}

double portable_cos(double x)
{
    return turned(x, 1);
}
