/*
 * The CIFAR binary versions (https://www.cs.toronto.edu/~kriz/cifar.html):
 * records of one label byte (CIFAR-100: a coarse and a fine one) and 32 x 32
 * pixels, a plane a channel.
 */
#include "data/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE };

typedef struct layout {
    int labels;        /* bytes before the pixels; the last is the class */
    int classes;
    const char *names; /* the file with the classes' names */
    struct { const char *file, *split; } part[8];
} layout;

static const layout cifar10 = {1, 10, "batches.meta.txt", {
    {"data_batch_1.bin", "train"}, {"data_batch_2.bin", "train"}, {"data_batch_3.bin", "train"}, {"data_batch_4.bin", "train"},
    {"data_batch_5.bin", "train"}, {"test_batch.bin", "test"}}};

static const layout cifar100 = {2, 100, "fine_label_names.txt", {{"train.bin", "train"}, {"test.bin", "test"}}};

/* A folder with one of the files, or one of the files. */
static bool is_one(const layout *y, const source_probe *p)
{
    const char *base = strrchr(p->path, '/');
    char path[4096];

    base = base ? base + 1 : p->path;
    for (int i = 0; y->part[i].file; i++) {
        if (!p->folder && strcmp(base, y->part[i].file) == 0)
            return true;
        snprintf(path, sizeof path, "%s/%s", p->path, y->part[i].file);
        if (p->folder && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static bool is_cifar10(const source_probe *p)
{
    return is_one(&cifar10, p);
}

static bool is_cifar100(const source_probe *p)
{
    return is_one(&cifar100, p);
}

typedef struct labels {
    uint8_t *v;
    const char *names[100];
} labels;

static const char *label_name(int64_t i, void *arg)
{
    const labels *t = arg;

    return t->names[t->v[i]];
}

static int list_part(source *s, listing *l, const layout *y, int part, labels *t, err *e)
{
    raw *r = s->state;
    raw_part *p = &r->part[part];
    int rc = -1;
    uint8_t *all = NULL;

    p->name = p->split ? p->split : "images";
    p->first = (uint64_t)y->labels;
    p->stride = (uint64_t)y->labels + PIXELS;
    if (raw_open(p, e))
        return -1;
    if (p->b.size == 0 || p->b.size % (int64_t)p->stride)
        return err_set(e, ERR_INPUT, "'%s' is truncated, or no file of CIFAR-%d", p->path, y->classes);
    p->n = p->b.size / (int64_t)p->stride;
    /* Labels lie between the pixels: read it all once, a block at a time. */
    enum { BLOCK = 256 };
    t->v = malloc((size_t)p->n);
    all = malloc(BLOCK * p->stride);
    if (!t->v || !all) {
        err_nomem(e);
        goto out;
    }
    for (int64_t i = 0; i < p->n; i += BLOCK) {
        int64_t k = p->n - i < BLOCK ? p->n - i : BLOCK;
        if (blob_read(&p->b, (uint64_t)i * p->stride, all, (size_t)k * p->stride, e))
            goto out;
        for (int64_t m = 0; m < k; m++) {
            t->v[i + m] = all[m * (int64_t)p->stride + y->labels - 1];
            if (t->v[i + m] >= y->classes) {
                err_set(e, ERR_INPUT, "'%s' has the label %d: no file of CIFAR-%d", p->path, t->v[i + m], y->classes);
                goto out;
            }
        }
    }
    rc = raw_list(s, l, part, label_name, t, e);
out:
    free(t->v);
    free(all);
    return rc;
}

static int list(source *s, listing *l, const layout *y, err *e)
{
    raw *r = raw_new(s, e);
    labels t;
    buf names = {0};
    char numbers[100][4], path[4096];
    const char *base = strrchr(s->operand, '/');
    int rc = -1;

    if (!r)
        return -1;
    r->h = r->w = s->h = s->w = SIDE;
    r->c = s->c = 3;
    r->order = RAW_CHW;
    base = base ? base + 1 : s->operand;
    for (int i = 0; y->part[i].file; i++) {
        snprintf(path, sizeof path, "%s/%s", s->operand, y->part[i].file);
        bool whole = strcmp(base, y->part[i].file) == 0; /* the operand is this file */
        if (!whole && access(path, F_OK))
            continue;
        raw_part *p = raw_add(r, whole ? NULL : s->operand, whole ? s->operand : y->part[i].file, e);
        if (!p)
            return -1;
        p->split = y->part[i].split;
    }
    if (r->parts == 0 && !raw_add(r, NULL, s->operand, e))
        return -1;
    for (int i = 0; i < y->classes; i++) {
        snprintf(numbers[i], sizeof numbers[i], y->classes > 10 ? "%02d" : "%d", i);
        t.names[i] = numbers[i];
    }
    int n = raw_class_names(s->operand, y->names, &names, t.names, y->classes, e);
    if (n < 0)
        goto out;
    if (n > 0 && n < y->classes) {
        err_set(e, ERR_INPUT, "'%s/%s' does not name %d classes", s->operand, y->names, y->classes);
        goto out;
    }
    for (int i = 0; i < y->classes; i++) /* labels keep their numbers where some classes have no image */
        if (listing_declare(l, t.names[i], strlen(t.names[i]), e))
            goto out;
    for (int i = 0; i < r->parts; i++)
        if (list_part(s, l, y, i, &t, e))
            goto out;
    rc = 0;
out:
    buf_free(&names);
    return rc;
}

static int list_10(source *s, listing *l, err *e)
{
    return list(s, l, &cifar10, e);
}

static int list_100(source *s, listing *l, err *e)
{
    return list(s, l, &cifar100, e);
}

const source_type source_cifar10 = {
    .name = "cifar10",
    .help = "the binary version of CIFAR-10: data_batch_1.bin, test_batch.bin, ...",
    .is = is_cifar10,
    .list = list_10,
    .read = raw_read,
    .close = raw_close,
};

const source_type source_cifar100 = {
    .name = "cifar100",
    .help = "the binary version of CIFAR-100: train.bin, test.bin (fine labels)",
    .is = is_cifar100,
    .list = list_100,
    .read = raw_read,
    .close = raw_close,
};
