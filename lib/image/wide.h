/*
 * Loops over bytes, several at a time, in GCC's vector extensions.
 *
 * WIDE marks a function that is compiled twice, for AVX2 and for the baseline;
 * the loader picks. They are static (clang 14 exports such a function under
 * another name), and hold only integer arithmetic and single operations of
 * IEEE floats, so both give the same bytes.
 *
 * Bytes are widened without shuffling: of 32 bytes, read as eight words, the
 * first vector holds bytes 0, 4, 8, ..., the second 1, 5, 9, ... and so on.
 */
#ifndef IMAGE_WIDE_H
#define IMAGE_WIDE_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are taken from words by shifting");

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define WIDE_OFF 1 /* the loader picks before the sanitizer is ready */
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WIDE_OFF 1
#endif
#endif

#if defined __x86_64__ && defined __GLIBC__ && !defined WIDE_OFF
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* For the helpers of such functions: they must be compiled into them. */
#define INLINE static inline __attribute__((always_inline))

enum { WIDE_BYTES = 32 };

typedef int32_t i32x8 __attribute__((vector_size(32)));
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef float f32x8 __attribute__((vector_size(32)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

/* Lanes of a and b (numbered on from a's) in a given order. */
#ifdef __clang__
#define WIDE_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define WIDE_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (__typeof__(a)){__VA_ARGS__})
#endif

/* a where the mask, a comparison's result, is set, else b. */
#define WIDE_SELECT(mask, a, b) (((a) & (mask)) | ((b) & ~(mask)))

#define WIDE_FLOAT(v) __builtin_convertvector(v, f32x8)
/* Truncated. */
#define WIDE_INT(v) __builtin_convertvector(v, i32x8)

/* 32 bytes to four vectors. */
INLINE void wide_load(i32x8 v[4], const uint8_t *p)
{
    u32x8 w;

    memcpy(&w, p, sizeof w);
    v[0] = (i32x8)(w & 255);
    v[1] = (i32x8)(w >> 8 & 255);
    v[2] = (i32x8)(w >> 16 & 255);
    v[3] = (i32x8)(w >> 24);
}

/* And back; the values must lie in 0..255. */
INLINE void wide_store(uint8_t *p, const i32x8 v[4])
{
    i32x8 w = v[0] | v[1] << 8 | v[2] << 16 | v[3] << 24;

    memcpy(p, &w, sizeof w);
}

#endif
