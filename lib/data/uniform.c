#include "data/uniform.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

int uniform_init(uniform *u, const int32_t *group, size_t n, int groups, uint64_t key, err *e)
{
    uint32_t *size = calloc((size_t)groups + 1, sizeof *size);

    *u = (uniform){.n = n, .key = key, .epoch = -1};
    u->begin = malloc(((size_t)groups + 1) * sizeof *u->begin);
    u->members = malloc(n * sizeof *u->members);
    u->v = malloc(n * sizeof *u->v);
    u->visit = malloc(n * sizeof *u->visit);
    u->visits = calloc(n, sizeof *u->visits);
    if (!size || !u->begin || !u->members || !u->v || !u->visit || !u->visits) {
        free(size);
        return err_nomem(e);
    }
    for (size_t i = 0; i < n; i++)
        size[group[i]]++;
    uint32_t at = 0;
    for (int g = 0; g < groups; g++) {
        if (size[g] > 0)
            u->begin[u->groups++] = at;
        uint32_t count = size[g];
        size[g] = at; /* from here on: where its next member goes */
        at += count;
    }
    u->begin[u->groups] = at;
    for (size_t i = 0; i < n; i++)
        u->members[size[group[i]]++] = (uint32_t)i;
    free(size);
    return 0;
}

/* `share` members of a group to `to`. */
static void draw(uniform *u, size_t g, size_t share, uint32_t *to, rng *r)
{
    uint32_t *m = u->members + u->begin[g];
    size_t size = u->begin[g + 1] - u->begin[g];

    for (size_t have = 0; have < share;) {
        size_t take = share - have < size ? share - have : size;
        rng_shuffle_u32(r, m, size);
        memcpy(to + have, m, take * sizeof *to);
        have += take;
    }
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The order of one epoch depends on the epoch alone; the visits on those before. */
static void make_epoch(uniform *u, int64_t epoch)
{
    rng r = rng_at(rng_mix(u->key, (uint64_t)epoch));
    size_t share = u->n / u->groups, rest = u->n % u->groups, first = (size_t)rng_below(&r, u->groups);
    uint32_t *to = u->v;

    for (size_t g = 0; g < u->groups; g++)
        qsort(u->members + u->begin[g], u->begin[g + 1] - u->begin[g], sizeof *u->members, ascending);
    for (size_t i = 0; i < u->groups; i++) { /* the groups that get one more are others each time */
        size_t g = (first + i) % u->groups, mine = share + (i < rest);
        draw(u, g, mine, to, &r);
        to += mine;
    }
    rng_shuffle_u32(&r, u->v, u->n);
    for (size_t i = 0; i < u->n; i++)
        u->visit[i] = u->visits[u->v[i]]++;
}

size_t uniform_index(uniform *u, int64_t pos, int64_t *visit)
{
    int64_t epoch = pos / (int64_t)u->n;
    size_t i = (size_t)(pos % (int64_t)u->n);

    if (epoch < u->epoch) {
        memset(u->visits, 0, u->n * sizeof *u->visits);
        u->epoch = -1;
    }
    while (u->epoch < epoch)
        make_epoch(u, ++u->epoch);
    *visit = u->visit[i];
    return u->v[i];
}

void uniform_clear(uniform *u)
{
    free(u->begin);
    free(u->members);
    free(u->v);
    free(u->visit);
    free(u->visits);
    *u = (uniform){0};
}
