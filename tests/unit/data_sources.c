/* Sources: each lists and reads small files that are made here; what is wrong with them is said. */
#include "data/source.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[200];
static source s;
static listing l;
static item it;
static err e;

static void setup(void)
{
    strcpy(folder, "/tmp/ssl-unit.XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void teardown(void)
{
    char command[100];

    source_close(&s);
    listing_free(&l);
    item_free(&it);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_assert(system(command) == 0);
}

static const char *in(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(in(name), "wb");

    cr_assert(f && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

/* Open and list; the type that it was found to be, or NULL. */
static const char *load(const char *operand)
{
    source_close(&s);
    listing_free(&l);
    s = (source){.prefix = "", .fd = -1};
    strcpy(path, operand);
    if (source_open(&s, path, NULL, &e) || source_list(&s, &l, &e))
        return NULL;
    return s.type->name;
}

static void read_entry(size_t i)
{
    cr_assert(i < l.n);
    it.c = 0;
    cr_assert(s.type->read(&s, &l.v[i], &it, &e) == 0, "%s", e.msg);
}

static const char *class_of(size_t i)
{
    return l.v[i].class < 0 ? "" : l.classes.v[l.v[i].class];
}

TestSuite(source, .init = setup, .fini = teardown);

Test(source, idx)
{
    put("train-images-idx3-ubyte", "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03" "abcdef", 22);
    put("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x02\x0b\x02", 10);
    cr_assert_str_eq(load(folder), "idx");
    cr_assert(l.n == 2 && s.h == 1 && s.w == 3 && s.c == 1);
    cr_assert_str_eq(class_of(0), "11");
    cr_assert_str_eq(class_of(1), "02");
    read_entry(1);
    cr_assert(it.h == 1 && it.w == 3 && it.c == 1 && memcmp(it.p, "def", 3) == 0);

    put("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x01\x0b", 9);
    cr_assert(!load(folder) && e.kind == ERR_INPUT);
    cr_assert(strstr(e.msg, "2 images, but there are 1 labels"));
    put("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x02\x0b", 9);
    cr_assert(!load(folder) && e.kind == ERR_INPUT && strstr(e.msg, "truncated"));
}

Test(source, idx_bad_shapes)
{
    static const struct { const char *bytes; size_t n; } bad[] = {
        {"", 0}, {"\0\0\x08", 3}, {"\0\0\x09\x03\0\0\0\0\0\0\0\1\0\0\0\1", 16}, {"\0\0\x08\x03\0\0\0\1\0\0\0\0\0\0\0\1", 16},
        {"\0\0\x08\x05\0\0\0\1", 8}, {"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16},
        {"\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0\1xy", 18}, {"\0\0\x08\x04\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\2xy", 22}, {"\0\0\x08\x01\0\0\0\1x", 9},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("x-images-idx3-ubyte", bad[i].bytes, bad[i].n);
        cr_assert(!load(folder) && e.kind == ERR_INPUT, "%zu", i);
    }
}

Test(source, cifar)
{
    uint8_t batch[3073 * 2] = {0};

    batch[0] = 3;
    batch[1] = 10;        /* red of the first pixel */
    batch[1 + 1024] = 20; /* green */
    batch[1 + 2048] = 30;
    batch[3073] = 9;
    batch[3073 + 1 + 33] = 7; /* red of the second row's second pixel */
    put("test_batch.bin", batch, sizeof batch);
    cr_assert_str_eq(load(folder), "cifar10");
    cr_assert(l.n == 2);
    cr_assert_str_eq(class_of(0), "3");
    cr_assert_str_eq(l.splits.v[l.v[0].split], "test");
    read_entry(0);
    cr_assert(it.h == 32 && it.w == 32 && it.c == 3 && memcmp(it.p, "\x0a\x14\x1e", 3) == 0);
    read_entry(1);
    cr_assert(it.p[(32 + 1) * 3] == 7);
    batch[0] = 10;
    put("test_batch.bin", batch, sizeof batch);
    cr_assert(!load(folder) && e.kind == ERR_INPUT);
    put("test_batch.bin", batch, sizeof batch - 1);
    cr_assert(!load(folder) && e.kind == ERR_INPUT);
}

Test(source, stl)
{
    enum { PLANE = 96 * 96 };
    uint8_t *x = calloc(3, PLANE);

    x[1] = 5;         /* red, column 0, row 1 */
    x[PLANE + 96] = 6; /* green, column 1, row 0 */
    put("train_X.bin", x, 3 * PLANE);
    put("train_y.bin", "\x02", 1);
    free(x);
    cr_assert_str_eq(load(folder), "stl10");
    cr_assert_str_eq(class_of(0), "02");
    read_entry(0);
    cr_assert(it.p[96 * 3] == 5 && it.p[3 + 1] == 6);
    put("train_y.bin", "\x0b", 1);
    cr_assert(!load(folder) && e.kind == ERR_INPUT);
    put("train_y.bin", "\0", 1);
    cr_assert(!load(folder) && e.kind == ERR_INPUT);
}

static void put_npy(const char *name, int version, const char *dict, const char *data, size_t n)
{
    uint8_t b[400] = "\x93NUMPY";
    size_t len = strlen(dict), head = version == 1 ? 10 : 12;

    b[6] = (uint8_t)version;
    b[8] = (uint8_t)len;
    memcpy(b + head, dict, len);
    memcpy(b + head + len, data, n);
    put(name, b, head + len + n);
}

Test(source, npy)
{
    char name[100];

    strcpy(name, in("a.npy"));
    put_npy("a.npy", 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 2, 3), }\n", "abcdefghijkl", 12);
    cr_assert_str_eq(load(name), "npy");
    cr_assert(l.n == 2);
    cr_assert_str_eq(l.v[1].key, "a.npy/00001");
    read_entry(1);
    cr_assert(it.h == 1 && it.w == 2 && it.c == 3 && memcmp(it.p, "ghijkl", 6) == 0);
    put_npy("a.npy", 2, "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 3), }", "abcdefghijkl", 12);
    cr_assert(load(name) && l.n == 1 && s.h == 4 && s.w == 3 && s.c == 1);
    put_npy("a.npy", 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 3), }", "abcdefghijkl", 12);
    cr_assert(load(name) && l.n == 1 && s.h == 2 && s.w == 2 && s.c == 3);

    static const char *const bad[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 3), }", "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1, 2, 3), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }", "{'descr': '|u1', 'fortran_order': False, 'shape': (), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2, 3), }", "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 2, 3, 1), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 1, 2), }", "{'descr': '|u1', 'fortran_order': False, 'shape': (-2, 2), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 2), }", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3", "{}", "",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2147483647, 2147483647, 2147483647, 3), }",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_npy("a.npy", 1, bad[i], "abcdefghijkl", 12);
        cr_assert(!load(name) && e.kind == ERR_INPUT, "%s", bad[i]);
    }
}

