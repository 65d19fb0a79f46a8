#include "plot/points.h"

#include "base/rng.h"
#include "image/resize.h"
#include "stream/assignments.h"
#include "stream/stream.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One of the arrays, with room for cap elements. */
static int widen(void *array, size_t cap, size_t size, err *e)
{
    void **at = array, *p = realloc(*at, cap * size);

    if (!p)
        return err_nomem(e);
    *at = p;
    return 0;
}

static int grow(points *p, bool images, err *e)
{
    if (p->n < p->cap)
        return 0;
    size_t cap = p->cap ? 2 * p->cap : 256;
    if (cap > UINT32_MAX / 2)
        return err_set(e, ERR_INPUT, "too many samples");
    if (widen(&p->x, cap, (size_t)p->dim * sizeof *p->x, e) || widen(&p->key, cap, sizeof *p->key, e) ||
        widen(&p->class_of, cap, sizeof *p->class_of, e) || widen(&p->split, cap, sizeof *p->split, e) ||
        widen(&p->cluster, cap, sizeof *p->cluster, e) || (images && widen(&p->thumb, cap, sizeof *p->thumb, e)))
        return -1;
    p->cap = cap;
    return 0;
}

/* The number of a sample's string field, or of its label's class; -1 where it has none, -2 out of memory. */
static int name_number(name_set *names, const sample *s, const char *name, const header *h, err *e)
{
    const field *f = sample_find(s, name);
    int64_t label = h ? sample_int(s, "label", -1) : -1;

    if (f && f->type == FIELD_STR) {
        int i = names_number(names, f->str.p, f->str.n, e);
        return i < 0 ? -2 : i;
    }
    if (label < 0 || !h->classes || (size_t)label >= h->classes->n)
        return -1;
    int i = names_number(names, h->classes->child[label]->s, h->classes->child[label]->n, e);
    return i < 0 ? -2 : i;
}

static int take_embedding(points *p, const tensor *x, bool images, err *e)
{
    if (p->dim == 0 && x->shape[0] > 0 && x->shape[0] < INT32_MAX)
        p->dim = (int)x->shape[0];
    if (p->dim == 0 || x->shape[0] != p->dim)
        return err_set(e, ERR_INPUT, "an embedding of %" PRId64 " numbers%s", x->shape[0], p->dim ? "; those before have another length" : "");
    if (grow(p, images, e))
        return -1;
    float *row = p->x + p->n * (size_t)p->dim;
    memcpy(row, x->data, x->bytes);
    for (int d = 0; d < p->dim; d++)
        if (!isfinite(row[d]))
            return err_set(e, ERR_INPUT, "the embedding is not finite (NaN or infinity)");
    return 0;
}

static int take_image(points *p, const sample *s, int side, err *e)
{
    const tensor *t = sample_tensor(s, "image", DT_U1, 3, e);
    image full = {0}, small = {0};
    int rc = -1;

    if (!t)
        return -1;
    int64_t h = t->shape[0], w = t->shape[1], c = t->shape[2], longest = h > w ? h : w;
    if (h < 1 || w < 1 || longest > INT32_MAX || (c != 1 && c != 3))
        return err_set(e, ERR_INPUT, "the field 'image' has a shape that is no image's");
    if (image_shape(&full, (int)h, (int)w, (int)c, e))
        return -1;
    memcpy(full.p, t->data, t->bytes);
    image *im = &full;
    if (longest > side) {
        int sh = (int)((h * side + longest / 2) / longest), sw = (int)((w * side + longest / 2) / longest);
        if (image_resize(&full, 0, 0, (double)w, (double)h, sw < 1 ? 1 : sw, sh < 1 ? 1 : sh, RESAMPLE_LANCZOS, &small, e))
            goto out;
        im = &small;
    }
    p->thumb[p->n] = (thumbnail){p->pixels.n, (uint16_t)im->h, (uint16_t)im->w, (uint16_t)im->c};
    rc = buf_add(&p->pixels, im->p, image_bytes(im), e);
out:
    image_free(&full);
    image_free(&small);
    return rc;
}

static int take(points *p, const sample *s, const header *h, const assignments *a, int side, err *e)
{
    const field *key = sample_find(s, "key");
    const tensor *x = sample_tensor(s, "embedding", DT_F4, 1, e);
    char number[32];

    if (!x)
        return -1;
    if (sample_int(s, "epoch", 0) > 0)
        return err_set(e, ERR_INPUT, "a second epoch; each image is taken once");
    if (take_embedding(p, x, side > 0, e) || (side && take_image(p, s, side, e)))
        return -1;
    p->class_of[p->n] = name_number(&p->classes, s, "class", h, e);
    p->split[p->n] = name_number(&p->splits, s, "split", NULL, e);
    if (p->class_of[p->n] == -2 || p->split[p->n] == -2)
        return -1;
    const int32_t *cluster = a ? assignments_of(a, s) : NULL;
    p->cluster[p->n] = -1;
    if (cluster) {
        snprintf(number, sizeof number, "%d", *cluster);
        if ((p->cluster[p->n] = names_number(&p->clusters, number, strlen(number), e)) < 0)
            return -1;
    }
    snprintf(number, sizeof number, "%zu", p->n);
    bool named = key && key->type == FIELD_STR;
    p->key[p->n] = named ? strndup(key->str.p, key->str.n) : strdup(number);
    return p->key[p->n++] ? 0 : err_nomem(e);
}

