#include "export.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_format(p, n, "tsv");
    return 0;
}
