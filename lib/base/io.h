/*
 * File descriptors: whole reads and writes, and output files that appear
 * whole or not at all.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Write all of it, through interruptions and partial writes. EPIPE gives ERR_GONE. */
int io_write(int fd, const void *p, size_t n, err *e);
/* As io_write; the entries of iov are consumed. */
int io_writev(int fd, struct iovec *iov, int n, err *e);

/* One read(), retried on EINTR: bytes read, 0 at the end, -1. */
ssize_t io_read(int fd, void *p, size_t n, err *e);

/* Whether a read would return at once (data or end of file). */
bool io_ready(int fd);

/* Ask the kernel for a larger pipe (1 MiB, or what it allows); harmless on anything else. */
void io_grow_pipe(int fd);

/* Open for reading, close-on-exec. The message names the path. */
int io_open_read(const char *path, err *e);

/*
 * An output file. A regular or absent target is written as an unnamed file
 * (O_TMPFILE) in the target's own folder, so that death by any cause leaves
 * nothing behind; out_commit() syncs it, then renames it over the target. Where
 * the file system has no O_TMPFILE, a hidden named file serves instead.
 * Symbolic links are followed; the umask is honoured. Anything that is not a
 * regular file (a fifo, /dev/stdout) is opened and written directly.
 */
typedef struct out {
    int fd;       /* write here; -1 when closed */
    char *target; /* owned; the resolved target */
    char *temp;   /* owned; the named temporary file, or NULL */
    bool direct;  /* not a regular file: no rename */
} out;

int out_open(out *o, const char *path, err *e);
/* Publish. After 0 or -1 the out is closed; after -1 the old target is untouched. */
int out_commit(out *o, err *e);
/* Throw away what was written; safe on a closed or zeroed-with-fd=-1 out. */
void out_abort(out *o);

#endif
