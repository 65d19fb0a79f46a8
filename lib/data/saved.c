/* Saved streams of images: as files, read and verified whole while they are listed, or from a pipe. */
#include "data/source.h"

#include "base/io.h"
#include "data/blob.h"

#include <stdlib.h>
#include <string.h>

typedef struct saved {
    blob b;    /* a file */
    reader *r; /* a pipe */
    header h;  /* a file's */
    char *text[3]; /* of the current record; owned */
} saved;

static bool is_saved(const source_probe *p)
{
    return stream_sniff(p->head, p->n);
}

static bool is_ours(const char *name, size_t n)
{
    static const char *const ours[] = {"key", "index", "pos", "epoch", "split", "class", "label", "image"};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i]) == n && memcmp(ours[i], name, n) == 0)
            return true;
    return false;
}

/* The image and the fields that pass through. */
static int to_item(const sample *s, item *it, err *e)
{
    const tensor *t = sample_tensor(s, "image", DT_U1, 3, e);

    if (!t)
        return -1;
    if (t->bytes == 0 || (t->shape[2] != 1 && t->shape[2] != 3))
        return err_set(e, ERR_INPUT, "no image has the shape [%lld,%lld,%lld]", (long long)t->shape[0], (long long)t->shape[1],
                       (long long)t->shape[2]);
    it->p = t->data;
    it->n = t->bytes;
    it->h = (int)t->shape[0];
    it->w = (int)t->shape[1];
    it->c = (int)t->shape[2];
    it->fields.n = 0;
    for (int i = 0; i < s->n; i++)
        if (!is_ours(s->f[i].name, s->f[i].name_len))
            it->fields.f[it->fields.n++] = s->f[i];
    return 0;
}

/* ---- From a file ---- */

static int name_of(name_set *t, const sample *s, const char *field_name, int32_t *id, err *e)
{
    const field *f = sample_find(s, field_name);

    *id = -1;
    if (f && f->type == FIELD_STR && (*id = names_number(t, f->str.p, f->str.n, e)) < 0)
        return -1;
    return 0;
}

static int list_sample(source *s, listing *l, const reader *r, const sample *x, err *e)
{
    entry en = {.offset = reader_offset(r), .source = s->number};
    const field *key = sample_find(x, "key");
    size_t n;
    char number[24];

    reader_frame(r, &n);
    en.size = (int64_t)n;
    snprintf(number, sizeof number, "%lld", (long long)reader_count(r) - 1);
    const char *k = number;
    size_t len = strlen(number);
    if (key && key->type == FIELD_STR) {
        k = key->str.p;
        len = key->str.n;
    }
    if (!(en.key = listing_escape(l, k, len, e)) || name_of(&l->splits, x, "split", &en.split, e) ||
        name_of(&l->classes, x, "class", &en.class, e))
        return -1;
    return listing_add(l, &en, e);
}

/* All images have one shape, if the header says so. */
static void set_shape(source *s)
{
    int64_t shape[TENSOR_MAX_DIMS];

    if (header_field(s->head, "image", NULL, shape) == 3 && shape[0] > 0 && shape[1] > 0 && shape[2] > 0) {
        s->h = (int)shape[0];
        s->w = (int)shape[1];
        s->c = (int)shape[2];
    }
}

