#include "eval/embeddings.h"

#include "base/rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int grow(embeddings *t, err *e)
{
    if (t->n < t->cap)
        return 0;
    size_t cap = t->cap ? 2 * t->cap : 256;
    if (cap > UINT32_MAX)
        return err_set(e, ERR_INPUT, "more than %" PRIu32 " samples", UINT32_MAX);
    float *x = realloc(t->x, cap * (size_t)t->dim * sizeof *x);
    if (!x)
        return err_nomem(e);
    t->x = x;
    int32_t *label = realloc(t->label, cap * sizeof *label);
    if (!label)
        return err_nomem(e);
    t->label = label;
    int32_t *split = realloc(t->split, cap * sizeof *split);
    if (!split)
        return err_nomem(e);
    t->split = split;
    uint64_t *id = realloc(t->id, cap * sizeof *id);
    if (!id)
        return err_nomem(e);
    t->id = id;
    t->cap = cap;
    return 0;
}

/* The name of the sample's class: 1, or 0 when it has none. */
static int class_name(const sample *s, const header *h, const char **name, size_t *n)
{
    const field *f = sample_find(s, "class");

    if (f && f->type == FIELD_STR) {
        *name = f->str.p;
        *n = f->str.n;
        return 1;
    }
    int64_t label = sample_int(s, "label", -1);
    if (label < 0 || !h->classes || (size_t)label >= h->classes->n)
        return 0;
    *name = h->classes->child[label]->s;
    *n = h->classes->child[label]->n;
    return 1;
}

static bool finite_row(const float *x, int n)
{
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static int add(embeddings *t, const sample *s, const header *h, err *e)
{
    const field *key = sample_find(s, "key"), *split = sample_find(s, "split");
    const char *name;
    size_t len;

    if (split && split->type != FIELD_STR)
        split = NULL;
    if (split && split->str.n == strlen("unlabeled") && memcmp(split->str.p, "unlabeled", split->str.n) == 0) {
        t->unlabeled++;
        return 0;
    }
    if (!class_name(s, h, &name, &len))
        return err_set(e, ERR_INPUT, "no class; labelled samples are needed here");
    if (sample_int(s, "epoch", 0) > 0)
        return err_set(e, ERR_INPUT, "a second epoch; each image is taken once");
    const tensor *x = sample_tensor(s, "embedding", DT_F4, 1, e);
    if (!x)
        return -1;
    if (t->n == 0 && t->dim == 0 && x->shape[0] > 0 && x->shape[0] < INT32_MAX)
        t->dim = (int)x->shape[0];
    if (t->dim == 0 || x->shape[0] != t->dim)
        return err_set(e, ERR_INPUT, "an embedding of %" PRId64 " numbers%s", x->shape[0],
                       t->dim ? "; those before have another length" : "");
    if (grow(t, e))
        return -1;
    float *row = t->x + t->n * (size_t)t->dim;
    memcpy(row, x->data, x->bytes);
    if (!finite_row(row, t->dim))
        return err_set(e, ERR_INPUT, "the embedding is not finite (NaN or infinity)");
    t->label[t->n] = names_number(&t->classes, name, len, e);
    t->split[t->n] = split ? names_number(&t->splits, split->str.p, split->str.n, e) : -1;
    t->id[t->n] = key && key->type == FIELD_STR ? rng_mix_bytes(0, key->str.p, key->str.n) : t->n;
    if (t->label[t->n] < 0 || (split && t->split[t->n] < 0))
        return -1;
    t->n++;
    return 0;
}

int embeddings_read(embeddings *t, reader *r, progress *p, err *e)
{
    const header *h = reader_header(r);
    sample s;
    int rc;

    if (header_expect(h, e, KIND_EMBEDDINGS, NULL))
        return -1;
    while ((rc = reader_next(r, &s, e)) > 0) {
        if (add(t, &s, h, e))
            return reader_where(r, e);
        progress_update(p, reader_count(r), NULL);
    }
    return rc;
}

void embeddings_clear(embeddings *t)
{
    free(t->x);
    free(t->label);
    free(t->split);
    free(t->id);
    names_clear(&t->classes);
    names_clear(&t->splits);
    *t = (embeddings){0};
}
