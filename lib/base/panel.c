#include "base/panel.h"

#include <string.h>

#define BLOCK 256 /* rows of b at a time: 16 KiB, half of a first-level cache */

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias)); /* the same in memory, unaligned */

typedef double w8 __attribute__((vector_size(64)));
typedef double w8u __attribute__((vector_size(64), aligned(8), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE void multiply_add(float *c, const float *a, size_t row, size_t col, size_t m, const float *b, size_t k)
{
    for (size_t k0 = 0; k0 < k; k0 += BLOCK) {
        size_t kn = k - k0 < BLOCK ? k - k0 : BLOCK;
        for (size_t i = 0; i < m; i += PANEL_ROWS) {
            const float *p = a + i * row + k0 * col;
            const v16u *bt = (const v16u *)(b + k0 * PANEL_COLUMNS);
            v16u *out = (v16u *)(c + i * PANEL_COLUMNS);
            v16 c0 = out[0], c1 = out[1], c2 = out[2], c3 = out[3], c4 = out[4], c5 = out[5];
            for (size_t t = 0; t < kn; t++, p += col) {
                v16 x = bt[t];
                c0 += p[0] * x;
                c1 += p[row] * x;
                c2 += p[2 * row] * x;
                c3 += p[3 * row] * x;
                c4 += p[4 * row] * x;
                c5 += p[5 * row] * x;
            }
            out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3, out[4] = c4, out[5] = c5;
        }
    }
}

INLINE void standardise(float *dst, const float *src, const float *shift, const float *scale, size_t n)
{
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        *(v16u *)(dst + i) = (*(const v16u *)(src + i) - *(const v16u *)(shift + i)) * *(const v16u *)(scale + i);
    for (; i < n; i++)
        dst[i] = (src[i] - shift[i]) * scale[i];
}

INLINE double dot(const double *a, const double *b, size_t n)
{
    w8 s0 = {0}, s1 = {0};
    size_t i = 0;
    double sum = 0;

    for (; i + 16 <= n; i += 16) {
        s0 += *(const w8u *)(a + i) * *(const w8u *)(b + i);
        s1 += *(const w8u *)(a + i + 8) * *(const w8u *)(b + i + 8);
    }
    s0 += s1;
    for (int k = 0; k < 8; k++)
        sum += s0[k];
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

INLINE float distance(const float *a, const float *b, size_t n)
{
    v16 s = {0};
    size_t i = 0;
    float sum = 0;

    for (; i + 16 <= n; i += 16) {
        v16 d = *(const v16u *)(a + i) - *(const v16u *)(b + i);
        s += d * d;
    }
    for (; i < n; i++)
        s[i % 16] += (a[i] - b[i]) * (a[i] - b[i]);
    for (int k = 0; k < 16; k++)
        sum += s[k];
    return sum;
}

#ifdef __x86_64__

__attribute__((target("avx512f"))) static void
multiply_add_avx512(float *c, const float *a, size_t row, size_t col, size_t m, const float *b, size_t k)
{
    multiply_add(c, a, row, col, m, b, k);
}

__attribute__((target("avx2"))) static void
multiply_add_avx2(float *c, const float *a, size_t row, size_t col, size_t m, const float *b, size_t k)
{
    multiply_add(c, a, row, col, m, b, k);
}

__attribute__((target("avx2"))) static void
standardise_avx2(float *dst, const float *src, const float *shift, const float *scale, size_t n)
{
    standardise(dst, src, shift, scale, n);
}

__attribute__((target("avx512f"))) static double
dot_avx512(const double *a, const double *b, size_t n)
{
    return dot(a, b, n);
}

__attribute__((target("avx2"))) static double
dot_avx2(const double *a, const double *b, size_t n)
{
    return dot(a, b, n);
}

__attribute__((target("avx512f"))) static float
distance_avx512(const float *a, const float *b, size_t n)
{
    return distance(a, b, n);
}

__attribute__((target("avx2"))) static float
distance_avx2(const float *a, const float *b, size_t n)
{
    return distance(a, b, n);
}

#endif

void panel_multiply_add(float *c, const float *a, size_t row, size_t col, size_t m, const float *b, size_t k)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        multiply_add_avx512(c, a, row, col, m, b, k);
    else if (__builtin_cpu_supports("avx2"))
        multiply_add_avx2(c, a, row, col, m, b, k);
    else
#endif
        multiply_add(c, a, row, col, m, b, k);
}

void panel_standardise(float *dst, const float *src, const float *shift, const float *scale, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        standardise_avx2(dst, src, shift, scale, n);
    else
#endif
        standardise(dst, src, shift, scale, n);
}

double panel_dot(const double *a, const double *b, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return dot_avx512(a, b, n);
    if (__builtin_cpu_supports("avx2"))
        return dot_avx2(a, b, n);
#endif
    return dot(a, b, n);
}

float panel_distance(const float *a, const float *b, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return distance_avx512(a, b, n);
    if (__builtin_cpu_supports("avx2"))
        return distance_avx2(a, b, n);
#endif
    return distance(a, b, n);
}
