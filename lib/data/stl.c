/*
 * STL-10's binary files (https://cs.stanford.edu/~acoates/stl10): images of
 * 96 x 96 in planes, each column by column; labels from 1 in files of their own.
 */
#include "data/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 96, PIXELS = 3 * SIDE * SIDE, CLASSES = 10 };

static const struct { const char *x, *y, *split; } files[] = {
    {"train_X.bin", "train_y.bin", "train"}, {"test_X.bin", "test_y.bin", "test"}, {"unlabeled_X.bin", NULL, "unlabeled"},
};
enum { FILES = sizeof files / sizeof *files };

static bool is_stl(const source_probe *p)
{
    char path[4096];

    for (int i = 0; p->folder && i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", p->path, files[i].x);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

typedef struct labels {
    uint8_t *v;
    const char *names[CLASSES];
} labels;

static const char *label_name(int64_t i, void *arg)
{
    const labels *t = arg;

    return t->names[t->v[i] - 1];
}

/* t->v is NULL afterwards when there are none. */
static int read_labels(const char *folder, const char *name, const raw_part *p, labels *t, err *e)
{
    blob b;
    char *path = NULL;
    int rc = -1;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return err_nomem(e);
    if (access(path, F_OK)) {
        free(path);
        return 0;
    }
    if (blob_open(&b, path, e)) {
        free(path);
        return -1;
    }
    if (b.size != p->n) {
        err_set(e, ERR_INPUT, "'%s' holds %lld images, but there are %lld labels", p->path, (long long)p->n, (long long)b.size);
        goto out;
    }
    t->v = malloc((size_t)p->n);
    if (!t->v) {
        err_nomem(e);
        goto out;
    }
    if (blob_read(&b, 0, t->v, (size_t)p->n, e))
        goto out;
    for (int64_t i = 0; i < p->n; i++)
        if (t->v[i] < 1 || t->v[i] > CLASSES) {
            err_set(e, ERR_INPUT, "'%s' has the label %d; they go from 1 to %d", path, t->v[i], CLASSES);
            goto out;
        }
    rc = 0;
out:
    blob_close(&b);
    free(path);
    return rc;
}

static int list_part(source *s, listing *l, int part, const char *labels_name, labels *t, err *e)
{
    raw *r = s->state;
    raw_part *p = &r->part[part];

    t->v = NULL;
    p->name = p->split ? p->split : "images";
    p->stride = PIXELS;
    if (raw_open(p, e))
        return -1;
    if (p->b.size == 0 || p->b.size % PIXELS)
        return err_set(e, ERR_INPUT, "'%s' is truncated, or no file of STL-10's images", p->path);
    p->n = p->b.size / PIXELS;
    int rc = labels_name ? read_labels(s->operand, labels_name, p, t, e) : 0;
    if (rc == 0)
        rc = raw_list(s, l, part, t->v ? label_name : NULL, t, e);
    free(t->v);
    return rc;
}

static int list(source *s, listing *l, err *e)
{
    static const char *const numbers[CLASSES] = {"01", "02", "03", "04", "05", "06", "07", "08", "09", "10"};
    raw *r = raw_new(s, e);
    labels t;
    buf names = {0};
    int rc = -1;
    const char *y[FILES];

    if (!r)
        return -1;
    r->h = r->w = s->h = s->w = SIDE;
    r->c = s->c = 3;
    r->order = RAW_CWH;
    for (int i = 0; i < FILES; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", s->operand, files[i].x);
        if (access(path, F_OK))
            continue;
        raw_part *p = raw_add(r, s->operand, files[i].x, e);
        if (!p)
            return -1;
        p->split = files[i].split;
        y[r->parts - 1] = files[i].y;
    }
    if (r->parts == 0) { /* a file by itself, by --format */
        if (!raw_add(r, NULL, s->operand, e))
            return -1;
        y[0] = NULL;
    }
    memcpy(t.names, numbers, sizeof numbers);
    int n = raw_class_names(s->operand, "class_names.txt", &names, t.names, CLASSES, e);
    if (n < 0)
        goto out;
    if (n > 0 && n < CLASSES) {
        err_set(e, ERR_INPUT, "'%s/class_names.txt' does not name %d classes", s->operand, CLASSES);
        goto out;
    }
    for (int i = 0; i < CLASSES; i++) /* labels keep their numbers where some classes have no image */
        if (listing_declare(l, t.names[i], strlen(t.names[i]), e))
            goto out;
    for (int i = 0; i < r->parts; i++)
        if (list_part(s, l, i, y[i], &t, e))
            goto out;
    rc = 0;
out:
    buf_free(&names);
    return rc;
}

const source_type source_stl10 = {
    .name = "stl10",
    .help = "the binary version of STL-10: train_X.bin, train_y.bin, unlabeled_X.bin, ...",
    .is = is_stl,
    .list = list,
    .read = raw_read,
    .close = raw_close,
};
