#include "data/source.h"

#include "base/io.h"
#include "data/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The order of the looks: data sets by the names of their files before any folder, signatures before names. */
static const source_type *const table[] = {
    &source_idx, &source_cifar10, &source_cifar100, &source_stl10, &source_folder,
    &source_saved, &source_npy, &source_tar, &source_image, &source_list_file,
};
enum { TYPES = sizeof table / sizeof *table };

const source_type *source_find(const char *name)
{
    for (int i = 0; i < TYPES; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

void source_table(FILE *f)
{
    for (int i = 0; i < TYPES; i++)
        fprintf(f, "%-10s %s\n", table[i]->name, table[i]->help);
}

void item_free(item *it)
{
    buf_free(&it->own);
}

/* A look at an operand: is it a folder, and how does it begin? */
static int look(source_probe *p, const source *s, const struct stat *st, err *e)
{
    ssize_t k = 0;

    *p = (source_probe){.path = s->operand, .folder = S_ISDIR(st->st_mode)};
    if (p->folder)
        return 0;
    int fd = io_open_read(s->operand, e);
    if (fd < 0)
        return -1;
    while (p->n < sizeof p->head && (k = io_read(fd, p->head + p->n, sizeof p->head - p->n, e)) > 0)
        p->n += (size_t)k;
    close(fd);
    return k < 0 ? err_prefix(e, "'%s'", s->operand) : 0;
}

/* A stream says so in its first bytes; wait for no more of it than that. */
static int look_at_pipe(source *s, err *e)
{
    const uint8_t *p = s->seen;
    size_t want = STREAM_SNIFF;

    while (s->seen_n < want) {
        ssize_t k = io_read(s->fd, s->seen + s->seen_n, want - s->seen_n, e);
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        s->seen_n += (size_t)k;
        if (s->seen_n == STREAM_SNIFF && p[0] != 0xc9)
            want = sizeof s->seen;
    }
    size_t n = s->seen_n;
    if (n == 0)
        return err_set(e, ERR_INPUT, "empty input: nothing came before this in the pipe, or it failed");
    if (p[0] == 0xc9)
        s->type = &source_saved;
    else if (n == sizeof s->seen && tar_is_header(p))
        s->type = &source_tar;
    else if (n > 2 && p[0] == 0x1f && p[1] == 0x8b)
        return err_set(e, ERR_INPUT, "the input is compressed; put zcat before this");
    else
        return err_set(e, ERR_INPUT, "the input is neither a stream nor a tar (a list of files is given by --files-from -)");
    return 0;
}

static int find_type(source *s, const struct stat *st, err *e)
{
    source_probe p;

    if (look(&p, s, st, e))
        return -1;
    for (int i = 0; i < TYPES; i++)
        if (table[i]->is && table[i]->is(&p)) {
            s->type = table[i];
            return 0;
        }
    if (p.n == 0)
        return err_set(e, ERR_INPUT, "'%s' is empty", s->operand);
    if (p.head[0] == 0x1f && p.head[1] == 0x8b)
        return err_set(e, ERR_INPUT, "'%s' is compressed; for a tar, use: zcat '%s' | ssl-load -", s->operand, s->operand);
    return err_set(e, ERR_INPUT, "'%s' is no source of images that is known (ssl-load --list shows those)", s->operand);
}

int source_open(source *s, const char *operand, const char *format, err *e)
{
    struct stat st;

    s->operand = operand;
    s->piped = strcmp(operand, "-") == 0;
    if (!s->piped) {
        if (stat(operand, &st))
            return err_sys(e, "cannot open '%s'", operand);
        s->folder = S_ISDIR(st.st_mode);
        if (!S_ISREG(st.st_mode) && !s->folder) {
            s->piped = true;
            s->fd = io_open_read(operand, e);
            if (s->fd < 0)
                return -1;
            s->own_fd = true;
        }
    }
    if (!format)
        return s->piped ? look_at_pipe(s, e) : find_type(s, &st, e);
    s->type = source_find(format);
    if (!s->type)
        return err_set(e, ERR_USAGE, "no source format is named '%s'", format);
    if (s->piped && !s->type->start && s->type != &source_list_file)
        return err_set(e, ERR_USAGE, "the format '%s' cannot come through a pipe", format);
    return 0;
}

int source_list(source *s, listing *l, err *e)
{
    size_t from = l->n;

    if (s->type->list(s, l, e))
        return -1;
    if (!s->digest[0])
        listing_digest(l, from, l->n, strlen(s->prefix), s->digest);
    return 0;
}

char *source_key(const source *s, listing *l, const char *name, size_t n, err *e)
{
    char *clean = listing_escape(l, name, n, e);

    return clean && *s->prefix ? listing_join(l, s->prefix, clean, e) : clean;
}

void source_close(source *s)
{
    if (s->type && s->type->close && s->state)
        s->type->close(s);
    s->state = NULL;
    if (s->own_fd)
        close(s->fd);
    s->own_fd = false;
}

/* Out of descriptors or memory is our trouble; everything else is this file's. */
static int bad_file(const char *path, err *e)
{
    bool ours = errno == ENOMEM || errno == EMFILE || errno == ENFILE;

    err_sys(e, "cannot open '%s'", path);
    e->kind = ours ? ERR_RUN : ERR_INPUT;
    return -1;
}

int source_read_file(const source *s, const entry *en, item *it, err *e)
{
    enum { MAX_FILE = 1 << 30 };
    struct stat st;
    int rc = -1;

    (void)s;
    int fd = open(en->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang us */
    if (fd < 0 || fstat(fd, &st)) {
        bad_file(en->path, e);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(e, ERR_INPUT, "'%s' is no regular file", en->path);
        goto out;
    }
    if (st.st_size > MAX_FILE) {
        err_set(e, ERR_INPUT, "'%s' is larger than 1 GiB", en->path);
        goto out;
    }
    it->own.n = 0;
    if (buf_reserve(&it->own, (size_t)st.st_size + 1, e))
        goto out;
    for (;;) {
        ssize_t k = it->own.n < it->own.cap ? read(fd, it->own.p + it->own.n, it->own.cap - it->own.n) : 0;
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            bad_file(en->path, e);
            goto out;
        }
        if (k == 0)
            break;
        it->own.n += (size_t)k;
    }
    it->p = it->own.p;
    it->n = it->own.n;
    it->path = en->path;
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}
