#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A descriptor that someone made non-blocking (it is shared with other processes) still works. */
static void wait_for(int fd, short events)
{
    poll(&(struct pollfd){.fd = fd, .events = events}, 1, -1);
}

int io_write(int fd, const void *p, size_t n, err *e)
{
    struct iovec v = {(void *)(uintptr_t)p, n};

    return io_writev(fd, &v, 1, e);
}

int io_writev(int fd, struct iovec *iov, int n, err *e)
{
    while (n > 0) {
        if (iov->iov_len == 0) {
            iov++;
            n--;
            continue;
        }
        ssize_t k = writev(fd, iov, n < IOV_MAX ? n : IOV_MAX);
        if (k < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN) {
                wait_for(fd, POLLOUT);
                continue;
            }
            return err_sys(e, "cannot write the output");
        }
        for (size_t left = (size_t)k; left > 0;) {
            size_t part = left < iov->iov_len ? left : iov->iov_len;
            iov->iov_base = (char *)iov->iov_base + part;
            iov->iov_len -= part;
            left -= part;
            if (iov->iov_len == 0 && n > 1) {
                iov++;
                n--;
            }
        }
    }
    return 0;
}

ssize_t io_read(int fd, void *p, size_t n, err *e)
{
    for (;;) {
        ssize_t k = read(fd, p, n);
        if (k >= 0)
            return k;
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            wait_for(fd, POLLIN);
            continue;
        }
        return err_sys(e, "cannot read the input");
    }
}

bool io_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

void io_grow_pipe(int fd)
{
    /* An unprivileged process may be held to less than 1 MiB by the system's limits. */
    for (int size = 1 << 20; size > 1 << 16; size /= 2)
        if (fcntl(fd, F_GETPIPE_SZ) >= size || fcntl(fd, F_SETPIPE_SZ, size) >= 0)
            return;
}

int io_open_read(const char *path, err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "cannot open '%s'", path);
    return fd;
}

/* The path with every symbolic link followed, also when the last target does not exist yet. */
static char *resolve(const char *path, err *e)
{
    char *cur = strdup(path);
    char link[PATH_MAX];

    for (int hops = 0; cur && hops < 40; hops++) {
        ssize_t n = readlink(cur, link, sizeof link - 1);
        if (n < 0)
            return cur;
        link[n] = '\0';
        char *next = NULL;
        if (link[0] == '/') {
            next = strdup(link);
        } else {
            char *copy = strdup(cur);
            if (copy && asprintf(&next, "%s/%s", dirname(copy), link) < 0)
                next = NULL;
            free(copy);
        }
        free(cur);
        cur = next;
    }
    if (!cur) {
        err_nomem(e);
        return NULL;
    }
    free(cur);
    errno = ELOOP;
    err_sys(e, "cannot create '%s'", path);
    return NULL;
}

/* ".NAME.PID.tmp" beside the target; NAME is cut so that the whole is no longer than a name may be. */
static char *temp_name(const char *target)
{
    char *a = strdup(target), *b = strdup(target), *name = NULL;

    if (a && b && asprintf(&name, "%s/.%.200s.%ld.tmp", dirname(a), basename(b), (long)getpid()) < 0)
        name = NULL;
    free(a);
    free(b);
    return name;
}

/* An unnamed file in the target's folder or, where the file system has none, a hidden one. */
static int open_temp(out *o)
{
    char *copy = strdup(o->target);

    if (!copy)
        return -1;
    int fd = open(dirname(copy), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
    free(copy);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    o->temp = temp_name(o->target);
    if (!o->temp)
        return -1;
    unlink(o->temp); /* left by a process of the same number that died */
    return open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

int out_open(out *o, const char *path, err *e)
{
    struct stat st;

    *o = (out){.fd = -1};
    /* The links of /dev/fd lead nowhere by name, so what is no regular file is opened as it was given. */
    o->direct = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
    o->target = o->direct ? strdup(path) : resolve(path, e);
    if (!o->target)
        return o->direct ? err_nomem(e) : -1;
    o->fd = o->direct ? open(path, O_WRONLY | O_CLOEXEC) : open_temp(o);
    if (o->fd < 0) {
        err_sys(e, "cannot create '%s'", path);
        out_abort(o);
        return -1;
    }
    return 0;
}

/* An unnamed file cannot replace another, so it gets a temporary name first. */
static int give_name(out *o)
{
    char proc[64];

    if (o->temp)
        return 0;
    o->temp = temp_name(o->target);
    if (!o->temp)
        return -1;
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", o->fd);
    unlink(o->temp); /* as in open_temp() */
    return linkat(AT_FDCWD, proc, AT_FDCWD, o->temp, AT_SYMLINK_FOLLOW);
}

int out_commit(out *o, err *e)
{
    int rc = 0;

    if (!o->direct && (fsync(o->fd) || give_name(o)))
        rc = err_sys(e, "cannot write '%s'", o->target);
    int fd = o->fd;
    o->fd = -1;
    if (close(fd) && rc == 0)
        rc = err_sys(e, "cannot write '%s'", o->target);
    if (rc == 0 && !o->direct && rename(o->temp, o->target))
        rc = err_sys(e, "cannot replace '%s'", o->target);
    if (rc == 0) {
        free(o->temp); /* now the target: nothing to remove */
        o->temp = NULL;
    }
    out_abort(o);
    return rc;
}

void out_abort(out *o)
{
    if (o->fd >= 0)
        close(o->fd);
    if (o->temp)
        unlink(o->temp);
    free(o->temp);
    free(o->target);
    *o = (out){.fd = -1};
}
