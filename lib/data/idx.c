/*
 * IDX files, MNIST's format (http://yann.lecun.com/exdb/mnist): two zero bytes,
 * the element type, the number of dimensions, each dimension (32 bit, big
 * endian), then the elements. Images are u8 (N, H, W) or (N, H, W, C), labels
 * u8 (N); plain or gzip.
 */
#include "data/raw.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TYPE_U8 = 8, MAX_DIMS = 4 };

typedef struct idx {
    int dims;
    int64_t shape[MAX_DIMS];
    uint64_t first; /* offset of the elements */
} idx;

static int read_head(const blob *b, idx *x, err *e)
{
    uint8_t h[4 + 4 * MAX_DIMS];
    int64_t bytes = 1;

    if (blob_read(b, 0, h, 4, e))
        return -1;
    if (h[0] || h[1] || h[2] != TYPE_U8 || h[3] < 1 || h[3] > MAX_DIMS)
        return err_set(e, ERR_INPUT, "'%s' is no IDX file of unsigned bytes", b->path);
    x->dims = h[3];
    x->first = 4 + 4 * (uint64_t)x->dims;
    if (blob_read(b, 4, h + 4, 4 * (size_t)x->dims, e))
        return -1;
    for (int i = 0; i < x->dims; i++) {
        const uint8_t *p = h + 4 + 4 * i;
        x->shape[i] = (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        if (__builtin_mul_overflow(bytes, x->shape[i], &bytes))
            return err_set(e, ERR_INPUT, "'%s' claims an impossible shape", b->path);
    }
    if (bytes > b->size - (int64_t)x->first)
        return err_set(e, ERR_INPUT, "'%s' is truncated", b->path);
    if (bytes < b->size - (int64_t)x->first)
        return err_set(e, ERR_INPUT, "'%s' is longer than its header says", b->path);
    return 0;
}

/* "train-images-idx3-ubyte.gz": where "images" stands, or NULL. Some copies have a dot before idx3. */
static const char *images_in(const char *name)
{
    const char *p = strstr(name, "images");

    return p && (strstr(p, "idx3") || strstr(p, "idx4")) ? p : NULL;
}

static bool is_idx(const source_probe *p)
{
    bool found = false;

    if (!p->folder) {
        const char *base = strrchr(p->path, '/');
        return images_in(base ? base + 1 : p->path) != NULL;
    }
    DIR *dir = opendir(p->path);
    for (const struct dirent *d; dir && !found && (d = readdir(dir));)
        found = images_in(d->d_name) != NULL;
    if (dir)
        closedir(dir);
    return found;
}

/* ---- Labels ---- */

typedef struct labels {
    const uint8_t *v;
    char text[256][4]; /* as many digits as the largest needs, so that they sort as numbers */
} labels;

static const char *label_name(int64_t i, void *arg)
{
    labels *t = arg;

    return t->text[t->v[i]];
}

/* The labels' file beside an images' file; "" when there is none, NULL out of memory. */
static char *labels_path(const char *images, err *e)
{
    size_t n = strlen(images);
    char *path = malloc(n + sizeof ".gz");

    if (!path) {
        err_nomem(e);
        return NULL;
    }
    memcpy(path, images, n + 1);
    char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    if (images_in(base)) {
        char *p = strstr(base, "images");
        memcpy(p, "labels", 6);
        memcpy(strstr(p, "idx"), "idx1", 4);
        if (n > 3 && strcmp(path + n - 3, ".gz") == 0)
            path[n - 3] = '\0';
        if (access(path, F_OK) == 0)
            return path;
        memcpy(path + strlen(path), ".gz", 4);
        if (access(path, F_OK) == 0)
            return path;
    }
    *path = '\0';
    return path;
}

static int open_labels(const raw_part *p, blob *b, idx *x, bool *have, err *e)
{
    char *path = labels_path(p->path, e);
    int rc = -1;

    *have = false;
    if (!path)
        return -1;
    if (!*path) {
        rc = 0;
    } else if (blob_open(b, path, e) == 0) {
        *have = true;
        rc = read_head(b, x, e);
        if (rc == 0 && x->dims != 1)
            rc = err_set(e, ERR_INPUT, "'%s' holds no labels: it has %d dimensions", path, x->dims);
        b->path = p->path; /* for messages, once the name of its own is gone */
    }
    free(path);
    return rc;
}

/* ---- Images ---- */

static int open_images(source *s, raw *r, raw_part *p, err *e)
{
    idx x;

    if (raw_open(p, e) || read_head(&p->b, &x, e))
        return -1;
    if (x.dims < 3 || (x.dims == 4 && x.shape[3] != 1 && x.shape[3] != 3))
        return err_set(e, ERR_INPUT, "'%s' holds no images", p->path);
    int64_t c = x.dims == 4 ? x.shape[3] : 1;
    if (x.shape[1] < 1 || x.shape[2] < 1 || x.shape[1] > INT32_MAX / x.shape[2] / c)
        return err_set(e, ERR_INPUT, "'%s': no image is %lld x %lld pixels", p->path, (long long)x.shape[2], (long long)x.shape[1]);
    if (r->h && (r->h != x.shape[1] || r->w != x.shape[2] || r->c != c))
        return err_set(e, ERR_INPUT, "'%s' holds images of another size than the files before it", p->path);
    r->h = s->h = (int)x.shape[1];
    r->w = s->w = (int)x.shape[2];
    r->c = s->c = (int)c;
    p->n = x.shape[0];
    p->first = x.first;
    p->stride = (uint64_t)(x.shape[1] * x.shape[2] * c);
    return 0;
}

static int list_part(source *s, listing *l, int part, err *e)
{
    raw *r = s->state;
    raw_part *p = &r->part[part];
    blob b;
    idx x;
    bool have;
    uint8_t *v = NULL, top = 0;
    labels t;
    int rc = -1;

    if (open_labels(p, &b, &x, &have, e))
        goto out;
    if (have) {
        p->n = x.shape[0];
        if (!(v = malloc((size_t)p->n + 1))) {
            err_nomem(e);
            goto out;
        }
        if (blob_read(&b, x.first, v, (size_t)p->n, e))
            goto out;
    }
    /* The images of a split that nobody asked for need not be inflated. */
    if (!have || !s->split || !p->split || strcmp(s->split, p->split) == 0) {
        int64_t n = p->n;
        if (open_images(s, r, p, e))
            goto out;
        if (have && p->n != n) {
            err_set(e, ERR_INPUT, "'%s' holds %lld images, but there are %lld labels", p->path, (long long)p->n, (long long)n);
            goto out;
        }
    }
    for (int64_t i = 0; have && i < p->n; i++)
        top = v[i] > top ? v[i] : top;
    for (int i = 0; i < 256; i++)
        snprintf(t.text[i], sizeof t.text[i], "%0*d", top > 99 ? 3 : top > 9 ? 2 : 1, i);
    t.v = v;
    rc = raw_list(s, l, part, have ? label_name : NULL, &t, e);
out:
    if (have)
        blob_close(&b);
    free(v);
    return rc;
}

/* "t10k-images..." is the test split; other names say it themselves: "emnist-letters-train-images...". */
static const char *split_of(const char *name)
{
    size_t n = (size_t)(images_in(name) - name);

    while (n > 0 && (name[n - 1] == '-' || name[n - 1] == '.' || name[n - 1] == '_'))
        n--;
    static const struct { const char *end, *split; } ends[] = {
        {"train", "train"}, {"t10k", "test"}, {"test", "test"}, {"val", "val"}, {"unlabeled", "unlabeled"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t k = strlen(ends[i].end);
        if (n >= k && memcmp(name + n - k, ends[i].end, k) == 0)
            return ends[i].split;
    }
    return NULL;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const raw_part *)a)->path, ((const raw_part *)b)->path);
}

