#include "base/names.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

/* Where the string (without NULs) is, or the empty slot where it belongs. */
static size_t find_slot(const name_set *t, const char *s, size_t len)
{
    size_t i = rng_mix_bytes(0, s, len) & (t->n_slots - 1);

    for (; t->slots[i]; i = (i + 1) & (t->n_slots - 1)) {
        const char *other = t->v[t->slots[i] - 1];
        if (strlen(other) == len && memcmp(other, s, len) == 0)
            break;
    }
    return i;
}

/* Room for one more; v holds half as many entries as there are slots. */
static int grow(name_set *t, err *e)
{
    if ((size_t)t->n < t->n_slots / 2)
        return 0;
    size_t n = t->n_slots ? 2 * t->n_slots : 64;
    char **v = realloc(t->v, n / 2 * sizeof *v);
    if (!v)
        return err_nomem(e);
    t->v = v;
    int32_t *slots = calloc(n, sizeof *slots);
    if (!slots)
        return err_nomem(e);
    free(t->slots);
    t->slots = slots;
    t->n_slots = n;
    for (int i = 0; i < t->n; i++)
        t->slots[find_slot(t, t->v[i], strlen(t->v[i]))] = i + 1;
    return 0;
}

int names_find(const name_set *t, const char *s, size_t len)
{
    return t->n_slots ? t->slots[find_slot(t, s, strnlen(s, len))] - 1 : -1;
}

int names_number(name_set *t, const char *s, size_t len, err *e)
{
    int i = names_find(t, s, len);

    len = strnlen(s, len);
    if (i >= 0)
        return i;
    if (grow(t, e))
        return -1;
    char *copy = strndup(s, len);
    if (!copy)
        return err_nomem(e);
    t->slots[find_slot(t, s, len)] = t->n + 1;
    t->v[t->n] = copy;
    return t->n++;
}

void names_clear(name_set *t)
{
    for (int i = 0; i < t->n; i++)
        free(t->v[i]);
    free(t->v);
    free(t->slots);
    *t = (name_set){0};
}
