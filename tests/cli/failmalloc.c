/*
 * Make the Nth allocation of a program fail, to test what it does when memory
 * is out. Build and use:
 *
 *     cc -shared -fPIC -O2 -o failmalloc.so tests/cli/failmalloc.c
 *     FAILMALLOC=17 LD_PRELOAD=$PWD/failmalloc.so ssl-augment flip <in >out
 *
 * FAILMALLOC=N        the Nth allocation returns NULL, the others work
 * FAILMALLOC=N+       the Nth and all after it return NULL
 * FAILMALLOC_COUNT=F  write the number of allocations into the file F at exit
 * FAILMALLOC_IN=TEXT  count also those of shared libraries with TEXT in their name
 *
 * Counted are the calls from the program itself (malloc, calloc, realloc,
 * aligned_alloc, posix_memalign, strdup, strndup), not those of libraries:
 * GLib, for one, ends the process when it gets no memory, by design. For glibc;
 * not together with a sanitizer, which brings its own malloc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static struct { uintptr_t from, to; } counted[64]; /* code whose calls count */
static int n_counted;
static atomic_long calls;
static long fail_at;
static int for_good;

static int add_code(struct dl_phdr_info *info, size_t size, void *in_)
{
    const char *in = in_;

    (void)size;
    /* The first object, without a name, is the program. */
    if (*info->dlpi_name && !(in && strstr(info->dlpi_name, in)))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && n_counted < 64; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && h->p_flags & PF_X) {
            counted[n_counted].from = info->dlpi_addr + h->p_vaddr;
            counted[n_counted++].to = info->dlpi_addr + h->p_vaddr + h->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("FAILMALLOC");
    char *end;

    if (text) {
        fail_at = strtol(text, &end, 10);
        for_good = *end == '+';
    }
    dl_iterate_phdr(add_code, getenv("FAILMALLOC_IN"));
}

__attribute__((destructor)) static void finish(void)
{
    const char *path = getenv("FAILMALLOC_COUNT");
    char text[32];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;

    if (fd < 0)
        return;
    int n = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    if (write(fd, text, (size_t)n) != n)
        _exit(99);
    close(fd);
}

static int fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;

    for (int i = 0; i < n_counted; i++) {
        if (at >= counted[i].from && at < counted[i].to) {
            long n = atomic_fetch_add(&calls, 1) + 1;
            if (fail_at > 0 && (n == fail_at || (for_good && n > fail_at))) {
                errno = ENOMEM;
                return 1;
            }
            return 0;
        }
    }
    return 0;
}
#define FAILS fails(__builtin_return_address(0))

void *malloc(size_t n)
{
    return FAILS ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return FAILS ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return FAILS ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return FAILS ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    void *q = FAILS ? NULL : __libc_memalign(align, n);

    if (!q)
        return ENOMEM;
    *p = q;
    return 0;
}

static char *copy(const char *s, size_t n)
{
    char *p = __libc_malloc(n + 1);

    if (p) {
        memcpy(p, s, n);
        p[n] = '\0';
    }
    return p;
}

char *strdup(const char *s)
{
    return FAILS ? NULL : copy(s, strlen(s));
}

char *strndup(const char *s, size_t n)
{
    return FAILS ? NULL : copy(s, strnlen(s, n));
}