static int find_parts(raw *r, const char *folder, err *e)
{
    DIR *dir = opendir(folder);
    int rc = 0;

    if (!dir) {
        if (errno == ENOTDIR)
            return raw_add(r, NULL, folder, e) ? 0 : -1;
        return err_sys(e, "cannot open the folder '%s'", folder);
    }
    for (const struct dirent *d; rc == 0 && (d = readdir(dir));)
        if (images_in(d->d_name) && !raw_add(r, folder, d->d_name, e))
            rc = -1;
    closedir(dir);
    if (rc == 0 && r->parts == 0)
        rc = err_set(e, ERR_INPUT, "no IDX images are in '%s'", folder);
    qsort(r->part, (size_t)r->parts, sizeof *r->part, by_path);
    return rc;
}

static int list(source *s, listing *l, err *e)
{
    raw *r = raw_new(s, e);

    if (!r || find_parts(r, s->operand, e))
        return -1;
    r->order = RAW_HWC;
    for (int i = 0; i < r->parts; i++) {
        raw_part *p = &r->part[i];
        const char *base = strrchr(p->path, '/');
        base = base ? base + 1 : p->path;
        p->split = images_in(base) ? split_of(base) : NULL;
        p->name = p->split ? p->split : "images";
        if (list_part(s, l, i, e))
            return -1;
    }
    return 0;
}

const source_type source_idx = {
    .name = "idx",
    .help = "IDX files as MNIST's: train-images-idx3-ubyte, t10k-labels-idx1-ubyte, ...; plain or .gz",
    .is = is_idx,
    .list = list,
    .read = raw_read,
    .close = raw_close,
};
