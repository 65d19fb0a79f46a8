/*
 * Counter-based randomness. Every random decision has a key, hashed from what
 * the decision is about (seed, tool, operation, ordinal, view, epoch, index),
 * so the order in which decisions are made, and by which thread, never changes
 * an output, and adding one operation never moves another.
 *
 * Integer arithmetic only, so results are equal on every machine; the doubles
 * are exact dyadic fractions. rng_normal() alone uses libm.
 *
 *     uint64_t key = rng_mix_str(rng_mix(seed, ordinal), "crop");
 *     rng r = rng_at(rng_mix(rng_mix(key, epoch), index));
 *     int x = (int)rng_below(&r, width);
 *
 * The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014).
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct rng {
    uint64_t state;
} rng;

/* A key that depends on key and on v, or on the bytes of s or p; order matters. */
uint64_t rng_mix(uint64_t key, uint64_t v);
uint64_t rng_mix_str(uint64_t key, const char *s);
uint64_t rng_mix_bytes(uint64_t key, const void *p, size_t n);

/* The generator that starts at a key. */
rng rng_at(uint64_t key);

uint64_t rng_u64(rng *r);

/* Uniform over 0..n-1 without bias (Lemire 2019); n >= 1. */
uint64_t rng_below(rng *r, uint64_t n);

/* Uniform over [0, 1), 53 bits; over [a, b), where rounding may give b. */
double rng_uniform(rng *r);
double rng_range(rng *r, double a, double b);

/* Standard normal (Box-Muller, one of the pair). */
double rng_normal(rng *r);

/* Fisher-Yates: v[0..n-1] becomes a uniformly random order of itself. */
void rng_shuffle_u32(rng *r, uint32_t *v, size_t n);

#endif