static int read_one(points *p, const plot_request *q, int i, const assignments *a, int side, err *e)
{
    int fd = plot_open(q, i, e), rc = -1;
    reader *r = fd < 0 ? NULL : reader_new(fd, 0, e);
    progress bar;
    sample s;

    if (!r || header_expect(reader_header(r), e, KIND_EMBEDDINGS, NULL))
        goto out;
    bool carried = header_field(reader_header(r), "image", NULL, (int64_t[TENSOR_MAX_DIMS]){0}) >= 0;
    if (side < 0) /* all inputs or none: the first decides */
        side = i == 0 ? (carried ? -side : 0) : p->thumb ? -side : 0;
    if (side && !carried) {
        err_set(e, ERR_INPUT, "the stream carries no images; ssl-embed passes them on with --keep");
        goto out;
    }
    progress_start(&bar, 2, q->tool, "samples", 0, reader_header(r)->count, q->quiet);
    while ((rc = reader_next(r, &s, e)) > 0) {
        if (take(p, &s, reader_header(r), a, side, e)) {
            rc = reader_where(r, e);
            break;
        }
        progress_update(&bar, reader_count(r), NULL);
    }
    progress_end(&bar);
out:
    if (rc && q->n_inputs > 1)
        err_prefix(e, "'%s'", q->inputs[i]);
    reader_free(r);
    plot_close(q, fd);
    return rc;
}

/* ---- A random part ----------------------------------------------------------------------- */

typedef struct lot {
    uint64_t hash;
    uint32_t row;
} lot;

static int by_hash(const void *a, const void *b)
{
    const lot *x = a, *y = b;

    return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : x->row < y->row ? -1 : x->row > y->row;
}

static int by_row(const void *a, const void *b)
{
    const lot *x = a, *y = b;

    return x->row < y->row ? -1 : x->row > y->row;
}

/* The samples with the least hashes of their keys, in their order: the choice does not depend on the order of the stream. */
static int draw(points *p, size_t limit, uint64_t seed, err *e)
{
    lot *lots = malloc(p->n * sizeof *lots);
    uint64_t start = rng_mix_str(seed, "limit");

    if (!lots)
        return err_nomem(e);
    for (size_t i = 0; i < p->n; i++)
        lots[i] = (lot){rng_mix_bytes(start, p->key[i], strlen(p->key[i])), (uint32_t)i};
    qsort(lots, p->n, sizeof *lots, by_hash);
    qsort(lots, limit, sizeof *lots, by_row);
    size_t dim = (size_t)p->dim;
    for (size_t i = 0; i < limit; i++) {
        size_t from = lots[i].row; /* never below i */
        char *key = p->key[from];
        memmove(p->x + i * dim, p->x + from * dim, dim * sizeof *p->x);
        p->key[from] = p->key[i];
        p->key[i] = key;
        p->class_of[i] = p->class_of[from];
        p->split[i] = p->split[from];
        p->cluster[i] = p->cluster[from];
        if (p->thumb)
            p->thumb[i] = p->thumb[from];
    }
    for (size_t i = limit; i < p->n; i++)
        free(p->key[i]);
    p->n = limit;
    free(lots);
    return 0;
}

int points_read(points *p, const plot_request *q, int side, err *e)
{
    assignments a = {0};
    int rc = q->clusters ? assignments_load(&a, q->clusters, e) : 0;

    for (int i = 0; rc == 0 && i < q->n_inputs; i++)
        rc = read_one(p, q, i, q->clusters ? &a : NULL, side, e);
    assignments_clear(&a);
    if (rc)
        return -1;
    if (p->n == 0)
        return err_set(e, ERR_INPUT, "there is no sample to draw");
    if (q->clusters && p->clusters.n == 0)
        return err_set(e, ERR_INPUT, "'%s' has no key of these samples", q->clusters);
    if (q->limit && (size_t)q->limit < p->n && draw(p, (size_t)q->limit, (uint64_t)q->seed, e))
        return -1;
    p->all = malloc(p->n * sizeof *p->all);
    if (!p->all)
        return err_nomem(e);
    for (size_t i = 0; i < p->n; i++)
        p->all[i] = (uint32_t)i;
    return 0;
}

void points_clear(points *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->key[i]);
    free(p->x);
    free(p->key);
    free(p->class_of);
    free(p->split);
    free(p->cluster);
    free(p->thumb);
    free(p->all);
    buf_free(&p->pixels);
    names_clear(&p->classes);
    names_clear(&p->splits);
    names_clear(&p->clusters);
    *p = (points){0};
}

image points_image(const points *p, size_t i)
{
    const thumbnail *t = &p->thumb[i];

    return (image){t->h, t->w, t->c, p->pixels.p + t->at, 0};
}

features points_features(const points *p)
{
    return (features){.x = p->x, .n = p->n, .dim = p->dim};
}

int points_neighbours(const points *p, rows among, rows of, int k, int threads, knn_neighbour *found, err *e)
{
    features f = points_features(p);
    size_t more = (size_t)k + 1 < among.n ? (size_t)k + 1 : among.n;
    knn_neighbour *wide = malloc(of.n * more * sizeof *wide + 1);
    int rc = wide ? knn_search(&f, among, of, (int)more, threads, wide, e) : err_nomem(e);

    for (size_t i = 0; rc == 0 && i < of.n; i++) {
        int have = 0;
        for (size_t j = 0; j < more && have < k; j++)
            if (wide[i * more + j].row != of.v[i])
                found[i * (size_t)k + (size_t)have++] = wide[i * more + j];
    }
    free(wide);
    return rc;
}
