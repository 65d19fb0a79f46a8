#include "base/fmath.h"

#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: k times the first is exact for |k| < 2^20. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0
#define SQRT2 0x1.6a09e667f3bcdp+0

#define BELOW (-708.0)
/* Adding it leaves the nearest integer in the last bits. */
#define ROUND 0x1.8p52

typedef double v8 __attribute__((vector_size(64)));
typedef double v8u __attribute__((vector_size(64), aligned(8), may_alias));
typedef uint64_t w8 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

/* Taylor coefficients 1/13! ... 1/0!; the rest is below 1e-17 for |r| <= ln(2)/2. */
static const double taylor[] = {
    1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
    1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0,
};

double fmath_exp(double x)
{
    if (x < BELOW)
        return 0;
    double t = x * LOG2_E + ROUND, k = t - ROUND, r = (x - k * LN2_HIGH) - k * LN2_LOW, p = taylor[0], scale;
    for (int i = 1; i < 14; i++)
        p = p * r + taylor[i];
    uint64_t bits;
    memcpy(&bits, &t, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* fmath_exp() of N x 8 numbers: several, since each waits long for itself. */
INLINE void exps(double *x, int N)
{
    v8 t[4], r[4], p[4];

#pragma GCC unroll 4
    for (int j = 0; j < N; j++) {
        v8 v = ((v8u *)x)[j], k;
        t[j] = v * LOG2_E + ROUND;
        k = t[j] - ROUND;
        r[j] = (v - k * LN2_HIGH) - k * LN2_LOW;
        p[j] = (v8){0} + taylor[0];
    }
#pragma GCC unroll 13
    for (int i = 1; i < 14; i++)
#pragma GCC unroll 4
        for (int j = 0; j < N; j++)
            p[j] = p[j] * r[j] + taylor[i];
#pragma GCC unroll 4
    for (int j = 0; j < N; j++) {
        w8 above = (w8)(((v8u *)x)[j] >= BELOW);
        p[j] *= (v8)(((w8)t[j] + 1023) << 52);
        ((v8u *)x)[j] = (v8)((w8)p[j] & above);
    }
}

INLINE void all_exps(double *x, size_t n)
{
    for (; n >= 32; n -= 32, x += 32)
        exps(x, 4);
    for (; n >= 16; n -= 16, x += 16)
        exps(x, 2);
    for (; n >= 8; n -= 8, x += 8)
        exps(x, 1);
    for (; n; n--, x++)
        *x = fmath_exp(*x);
}

#ifdef __x86_64__
__attribute__((target("avx512f"))) static void exps_avx512(double *x, size_t n)
{
    all_exps(x, n);
}

__attribute__((target("avx2"))) static void exps_avx2(double *x, size_t n)
{
    all_exps(x, n);
}
#endif

void fmath_exps(double *x, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return exps_avx512(x, n);
    if (__builtin_cpu_supports("avx2"))
        return exps_avx2(x, n);
#endif
    all_exps(x, n);
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
