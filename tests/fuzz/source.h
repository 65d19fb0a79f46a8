/* What the targets for data sources share: the bytes become a file, which is listed and read whole. */
#include "data/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void read_all(const char *operand, const char *format)
{
    source s = {.prefix = "", .fd = -1};
    listing l = {0};
    item it = {0};
    err e = {0};

    if (source_open(&s, operand, format, &e) == 0 && source_list(&s, &l, &e) == 0 && listing_unique(&l, &e) == 0)
        for (size_t i = 0; i < l.n && i < 100; i++)
            if (s.type->read(&s, &l.v[i], &it, &e) == 0 && it.n)
                (void)*(volatile const uint8_t *)(it.p + it.n - 1);
    source_close(&s);
    listing_free(&l);
    item_free(&it);
}

static void fuzz_source(const uint8_t *p, size_t n, const char *format)
{
    char path[64];
    int fd = memfd_create("fuzz", 0);

    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_all(path, format);
    close(fd);
}
