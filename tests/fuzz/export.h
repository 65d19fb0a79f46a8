/* What the targets for foreign formats share: the bytes are read as such a file, and what becomes of them is a stream. */
#include "export/export.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A stream that was finished must be whole. */
static void read_back(int fd)
{
    sample s;
    err e;
    int rc = 0;

    lseek(fd, 0, SEEK_SET);
    reader *r = reader_new(fd, 0, &e);
    while (r && (rc = reader_next(r, &s, &e)) > 0)
        ;
    if (!r || rc)
        abort();
    reader_free(r);
}

static void fuzz_format(const uint8_t *p, size_t n, const char *format)
{
    const export_file f = {p, n, "fuzz", format, "fuzz"};
    const export_options o = {0};
    int fd = memfd_create("fuzz", 0);
    err e;

    if (fd < 0)
        abort();
    if (export_find(format)->load(&f, &o, fd, &e) == 0)
        read_back(fd);
    close(fd);
}