Test(source, folder_and_image)
{
    char name[100];

    mkdir(in("val"), 0777);
    mkdir(in("val/owl"), 0777);
    put("val/owl/1.png", "bytes", 5);
    cr_assert_str_eq(load(folder), "folder");
    cr_assert(l.n == 1);
    cr_assert_str_eq(l.v[0].key, "val/owl/1.png");
    cr_assert_str_eq(class_of(0), "owl");
    read_entry(0);
    cr_assert(it.c == 0 && it.n == 5 && memcmp(it.p, "bytes", 5) == 0);
    strcpy(name, in("val/owl/1.png"));
    cr_assert_str_eq(load(name), "image");
    unlink(name);
    cr_assert(s.type->read(&s, &l.v[0], &it, &e) == -1 && e.kind == ERR_INPUT);
}

/* ---- Tar -------------------------------------------------------------------- */

typedef struct archive {
    uint8_t b[1 << 16];
    size_t n;
} archive;

static void member(archive *a, char type, const char *name, const void *p, size_t n)
{
    uint8_t *h = a->b + a->n;
    unsigned sum = 0;

    memset(h, 0, 512);
    strncpy((char *)h, name, 100);
    sprintf((char *)h + 124, "%011zo", n);
    h[156] = (uint8_t)type;
    memcpy(h + 257, "ustar\00000", 8);
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += h[i];
    sprintf((char *)h + 148, "%06o", sum);
    memset(h + 512, 0, (n + 511) / 512 * 512);
    memcpy(h + 512, p, n);
    a->n += 512 + (n + 511) / 512 * 512;
}

