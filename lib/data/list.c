/* Lists of image files (--files-from), and an image file given by itself. */
#include "data/source.h"

#include "base/io.h"

#include <string.h>
#include <unistd.h>

/* A path with its key and what the path rule says; the text stays where it is. */
static int add_path(source *s, listing *l, const char *path, const char *class, err *e)
{
    entry en = {.size = -1, .source = s->number, .path = path, .key = path};

    while (en.key[0] == '.' && en.key[1] == '/')
        en.key += 2 + strspn(en.key + 2, "/");
    size_t n = strlen(en.key);
    if (!listing_clean(en.key, n) && !(en.key = listing_escape(l, en.key, n, e)))
        return -1;
    if (listing_classify(l, &en, path, strlen(path), e))
        return -1;
    if (class) {
        const char *clean = listing_escape(l, class, strlen(class), e);
        if (!clean || (en.class = names_number(&l->classes, clean, strlen(clean), e)) < 0)
            return -1;
    }
    return listing_add(l, &en, e);
}

static int read_all(const source *s, buf *b, err *e)
{
    int fd = s->piped ? s->fd : io_open_read(s->operand, e);
    ssize_t k = -1;

    if (fd < 0)
        return -1;
    while (buf_reserve(b, 1 << 16, e) == 0 && (k = io_read(fd, b->p + b->n, b->cap - b->n - 1, e)) > 0)
        b->n += (size_t)k;
    if (!s->piped)
        close(fd);
    return k == 0 ? 0 : -1;
}

/* One line: PATH or PATH TAB LABEL. */
static int add_line(source *s, listing *l, char *line, size_t number, err *e)
{
    size_t n = strlen(line);

    if (n > 0 && !s->zero_ended && line[n - 1] == '\r')
        line[--n] = '\0';
    if (n == 0)
        return 0;
    char *class = memchr(line, '\t', n);
    if (class) {
        *class++ = '\0';
        if (*line == '\0' || *class == '\0')
            return err_set(e, ERR_INPUT, "%s: entry %zu: expected PATH or PATH<TAB>LABEL", s->operand, number);
    }
    return add_path(s, l, line, class, e);
}

static int list(source *s, listing *l, err *e)
{
    buf b = {0};
    int rc = -1;
    size_t number = 0;

    if (read_all(s, &b, e))
        goto out;
    /* one copy for all the paths */
    char *text = listing_text(l, (const char *)b.p, b.n, e), end = s->zero_ended ? '\0' : '\n';
    if (!text)
        goto out;
    for (char *p = text, *stop = text + b.n; p < stop; p++) {
        char *q = memchr(p, end, (size_t)(stop - p));
        if (!q)
            q = stop;
        *q = '\0';
        if (add_line(s, l, p, ++number, e))
            goto out;
        p = q;
    }
    rc = 0;
out:
    buf_free(&b);
    return rc;
}

const source_type source_list_file = {
    .name = "list",
    .help = "a text file of paths, one a line, or PATH<TAB>LABEL (what --files-from takes)",
    .list = list,
    .read = source_read_file,
};

static bool is_image(const source_probe *p)
{
    return !p->folder && listing_is_image(p->path, strlen(p->path));
}

static int list_one(source *s, listing *l, err *e)
{
    return add_path(s, l, s->operand, NULL, e);
}

const source_type source_image = {
    .name = "image",
    .help = "one image file",
    .is = is_image,
    .list = list_one,
    .read = source_read_file,
};
