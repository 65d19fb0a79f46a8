#include "stream/header.h"

#include "base/sha256.h"
#include "base/version.h"

#include <stdlib.h>
#include <string.h>

/* The index of the record with that id, or history->n. */
static size_t find(const value *history, const char *id)
{
    size_t i = 0;

    while (i < history->n && strcmp(value_get_str(history->child[i], "id", ""), id) != 0)
        i++;
    return i;
}

const char *history_last(const header *h)
{
    return h->history && h->history->n ? value_get_str(h->history->child[h->history->n - 1], "id", NULL) : NULL;
}

uint64_t history_count(const header *h, const char *tool)
{
    uint64_t n = 0;

    for (size_t i = 0; h->history && i < h->history->n; i++)
        n += strcmp(value_get_str(h->history->child[i], "tool", ""), tool) == 0;
    return n;
}

int history_merge(header *h, const value *other, const char **id, err *e)
{
    if (id)
        *id = NULL;
    for (size_t i = 0; other && i < other->n; i++) {
        const char *it = value_get_str(other->child[i], "id", "");
        if (id)
            *id = it;
        if (find(h->history, it) == h->history->n)
            value_push(h->history, value_copy(other->child[i]));
    }
    return value_failed(h->history) ? err_nomem(e) : 0;
}

static void push_parent(value *parents, const char *role, const char *id)
{
    value *p = value_map();

    value_set(p, "role", value_str(role));
    value_set(p, "id", value_str(id));
    value_push(parents, p);
}

/* Everything but the id. */
static value *new_record(const header *h, const char *tool, value *parameters, const history_parent *parents, int n)
{
    value *r = value_map(), *list = value_array();

    if (h->tip)
        push_parent(list, "input", h->tip);
    for (int i = 0; i < n; i++)
        push_parent(list, parents[i].role, parents[i].id);
    value_set(r, "tool", value_str(tool));
    value_set(r, "version", value_str(TOOLS_VERSION));
    value_set(r, "parameters", parameters);
    value_set(r, "seed", value_int((int64_t)h->seed));
    value_set(r, "parents", list);
    return r;
}

static int record_id(value *record, char id[17], err *e)
{
    char hex[65];
    sha256 sum;
    buf b = {0};

    value_sort(record);
    if (value_pack(record, &b, e)) {
        buf_free(&b);
        return -1;
    }
    sha256_start(&sum);
    sha256_add(&sum, b.p, b.n);
    sha256_end_hex(&sum, hex);
    buf_free(&b);
    memcpy(id, hex, 16);
    id[16] = '\0';
    return 0;
}

int history_add(header *h, const char *tool, value *parameters, const history_parent *parents, int n, err *e)
{
    value *r = new_record(h, tool, parameters, parents, n);
    char id[17], *tip = NULL;

    if (value_failed(r)) {
        err_nomem(e);
        goto fail;
    }
    if (record_id(r, id, e))
        goto fail;
    value_set(r, "id", value_str(id));
    tip = strdup(id);
    if (value_failed(r) || !tip) {
        err_nomem(e);
        goto fail;
    }
    /* The newest is last; when it is here already it moves there. */
    size_t at = find(h->history, id);
    if (at < h->history->n) {
        value_free(h->history->child[at]);
        h->history->n--;
        memmove(h->history->child + at, h->history->child + at + 1, (h->history->n - at) * sizeof *h->history->child);
    }
    value_push(h->history, r);
    if (value_failed(h->history)) {
        err_nomem(e);
        free(tip);
        return -1;
    }
    free(h->tip);
    h->tip = tip;
    return 0;
fail:
    value_free(r);
    free(tip);
    return -1;
}
