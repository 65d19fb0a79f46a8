#include "data/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

raw *raw_new(source *s, err *e)
{
    raw *r = calloc(1, sizeof *r);

    if (!r)
        err_nomem(e);
    s->state = r;
    return r;
}

raw_part *raw_add(raw *r, const char *folder, const char *name, err *e)
{
    raw_part *v = realloc(r->part, (size_t)(r->parts + 1) * sizeof *v);

    if (!v) {
        err_nomem(e);
        return NULL;
    }
    r->part = v;
    raw_part *p = &v[r->parts];
    *p = (raw_part){0};
    if (asprintf(&p->path, "%s%s%s", folder ? folder : "", folder ? "/" : "", name) < 0) {
        err_nomem(e);
        return NULL;
    }
    r->parts++;
    return p;
}

int raw_open(raw_part *p, err *e)
{
    if (blob_open(&p->b, p->path, e))
        return -1;
    p->open = true;
    return 0;
}

int raw_list(source *s, listing *l, int part, const char *(*class)(int64_t i, void *arg), void *arg, err *e)
{
    raw *r = s->state;
    const raw_part *p = &r->part[part];
    int64_t start = 0;
    int split = -1;

    if (p->split && (split = names_number(&l->splits, p->split, strlen(p->split), e)) < 0)
        return -1;
    for (int i = 0; i < part; i++)
        if (strcmp(r->part[i].name, p->name) == 0)
            start += r->part[i].n;
    for (int64_t i = 0; i < p->n; i++) {
        char name[300];
        entry en = {.offset = p->first + (uint64_t)i * p->stride, .size = -1, .split = split, .class = -1,
                    .source = s->number, .part = (uint32_t)part};
        int n = snprintf(name, sizeof name, "%s/%05lld", p->name, (long long)(start + i));
        const char *k = class ? class(i, arg) : NULL;
        if (k && (en.class = names_number(&l->classes, k, strlen(k), e)) < 0)
            return -1;
        if (!(en.key = source_key(s, l, name, (size_t)n < sizeof name ? (size_t)n : sizeof name - 1, e)) || listing_add(l, &en, e))
            return -1;
    }
    return 0;
}

/* (C, H, W), or (C, W, H) when `turned`, to (H, W, C). */
static void interleave(const uint8_t *src, uint8_t *dst, int h, int w, int c, bool turned)
{
    size_t right = turned ? (size_t)h : 1, down = turned ? 1 : (size_t)w, plane = (size_t)h * (size_t)w;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                *dst++ = src[(size_t)k * plane + (size_t)y * down + (size_t)x * right];
}

int raw_read(const source *s, const entry *en, item *it, err *e)
{
    const raw *r = s->state;
    size_t n = (size_t)r->h * (size_t)r->w * (size_t)r->c;

    it->own.n = 0;
    if (buf_reserve(&it->own, 2 * n, e) || blob_read(&r->part[en->part].b, en->offset, it->own.p, n, e))
        return -1;
    it->p = it->own.p;
    if (r->order != RAW_HWC) {
        interleave(it->own.p, it->own.p + n, r->h, r->w, r->c, r->order == RAW_CWH);
        it->p += n;
    }
    it->n = n;
    it->h = r->h;
    it->w = r->w;
    it->c = r->c;
    return 0;
}

void raw_close(source *s)
{
    raw *r = s->state;

    for (int i = 0; i < r->parts; i++) {
        if (r->part[i].open)
            blob_close(&r->part[i].b);
        free(r->part[i].path);
    }
    free(r->part);
    free(r);
}

int raw_class_names(const char *folder, const char *name, buf *b, const char *names[], int max, err *e)
{
    char *path = NULL;
    blob file;
    int n = 0;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return err_nomem(e);
    if (access(path, F_OK)) {
        free(path);
        return 0;
    }
    b->n = 0;
    int rc = blob_open(&file, path, e);
    if (rc == 0) {
        rc = buf_reserve(b, (size_t)file.size + 1, e) ? -1 : blob_read(&file, 0, b->p, (size_t)file.size, e);
        b->n = rc ? 0 : (size_t)file.size;
        blob_close(&file);
    }
    free(path);
    if (rc)
        return -1;
    b->p[b->n] = '\0';
    char *save = NULL;
    for (char *s = strtok_r((char *)b->p, "\r\n", &save); s && n < max; s = strtok_r(NULL, "\r\n", &save))
        names[n++] = s;
    return n;
}
