/* Listings: names, keys, the path rule, the digest; and what is selected from them, in which order. */
#include "data/listing.h"
#include "data/select.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static listing l;
static err e;

static void clear(void)
{
    listing_free(&l);
}

static void add(const char *key, const char *split, const char *class)
{
    entry en = {.key = key, .size = -1, .split = -1, .class = -1};

    if (split)
        en.split = names_number(&l.splits, split, strlen(split), &e);
    if (class)
        en.class = names_number(&l.classes, class, strlen(class), &e);
    cr_assert(listing_add(&l, &en, &e) == 0);
}

Test(listing, names, .fini = clear)
{
    char name[16];

    for (int i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof name, "n%d", i);
        cr_assert(names_number(&l.classes, name, (size_t)n, &e) == i);
    }
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof name, "n%d", i);
        cr_assert(names_find(&l.classes, name, (size_t)n) == i);
        cr_assert(names_number(&l.classes, name, (size_t)n, &e) == i);
    }
    cr_assert(names_find(&l.classes, "n", 1) == -1);
    cr_assert(names_find(&l.classes, "n12", 2) == 1, "the length counts");
    cr_assert(names_find(&l.splits, "x", 1) == -1, "an empty set");
}

Test(listing, escape, .fini = clear)
{
    static const struct { const char *in, *out; } t[] = {
        {"plain.jpg", "plain.jpg"}, {"a b%c", "a b%c"}, {"tab\there", "tab%09here"}, {"nl\n", "nl%0A"}, {"del\x7f", "del%7F"},
        {"\xc3\xa9", "\xc3\xa9"}, {"\xe9", "%E9"}, {"\xc0\x80", "%C0%80"}, {"\xc2\x80", "%C2%80"}, {"\xc2\xa0", "\xc2\xa0"},
        {"\xed\xa0\x80", "%ED%A0%80"}, {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}, {"\xf4\x90\x80\x80", "%F4%90%80%80"},
        {"\xe2\x82", "%E2%82"}, {"\xf0\x9f\x98", "%F0%9F%98"}, {"", ""},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        cr_assert_str_eq(listing_escape(&l, t[i].in, strlen(t[i].in), &e), t[i].out);
        cr_assert(listing_clean(t[i].in, strlen(t[i].in)) == (strcmp(t[i].in, t[i].out) == 0));
    }
}

Test(listing, path_rule, .fini = clear)
{
    static const struct { const char *path, *split, *class; } t[] = {
        {"a.jpg", NULL, NULL}, {"cat/a.jpg", NULL, "cat"}, {"train/cat/a.jpg", "train", "cat"}, {"train/a.jpg", "train", NULL},
        {"unlabeled/a.jpg", "unlabeled", NULL}, {"x/val/y/cat/a.jpg", "val", "cat"}, {"test/photos/train/cat/a.jpg", "train", "cat"},
        {"train/test/a.jpg", "test", NULL}, {"./cat/./a.jpg", NULL, "cat"}, {"../a.jpg", NULL, NULL}, {"//train//cat//a.jpg", "train", "cat"},
        {"training/cat/a.jpg", NULL, "cat"}, {"cat/train", NULL, "cat"},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        entry en;
        cr_assert(listing_classify(&l, &en, t[i].path, strlen(t[i].path), &e) == 0);
        const char *split = en.split < 0 ? "-" : l.splits.v[en.split], *class = en.class < 0 ? "-" : l.classes.v[en.class];
        cr_assert_str_eq(split, t[i].split ? t[i].split : "-", "%s", t[i].path);
        cr_assert_str_eq(class, t[i].class ? t[i].class : "-", "%s", t[i].path);
    }
}

Test(listing, image_names)
{
    cr_assert(listing_is_image("a.jpg", 5));
    cr_assert(listing_is_image("a.b.JPEG", 8));
    cr_assert(!listing_is_image("ajpg", 4));
    cr_assert(!listing_is_image("a.jpgx", 6));
    cr_assert(!listing_is_image("a.txt", 5));
    cr_assert(!listing_is_image("a.", 2));
}

Test(listing, unique_keys, .fini = clear)
{
    add("a", NULL, NULL);
    add("a~2", NULL, NULL);
    add("a", NULL, NULL);
    add("b", NULL, NULL);
    add("a", NULL, NULL);
    cr_assert(listing_unique(&l, &e) == 0);
    static const char *const keys[] = {"a", "a~2", "a~3", "b", "a~4"};
    for (int i = 0; i < 5; i++)
        cr_assert_str_eq(l.v[i].key, keys[i]);
}

