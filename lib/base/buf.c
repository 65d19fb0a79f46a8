#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int buf_reserve(buf *b, size_t more, err *e)
{
    if (more <= b->cap - b->n)
        return 0;
    if (more > SIZE_MAX / 2 - b->n)
        return err_nomem(e);

    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->n + more)
        cap *= 2;
    uint8_t *p = realloc(b->p, cap);
    if (!p)
        return err_nomem(e);
    b->p = p;
    b->cap = cap;
    return 0;
}

int buf_add(buf *b, const void *p, size_t n, err *e)
{
    if (buf_reserve(b, n, e))
        return -1;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    return 0;
}

int buf_addf(buf *b, err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return err_set(e, ERR_RUN, "cannot format a message");
    if (buf_reserve(b, (size_t)n + 1, e))
        return -1;
    va_start(ap, fmt);
    vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n; /* the NUL stays beyond n */
    return 0;
}

void buf_free(buf *b)
{
    free(b->p);
    *b = (buf){0};
}