static int list(source *s, listing *l, err *e)
{
    saved *v = calloc(1, sizeof *v);
    sample x;
    int rc;

    if (!v)
        return err_nomem(e);
    if (blob_open(&v->b, s->operand, e)) {
        free(v);
        return -1;
    }
    s->state = v;
    if (v->b.fd < 0)
        return err_set(e, ERR_INPUT, "'%s' is compressed; use: zcat '%s' | ssl-load -", s->operand, s->operand);
    reader *r = reader_new(v->b.fd, 0, e);
    if (!r)
        return err_prefix(e, "'%s'", s->operand);
    if (header_expect(reader_header(r), e, KIND_IMAGES, NULL) || header_copy(&v->h, reader_header(r), e)) {
        rc = -1;
        goto out;
    }
    s->head = &v->h;
    set_shape(s);
    for (size_t i = 0; v->h.classes && i < v->h.classes->n; i++) {
        const value *c = v->h.classes->child[i];
        if (listing_declare(l, c->s, c->n, e)) {
            rc = -1;
            goto out;
        }
    }
    while ((rc = reader_next(r, &x, e)) > 0)
        if (list_sample(s, l, r, &x, e)) {
            rc = -1;
            break;
        }
    if (rc == 0)
        memcpy(s->digest, reader_digest(r), sizeof s->digest);
out:
    reader_free(r);
    if (rc && e->kind == ERR_ABORTED)
        e->kind = ERR_INPUT; /* a saved failure: nobody has spoken of it in this run */
    return rc ? err_prefix(e, "'%s'", s->operand) : 0;
}

static int read_frame(const source *s, const entry *en, item *it, err *e)
{
    const saved *v = s->state;
    sample x;

    it->own.n = 0;
    if (buf_reserve(&it->own, (size_t)en->size, e) || blob_read(&v->b, en->offset, it->own.p, (size_t)en->size, e))
        return -1;
    it->own.n = (size_t)en->size;
    frame f = {.p = it->own.p, .n = it->own.n};
    return frame_sample(&f, &x, e) ? -1 : to_item(&x, it, e);
}

/* ---- From a pipe ---- */

static int start(source *s, err *e)
{
    saved *v = calloc(1, sizeof *v);

    if (!v)
        return err_nomem(e);
    v->b.fd = -1;
    s->state = v;
    v->r = reader_new_after(s->fd, s->seen, s->seen_n, 0, e);
    if (!v->r || header_expect(reader_header(v->r), e, KIND_IMAGES, NULL))
        return -1;
    reader_on_wait(v->r, s->on_wait, s->wait_arg);
    s->head = reader_header(v->r);
    set_shape(s);
    return 0;
}

static int text_of(char **text, const sample *x, const char *name, err *e)
{
    const field *f = sample_find(x, name);

    free(*text);
    *text = NULL;
    if (f && f->type == FIELD_STR && !(*text = strndup(f->str.p, f->str.n)))
        return err_nomem(e);
    return 0;
}

static int next(source *s, record *r, item *it, err *e)
{
    saved *v = s->state;
    sample x;
    size_t n;
    int rc = reader_next(v->r, &x, e);

    if (rc <= 0)
        return rc;
    if (text_of(&v->text[0], &x, "key", e) || text_of(&v->text[1], &x, "split", e) || text_of(&v->text[2], &x, "class", e))
        return -1;
    if (!v->text[0] && asprintf(&v->text[0], "%lld", (long long)reader_count(v->r) - 1) < 0) {
        v->text[0] = NULL;
        return err_nomem(e);
    }
    *r = (record){v->text[0], v->text[1], v->text[2]};
    /* The frame's bytes move to the item, and the item's fields with them. */
    const uint8_t *p = reader_frame(v->r, &n);
    it->own.n = 0;
    if (buf_add(&it->own, p, n, e))
        return -1;
    frame f = {.p = it->own.p, .n = n};
    if (frame_sample(&f, &x, e) || to_item(&x, it, e))
        return reader_where(v->r, e);
    return 1;
}

static void close_saved(source *s)
{
    saved *v = s->state;

    for (int i = 0; i < 3; i++)
        free(v->text[i]);
    reader_free(v->r);
    header_clear(&v->h);
    blob_close(&v->b);
    free(v);
}

const source_type source_saved = {
    .name = "stream",
    .help = "a saved stream of images; several are merged",
    .is = is_saved,
    .list = list,
    .read = read_frame,
    .start = start,
    .next = next,
    .close = close_saved,
};
