#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    e->kind = kind;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(err *e, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    e->kind = saved == EPIPE ? ERR_GONE : ERR_RUN;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);

    size_t n = strlen(e->msg);
    snprintf(e->msg + n, sizeof e->msg - n, ": %s", strerror(saved));
    errno = saved;
    return -1;
}

int err_nomem(err *e)
{
    return err_set(e, ERR_RUN, "out of memory");
}

int err_prefix(err *e, const char *fmt, ...)
{
    char old[sizeof e->msg];
    va_list ap;

    if (e->kind == ERR_ABORTED || e->kind == ERR_GONE)
        return -1; /* somebody else's message, or none */
    memcpy(old, e->msg, sizeof old);
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);

    size_t n = strlen(e->msg);
    snprintf(e->msg + n, sizeof e->msg - n, ": %s", old);
    return -1;
}

int err_exit_status(const err *e)
{
    switch (e->kind) {
    case ERR_NONE:
    case ERR_GONE:
        return 0;
    case ERR_ABORTED:
        return 3;
    default:
        return (int)e->kind;
    }
}
