#include "base/rng.h"

#include <math.h>
#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15u /* 2^64 / the golden ratio, SplitMix64's increment */

static uint64_t finalise(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_mix(uint64_t key, uint64_t v)
{
    return finalise(finalise(key + GOLDEN) ^ (v * 0xd1342543de82ef95u + GOLDEN));
}

uint64_t rng_mix_bytes(uint64_t key, const void *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (const uint8_t *s = p; n > 0; s++, n--)
        h = (h ^ *s) * 0x100000001b3u;
    return rng_mix(key, h);
}

uint64_t rng_mix_str(uint64_t key, const char *s)
{
    return rng_mix_bytes(key, s, strlen(s));
}

rng rng_at(uint64_t key)
{
    return (rng){key};
}

uint64_t rng_u64(rng *r)
{
    return finalise(r->state += GOLDEN);
}

uint64_t rng_below(rng *r, uint64_t n)
{
    __uint128_t m = (__uint128_t)rng_u64(r) * n;

    if ((uint64_t)m < n) {
        uint64_t floor = -n % n; /* 2^64 mod n: the part that would be counted once too often */
        while ((uint64_t)m < floor)
            m = (__uint128_t)rng_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

double rng_uniform(rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_range(rng *r, double a, double b)
{
    return a + (b - a) * rng_uniform(r);
}

double rng_normal(rng *r)
{
    double u = 1.0 - rng_uniform(r); /* (0, 1]: the logarithm stays finite */
    double v = rng_uniform(r);

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}

void rng_shuffle_u32(rng *r, uint32_t *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)rng_below(r, i);
        uint32_t t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
}