/* printf 'x/a\ttrain\tcat\t17\nx/b\t\t\t\n' | sha256sum */
Test(listing, digest, .fini = clear)
{
    char hex[65], other[65];

    add("p/x/a", "train", "cat");
    l.v[0].size = 17;
    add("p/x/b", NULL, NULL);
    listing_digest(&l, 0, 2, 2, hex);
    cr_assert_str_eq(hex, "8b64ba0be98aabe829ccd27aac9a7dddb0b217df59cf22e8c88db268d3a40552");
    l.v[0].size = 18;
    listing_digest(&l, 0, 2, 2, other);
    cr_assert(strcmp(hex, other) != 0);
}

/* ---- Selection ---------------------------------------------------------------- */

static size_t of_class(const selection *s, const char *class)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += l.v[s->v[i]].class >= 0 && strcmp(l.classes.v[l.v[s->v[i]].class], class) == 0;
    return n;
}

static void animals(void)
{
    for (int i = 0; i < 100; i++)
        add("k", i % 2 ? "train" : "test", i < 3 ? "ant" : i < 30 ? "dog" : "cat");
    add("k", "unlabeled", NULL);
}

Test(select, by_split_and_class, .init = animals, .fini = clear)
{
    selection s;

    cr_assert(select_entries(&s, &l, &(select_opts){.split = "train"}, &e) == 0);
    cr_assert(s.n == 50 && s.classes == 3 && strcmp(s.class[0], "ant") == 0 && strcmp(s.class[2], "dog") == 0);
    cr_assert(s.label[0] == 0 && s.label[1] == 2 && s.label[2] == 1, "labels follow the sorted names");
    select_clear(&s);
    cr_assert(select_entries(&s, &l, &(select_opts){.classes = "dog,ant"}, &e) == 0);
    cr_assert(s.n == 30 && s.classes == 2 && s.label[2] == -1);
    select_clear(&s);
    cr_assert(select_entries(&s, &l, &(select_opts){.split = "val"}, &e) == -1 && e.kind == ERR_INPUT);
    cr_assert(select_entries(&s, &l, &(select_opts){.classes = "do"}, &e) == -1 && e.kind == ERR_INPUT);
    cr_assert(select_entries(&s, &l, &(select_opts){.split = "unlabeled", .classes = "dog"}, &e) == -1);
}

Test(select, limit, .init = animals, .fini = clear)
{
    selection small, large;

    cr_assert(select_entries(&small, &l, &(select_opts){.limit = 20, .key = 7}, &e) == 0);
    cr_assert(select_entries(&large, &l, &(select_opts){.limit = 60, .key = 7}, &e) == 0);
    cr_assert(small.n == 20 && large.n == 60);
    for (size_t i = 0, k = 0; i < small.n; i++) {
        cr_assert(i == 0 || small.v[i] > small.v[i - 1], "in the listing's order");
        while (k < large.n && large.v[k] != small.v[i])
            k++;
        cr_assert(k < large.n, "a subset");
    }
    select_clear(&small);
    select_clear(&large);
}

Test(select, balance, .init = animals, .fini = clear)
{
    /* 3 ants, 27 dogs, 70 cats, and one image without a class, which is a class by itself */
    static const struct { int64_t limit; size_t ant, cat, dog; } t[] = {
        {3, 1, 1, 1}, {4, 1, 1, 1}, {8, 3, 2, 2}, {10, 3, 3, 3}, {31, 3, 14, 13}, {80, 3, 49, 27}, {100, 3, 69, 27},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        selection s;
        cr_assert(select_entries(&s, &l, &(select_opts){.limit = t[i].limit, .balance = true, .key = 7}, &e) == 0);
        size_t ant = of_class(&s, "ant"), dog = of_class(&s, "dog"), cat = of_class(&s, "cat");
        cr_assert(s.n == (size_t)t[i].limit && ant == t[i].ant && dog == t[i].dog && cat == t[i].cat, "%lld: %zu ants, %zu cats, %zu dogs",
                  (long long)t[i].limit, ant, cat, dog);
        select_clear(&s);
    }
}

Test(select, order)
{
    enum { N = 1000 };
    order o, again;
    bool seen[N];
    int moved = 0;

    cr_assert(order_init(&o, N, true, 5, &e) == 0 && order_init(&again, N, true, 5, &e) == 0);
    for (int epoch = 0; epoch < 3; epoch++) {
        memset(seen, 0, sizeof seen);
        for (int i = 0; i < N; i++) {
            size_t k = order_index(&o, epoch * N + i);
            cr_assert(k < N && !seen[k]);
            seen[k] = true;
            moved += k != (size_t)i;
        }
    }
    cr_assert(moved > 2900);
    /* going back and forth gives the same */
    size_t late = order_index(&o, 2 * N + 17), early = order_index(&o, 17);
    cr_assert(order_index(&again, 17) == early && order_index(&again, 2 * N + 17) == late);
    order_clear(&o);
    order_clear(&again);
    cr_assert(order_init(&o, N, false, 5, &e) == 0);
    cr_assert(order_index(&o, 5 * N + 3) == 3);
    order_clear(&o);
}
