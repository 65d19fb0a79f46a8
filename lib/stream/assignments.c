#include "stream/assignments.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int grow(assignments *a, err *e)
{
    size_t cap = a->cap ? 2 * a->cap : 1024;

    if ((size_t)a->keys.n < a->cap)
        return 0;
    int32_t *p = realloc(a->cluster, cap * (size_t)a->heads * sizeof *p);
    if (!p)
        return err_nomem(e);
    a->cluster = p;
    a->cap = cap;
    return 0;
}

static int add(assignments *a, const sample *s, err *e)
{
    const field *key = sample_find(s, "key");
    const tensor *t = sample_tensor(s, "cluster", DT_I4, 1, e);
    int known = a->keys.n;

    if (!t)
        return -1;
    if (!key || key->type != FIELD_STR)
        return err_set(e, ERR_INPUT, "no key");
    if (a->heads == 0 && t->shape[0] >= 1 && t->shape[0] <= 4096)
        a->heads = (int)t->shape[0];
    if (t->shape[0] != a->heads || a->heads == 0)
        return err_set(e, ERR_INPUT, "clusters of %lld heads%s", (long long)t->shape[0], known ? "; those before have another number" : "");
    if (grow(a, e))
        return -1;
    int at = names_number(&a->keys, key->str.p, key->str.n, e);
    if (at < 0)
        return -1;
    if (at < known)
        return err_set(e, ERR_INPUT, "the key has come before");
    int32_t *to = a->cluster + (size_t)at * (size_t)a->heads;
    memcpy(to, t->data, t->bytes);
    for (int h = 0; h < a->heads; h++)
        if (to[h] < 0 || to[h] >= a->clusters)
            return err_set(e, ERR_INPUT, "cluster %d is not one of the %d that the header declares", to[h], a->clusters);
    return 0;
}

static int read_all(assignments *a, reader *r, err *e)
{
    const header *h = reader_header(r);
    int64_t clusters = value_get_int(h->extra, "clusters", -1);
    sample s;
    int rc;

    if (header_expect(h, e, KIND_ASSIGNMENTS, (char *)NULL))
        return -1;
    if (clusters < 1 || clusters > 1 << 24)
        return err_set(e, ERR_INPUT, "the header gives no sound number of 'clusters'");
    a->clusters = (int)clusters;
    a->history = h->history ? value_copy(h->history) : NULL;
    if (h->history && value_failed(a->history))
        return err_nomem(e);
    while ((rc = reader_next(r, &s, e)) == 1)
        if (add(a, &s, e))
            return reader_where(r, e);
    if (rc == 0)
        snprintf(a->digest, sizeof a->digest, "%s", reader_digest(r));
    return rc;
}

int assignments_load(assignments *a, const char *path, err *e)
{
    int fd = io_open_read(path, e), rc = -1;

    *a = (assignments){0};
    if (fd < 0)
        return -1;
    reader *r = reader_new(fd, 0, e);
    if (r)
        rc = read_all(a, r, e);
    reader_free(r);
    close(fd);
    return rc ? err_prefix(e, "'%s'", path) : 0;
}

void assignments_clear(assignments *a)
{
    names_clear(&a->keys);
    free(a->cluster);
    value_free(a->history);
    *a = (assignments){0};
}

const int32_t *assignments_find(const assignments *a, const char *key, size_t len)
{
    int at = names_find(&a->keys, key, len);

    return at < 0 ? NULL : a->cluster + (size_t)at * (size_t)a->heads;
}

const int32_t *assignments_of(const assignments *a, const sample *s)
{
    const field *key = sample_find(s, "key");

    return key && key->type == FIELD_STR ? assignments_find(a, key->str.p, key->str.n) : NULL;
}
