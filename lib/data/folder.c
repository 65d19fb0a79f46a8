/* A folder of image files, at any depth: class folders, split folders above them, or neither. */
#include "data/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 64 };

typedef struct walk {
    source *s;
    listing *l;
    buf path;      /* of the folder we are in, with a slash behind it */
    size_t below;  /* where the part below the operand starts */
    size_t rule;   /* where the part to which the path rule applies starts */
    struct { dev_t dev; ino_t ino; } up[MAX_DEPTH]; /* the folders that we are in: links may lead back up */
} walk;

static bool is_folder(const source_probe *p)
{
    return p->folder;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A file's name, or a folder's with a slash behind it, so that sorting names sorts whole paths by their bytes. */
static char *tagged_name(DIR *dir, const struct dirent *d)
{
    struct stat st;
    bool folder = d->d_type == DT_DIR;
    char *name = NULL;

    /* A link to nothing counts as a file: reading it will say what is wrong. */
    if (!folder && d->d_type != DT_REG)
        folder = fstatat(dirfd(dir), d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
    return asprintf(&name, "%s%s", d->d_name, folder ? "/" : "") < 0 ? NULL : name;
}

/* The names in the current folder, sorted; hidden ones left out. */
static int read_names(DIR *dir, const char *path, char ***names, size_t *n, err *e)
{
    size_t cap = 0;

    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (!d)
            break;
        if (d->d_name[0] == '.')
            continue;
        if (*n == cap) {
            cap = cap ? 2 * cap : 64;
            char **v = realloc(*names, cap * sizeof *v);
            if (!v)
                return err_nomem(e);
            *names = v;
        }
        if (!((*names)[*n] = tagged_name(dir, d)))
            return err_nomem(e);
        ++*n;
    }
    if (errno)
        return err_sys(e, "cannot read the folder '%s'", path);
    if (*n)
        qsort(*names, *n, sizeof **names, by_name);
    return 0;
}

static int add_file(walk *w, const char *name, err *e)
{
    listing *l = w->l;
    entry en = {.size = -1, .source = w->s->number};
    char *path = listing_join(l, (const char *)w->path.p, name, e);

    if (!path)
        return -1;
    if (!listing_is_image(name, strlen(name))) {
        l->ignored++;
        l->example = path;
        return 0;
    }
    size_t n = w->path.n + strlen(name);
    en.path = path;
    en.key = path + w->below;
    if ((*w->s->prefix || !listing_clean(en.key, n - w->below)) &&
        !(en.key = source_key(w->s, l, path + w->below, n - w->below, e)))
        return -1;
    return listing_classify(l, &en, path + w->rule, n - w->rule, e) ? -1 : listing_add(l, &en, e);
}

/* Appends name to the path (NUL-terminated, the NUL beyond n). */
static int enter(walk *w, const char *name, err *e)
{
    if (buf_add(&w->path, name, strlen(name) + 1, e))
        return -1;
    w->path.n--;
    return 0;
}

static int walk_folder(walk *w, int depth, err *e)
{
    const char *path = (const char *)w->path.p;
    char **names = NULL;
    size_t n = 0;
    struct stat st;
    int rc = -1;

    DIR *dir = opendir(path);
    if (!dir || fstat(dirfd(dir), &st)) {
        err_sys(e, "cannot open the folder '%s'", path);
        goto out;
    }
    for (int i = 0; i < depth; i++)
        if (w->up[i].dev == st.st_dev && w->up[i].ino == st.st_ino) {
            err_set(e, ERR_INPUT, "the folder '%s' contains itself through a link", path);
            goto out;
        }
    if (depth == MAX_DEPTH) {
        err_set(e, ERR_INPUT, "the folder '%s' is more than %d deep", path, MAX_DEPTH);
        goto out;
    }
    w->up[depth].dev = st.st_dev;
    w->up[depth].ino = st.st_ino;
    if (read_names(dir, path, &names, &n, e))
        goto out;
    closedir(dir); /* descend with no descriptor held */
    dir = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t here = w->path.n;
        if (names[i][strlen(names[i]) - 1] != '/') {
            if (add_file(w, names[i], e))
                goto out;
            continue;
        }
        if (enter(w, names[i], e) || walk_folder(w, depth + 1, e))
            goto out;
        w->path.n = here;
        w->path.p[here] = '\0';
    }
    rc = 0;
out:
    if (dir)
        closedir(dir);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return rc;
}

static int list(source *s, listing *l, err *e)
{
    walk w = {.s = s, .l = l};
    size_t n = strlen(s->operand);
    int rc = -1;

    while (n > 1 && s->operand[n - 1] == '/')
        n--;
    if (buf_add(&w.path, s->operand, n, e) || enter(&w, n == 1 && *s->operand == '/' ? "" : "/", e))
        goto out;
    w.below = w.rule = w.path.n;
    /* "photos/train/" holds a train split, as "photos/" would say */
    const char *slash = memrchr(s->operand, '/', n);
    size_t base = slash ? (size_t)(slash + 1 - s->operand) : 0;
    if (listing_is_split(s->operand + base, n - base))
        w.rule = base;
    rc = walk_folder(&w, 0, e);
out:
    buf_free(&w.path);
    return rc;
}

const source_type source_folder = {
    .name = "folder",
    .help = "a folder of image files; class folders, and split folders above them, where there are any",
    .is = is_folder,
    .list = list,
    .read = source_read_file,
};
