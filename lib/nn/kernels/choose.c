#include "nn/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

static bool available(const kernels *k)
{
#if defined __x86_64__
    if (k == &kernels_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (k == &kernels_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return k == &kernels_generic;
}

const kernels *kernels_choose(err *e)
{
    /* Fastest first. */
    static const kernels *const all[] = {
#if defined __x86_64__
        &kernels_avx512,
        &kernels_avx2,
#endif
        &kernels_generic,
    };
    const char *want = getenv("SSL_CPU");

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (want && *want && strcmp(want, all[i]->name) != 0)
            continue;
        if (available(all[i]))
            return all[i];
    }
    err_set(e, ERR_USAGE, "SSL_CPU=%s: not an instruction set of this processor (generic, avx2 or avx512)", want);
    return NULL;
}
