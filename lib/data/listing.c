#include "data/listing.h"

#include "base/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Names ---------------------------------------------------------------- */

static uint64_t hash_bytes(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

static bool equal(const char *name, const char *s, size_t n)
{
    return strncmp(name, s, n) == 0 && name[n] == '\0';
}

/* ---- Entries -------------------------------------------------------------- */

struct block {
    block *next;
    size_t n, cap;
    char p[];
};

void listing_free(listing *l)
{
    for (block *b = l->text, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(l->v);
    names_clear(&l->splits);
    names_clear(&l->classes);
    names_clear(&l->declared);
    *l = (listing){0};
}

void listing_reset(listing *l)
{
    enum { MANY = 4096 };

    for (block *b = l->text, *next; b; b = next) {
        next = b->next;
        if (next) {
            free(b);
            continue;
        }
        b->n = 0;
        l->text = b;
    }
    l->n = 0;
    /* Names come back; only a source that has a class for every image would gather them without end. */
    if (l->classes.n > MANY)
        names_clear(&l->classes);
}

int listing_add(listing *l, const entry *en, err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 1024;
        entry *v = cap > UINT32_MAX ? NULL : realloc(l->v, cap * sizeof *v);
        if (!v)
            return err_nomem(e);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *en;
    return 0;
}

/* n bytes that live as long as the listing. */
static char *reserve(listing *l, size_t n, err *e)
{
    enum { BLOCK = 1 << 18 };
    block *b = l->text;

    if (!b || b->cap - b->n < n) {
        size_t cap = n > BLOCK ? n : BLOCK;
        b = malloc(sizeof *b + cap);
        if (!b) {
            err_nomem(e);
            return NULL;
        }
        *b = (block){.next = l->text, .cap = cap};
        l->text = b;
    }
    b->n += n;
    return b->p + b->n - n;
}

char *listing_text(listing *l, const char *s, size_t n, err *e)
{
    char *p = reserve(l, n + 1, e);

    if (p) {
        memcpy(p, s, n);
        p[n] = '\0';
    }
    return p;
}

char *listing_join(listing *l, const char *a, const char *b, err *e)
{
    size_t na = strlen(a), nb = strlen(b);
    char *p = reserve(l, na + nb + 1, e);

    if (p) {
        memcpy(p, a, na);
        memcpy(p + na, b, nb + 1);
    }
    return p;
}

/* Bytes of the well-formed UTF-8 character at s that is no control character, or 0 (Unicode, table 3-7). */
static size_t printable(const uint8_t *s, size_t n)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
        return 0;
    uint8_t low = 0x80, high = 0xbf;
    switch (s[0]) {
    case 0xc2: low = 0xa0; break;  /* U+0080..9F are controls */
    case 0xe0: low = 0xa0; break;  /* overlong */
    case 0xed: high = 0x9f; break; /* surrogates */
    case 0xf0: low = 0x90; break;
    case 0xf4: high = 0x8f; break;
    }
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool listing_clean(const char *s, size_t n)
{
    for (size_t i = 0, k; i < n; i += k)
        if (!(k = printable((const uint8_t *)s + i, n - i)))
            return false;
    return true;
}

char *listing_escape(listing *l, const char *s, size_t n, err *e)
{
    if (listing_clean(s, n))
        return listing_text(l, s, n, e);

    char *p = reserve(l, 3 * n + 1, e), *d = p;
    if (!p)
        return NULL;
    for (size_t i = 0; i < n;) {
        size_t k = printable((const uint8_t *)s + i, n - i);
        if (k == 0) {
            d += snprintf(d, 4, "%%%02X", (uint8_t)s[i++]);
            continue;
        }
        memcpy(d, s + i, k);
        d += k;
        i += k;
    }
    *d = '\0';
    return p;
}

bool listing_is_split(const char *s, size_t n)
{
    return equal("train", s, n) || equal("val", s, n) || equal("test", s, n) || equal("unlabeled", s, n);
}

/* A name as it may stand in a stream. */
static int add_name(name_set *t, listing *l, const char *s, size_t n, err *e)
{
    if (listing_clean(s, n))
        return names_number(t, s, n, e);
    char *clean = listing_escape(l, s, n, e);
    return clean ? names_number(t, clean, strlen(clean), e) : -1;
}

int listing_classify(listing *l, entry *en, const char *path, size_t n, err *e)
{
    bool last = true;

    en->split = en->class = -1;
    const char *end = memrchr(path, '/', n);
    while (end && en->split < 0) {
        const char *slash = memrchr(path, '/', (size_t)(end - path));
        const char *s = slash ? slash + 1 : path;
        size_t len = (size_t)(end - s);
        end = slash;
        if (len == 0 || equal(".", s, len) || equal("..", s, len))
            continue;
        if (listing_is_split(s, len)) {
            if ((en->split = names_number(&l->splits, s, len, e)) < 0)
                return -1;
        } else if (last && (en->class = add_name(&l->classes, l, s, len, e)) < 0) {
            return -1;
        }
        last = false;
    }
    return 0;
}

int listing_declare(listing *l, const char *class, size_t n, err *e)
{
    return names_number(&l->classes, class, n, e) < 0 || names_number(&l->declared, class, n, e) < 0 ? -1 : 0;
}

bool listing_is_image(const char *name, size_t n)
{
    static const char *const ends[] = {
        "jpg", "jpeg", "jpe", "jfif", "png", "ppm", "pgm", "pbm", "pnm", "pam", "pfm", "gif", "webp", "tif", "tiff",
        "bmp", "avif", "heic", "heif", "jp2", "j2k", "jpx", "jxl", "svg", "exr", "hdr", "fits", "fit", "ico", "tga", "v",
    };
    const char *dot = memrchr(name, '.', n);

    if (!dot)
        return false;
    size_t len = n - (size_t)(dot + 1 - name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strlen(ends[i]) == len && strncasecmp(dot + 1, ends[i], len) == 0)
            return true;
    return false;
}

void listing_digest(const listing *l, size_t from, size_t to, size_t skip, char hex[65])
{
    sha256 sum;

    sha256_start(&sum);
    for (size_t i = from; i < to; i++) {
        const entry *en = &l->v[i];
        const char *split = en->split >= 0 ? l->splits.v[en->split] : "";
        const char *class = en->class >= 0 ? l->classes.v[en->class] : "";
        char size[24] = "";
        if (en->size >= 0)
            snprintf(size, sizeof size, "%lld", (long long)en->size);
        sha256_add(&sum, en->key + skip, strlen(en->key) - skip);
        sha256_add(&sum, "\t", 1);
        sha256_add(&sum, split, strlen(split));
        sha256_add(&sum, "\t", 1);
        sha256_add(&sum, class, strlen(class));
        sha256_add(&sum, "\t", 1);
        sha256_add(&sum, size, strlen(size));
        sha256_add(&sum, "\n", 1);
    }
    sha256_end_hex(&sum, hex);
}

/* The slot of a key: where it is, or the empty one where it would go. */
static uint32_t *key_slot(const listing *l, uint32_t *slot, uint64_t mask, const char *key)
{
    uint64_t h = hash_bytes(key, strlen(key));

    while (slot[h & mask] && strcmp(l->v[slot[h & mask] - 1].key, key))
        h++;
    return &slot[h & mask];
}

int listing_unique(listing *l, err *e)
{
    uint64_t slots = 16;

    while (slots < 2 * l->n)
        slots *= 2;
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (!slot)
        return err_nomem(e);
    for (size_t i = 0; i < l->n; i++) {
        entry *en = &l->v[i];
        uint32_t *s = key_slot(l, slot, slots - 1, en->key);
        if (*s) {
            size_t n = strlen(en->key), max = n + 24;
            char *key = reserve(l, max, e);
            if (!key) {
                free(slot);
                return -1;
            }
            for (unsigned k = 2; *s; k++) {
                snprintf(key, max, "%s~%u", en->key, k);
                s = key_slot(l, slot, slots - 1, key);
            }
            en->key = key;
        }
        *s = (uint32_t)i + 1;
    }
    free(slot);
    return 0;
}
