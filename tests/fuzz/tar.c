#include "source.h"

/* The same bytes down a pipe, too: as many images, or the same kind of failure. */
static void through_pipe(const uint8_t *p, size_t n)
{
    int fd[2];
    source s = {.prefix = "", .operand = "-", .type = &source_tar, .piped = true};
    item it = {0};
    record r;
    err e = {0};

    if (n > 60000)
        return;
    if (pipe(fd) || write(fd[1], p, n) != (ssize_t)n)
        abort();
    close(fd[1]);
    s.fd = fd[0];
    if (s.type->start(&s, &e) == 0)
        while (s.type->next(&s, &r, &it, &e) > 0)
            if (!r.key || !listing_clean(r.key, strlen(r.key)))
                abort();
    source_close(&s);
    item_free(&it);
    close(fd[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_source(p, n, "tar");
    through_pipe(p, n);
    return 0;
}
