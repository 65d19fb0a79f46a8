/* Vectors of LANES floats in the compilers' own notation (GCC and Clang). */
#include <math.h>
#include <string.h>

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));
typedef vec vec_in_memory __attribute__((may_alias));
typedef uint8_t bvec __attribute__((vector_size(LANES)));

#define INLINE static inline __attribute__((always_inline))

#if defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* p is a multiple of LANES floats from the start of an arena. */
INLINE vec load(const float *p)
{
    return *(const vec_in_memory *)p;
}

INLINE void store(float *p, vec v)
{
    *(vec_in_memory *)p = v;
}

/* Past the caches, for what is not read again soon; stream_end() before another thread may read it. STREAM: an instruction for it. */
INLINE void stream(float *p, vec v)
{
#ifdef STREAM
    STREAM(p, v);
#else
    store(p, v);
#endif
}

INLINE void stream_end(void)
{
#ifdef STREAM
    _mm_sfence();
#endif
}

INLINE vec splat(float x)
{
    return (vec){0} + x;
}

/* v where the mask is set, else 0. */
INLINE vec keep(vec v, ivec mask)
{
    return (vec)((ivec)v & mask);
}

INLINE vec positive(vec v)
{
    return keep(v, v > 0);
}