static void end(archive *a)
{
    memset(a->b + a->n, 0, 1024);
    a->n += 1024;
}

Test(source, tar)
{
    archive *a = calloc(1, sizeof *a);
    char name[100];

    strcpy(name, in("a.tar"));
    member(a, '5', "train/", "", 0);
    member(a, '0', "train/cat/1.png", "one", 3);
    member(a, 'x', "pax", "26 path=train/dog/2.a.png\n9 size=3\n", 35);
    member(a, '0', "short", "two", 3);
    member(a, 'L', "long", "./train/dog/3.png", 18);
    member(a, '0', "short", "three", 5);
    member(a, '2', "train/dog/link.png", "", 0);
    member(a, '0', "train/dog/.4.png", "x", 1);
    end(a);
    member(a, '0', "bare.jpg", "four", 4);
    end(a);
    put("a.tar", a->b, a->n);
    cr_assert_str_eq(load(name), "tar", "%s", e.msg);
    cr_assert(l.n == 4);
    static const struct { const char *key, *class, *bytes; } t[] = {
        {"train/cat/1", "cat", "one"}, {"train/dog/2", "dog", "two"}, {"train/dog/3", "dog", "three"}, {"bare", "", "four"}};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_str_eq(l.v[i].key, t[i].key);
        cr_assert_str_eq(class_of(i), t[i].class);
        read_entry(i);
        cr_assert(it.n == strlen(t[i].bytes) && memcmp(it.p, t[i].bytes, it.n) == 0);
    }

    /* Cut at every block and in every block, it is an error; only the padding may go. */
    size_t whole = a->n - 1024 + 512;
    for (size_t n = 0; n < whole; n += 256) {
        size_t blocks = n / 512;
        if (blocks && memcmp(a->b + 512 * (blocks - 1), (uint8_t[512]){0}, 512) == 0)
            continue; /* behind the end of the first archive */
        put("a.tar", a->b, n);
        cr_assert(!load(name) && e.kind == ERR_INPUT, "cut at %zu", n);
    }
    /* A flipped bit in a header shows in its checksum. */
    a->b[3] ^= 1;
    put("a.tar", a->b, a->n);
    cr_assert(!load(name) && e.kind == ERR_INPUT);
    free(a);
}

Test(source, tar_bad_headers)
{
    static const char *const pax[] = {"", "5", "5 a=\n", "99 path=x\n", "0 path=x\n", "9 path=xy", "12 size=-23\n", "30 size=99999999999999999999\n", "6 path\n"};
    archive *a = calloc(1, sizeof *a);
    char name[100];

    strcpy(name, in("a.tar"));
    for (size_t i = 1; i < sizeof pax / sizeof *pax; i++) {
        a->n = 0;
        member(a, 'x', "pax", pax[i], strlen(pax[i]));
        member(a, '0', "a.png", "x", 1);
        end(a);
        put("a.tar", a->b, a->n);
        bool good = strcmp(pax[i], "5 a=\n") == 0;
        cr_assert((load(name) != NULL) == good && (good || e.kind == ERR_INPUT), "%s", pax[i]);
    }
    free(a);
}

Test(source, tar_class_text)
{
    archive *a = calloc(1, sizeof *a);
    char name[100];

    strcpy(name, in("a.tar"));
    member(a, '0', "x/1.cls", " owl\n", 5);
    member(a, '0', "x/1.png", "x", 1);
    member(a, '0', "x/2.png", "x", 1);
    member(a, '0', "x/2.cls", "\n", 1);
    end(a);
    put("a.tar", a->b, a->n);
    cr_assert(load(name) && l.n == 2);
    cr_assert_str_eq(class_of(0), "owl");
    cr_assert_str_eq(class_of(1), "x", "an empty .cls says nothing");
    free(a);
}
