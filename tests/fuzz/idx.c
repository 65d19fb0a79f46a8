#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_source(p, n, "idx");
    return 0;
}
