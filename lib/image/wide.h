/*
 * WIDE marks a function whose loops are compiled twice, for AVX2 and for the
 * baseline; the loader picks. Only integer and IEEE arithmetic in a fixed order
 * stands in such functions, so both give the same bytes.
 */
#ifndef IMAGE_WIDE_H
#define IMAGE_WIDE_H

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define WIDE_OFF 1 /* resolvers run before the sanitizer is ready */
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

#endif
