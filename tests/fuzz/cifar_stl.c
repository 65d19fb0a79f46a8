#include "source.h"

/* The first byte picks the format; the files have little but their sizes and labels. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char *const formats[] = {"cifar10", "cifar100", "stl10"};

    if (n > 0)
        fuzz_source(p + 1, n - 1, formats[p[0] % 3]);
    return 0;
}
