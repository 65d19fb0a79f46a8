/* Values: building, msgpack, JSON. */
#include "base/rng.h"
#include "stream/value.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static value *everything(void)
{
    value *m = value_map(), *a = value_array();

    value_push(a, value_nil());
    value_push(a, value_bool(true));
    value_push(a, value_float(0.1));
    value_push(a, value_str("a \"b\"\n\x01\\"));
    value_set(m, "zeta", a);
    value_set(m, "alpha", value_int(-5));
    value_set(m, "empty", value_map());
    return m;
}

static char *json(const value *v, int indent)
{
    buf b = {0};
    err e;

    cr_assert(value_json(v, indent, &b, &e) == 0);
    cr_assert(buf_add(&b, "", 1, &e) == 0);
    return (char *)b.p;
}

static void expect_json(value *v, const char *text)
{
    char *got = json(v, -1);

    cr_expect_str_eq(got, text);
    free(got);
    value_free(v);
}

Test(value, building_and_reading)
{
    value *v = everything();

    cr_expect(!value_failed(v) && value_failed(NULL));
    cr_expect(value_get_int(v, "alpha", 9) == -5 && value_get_int(v, "beta", 9) == 9 && value_get_int(NULL, "x", 9) == 9);
    cr_expect(value_get_float(v, "alpha", 0) == -5.0 && value_get_float(v, "zeta", 7) == 7);
    cr_expect(!value_get(v, "beta") && !value_get(value_get(v, "zeta"), "x"));
    cr_expect(value_get_bool(v, "alpha", true));
    cr_expect_str_eq(value_get_str(v, "alpha", "none"), "none");

    value_set(v, "alpha", value_str("now a string"));
    cr_expect(v->n == 3);
    cr_expect_str_eq(v->key[1], "alpha");
    cr_expect_str_eq(value_get_str(v, "alpha", ""), "now a string");
    value_remove(v, "zeta");
    value_remove(v, "zeta");
    cr_expect(v->n == 2);
    cr_expect_str_eq(v->key[0], "alpha");

    value *c = value_copy(v);
    cr_expect(value_equal(c, v) && value_equal(v, c));
    value_set(c, "more", value_nil());
    cr_expect(!value_equal(c, v) && !value_equal(v, c));
    value_free(c);
    value_free(v);
}

Test(value, a_failed_child_fails_the_tree)
{
    value *v = value_map(), *a = value_array();

    value_set(v, "a", a);
    cr_expect(!value_failed(v));
    value_push(value_get_mutable(v, "a"), NULL);
    cr_expect(value_failed(v));
    buf b = {0};
    err e;
    cr_expect(value_pack(v, &b, &e) == -1 && value_json(v, -1, &b, &e) == -1);
    value_free(v);

    v = value_map();
    value_set(v, "x", NULL);
    cr_expect(value_failed(v));
    value_free(v);
    value_set(NULL, "x", value_int(1));
    value_push(NULL, value_int(1));
    value_free(NULL);
}

Test(value, sorting)
{
    value *v = value_map(), *inner = value_map();

    value_set(inner, "b", value_int(1));
    value_set(inner, "B", value_int(2));
    value_set(v, "x10", value_int(3));
    value_set(v, "x", inner);
    value_set(v, "", value_int(4));
    value_sort(v);
    expect_json(v, "{\"\": 4, \"x\": {\"B\": 2, \"b\": 1}, \"x10\": 3}");
}

static void round_trip(value *v, size_t size)
{
    buf b = {0};
    err e;

    cr_assert(value_pack(v, &b, &e) == 0);
    cr_expect(b.n == size, "%zu bytes, expected %zu", b.n, size);
    value *again = value_unpack(b.p, b.n, &e);
    cr_assert(again, "%s", e.msg);
    cr_expect(value_equal(v, again));
    value_free(again);
    for (size_t n = 0; n < b.n; n++)
        cr_assert(!value_unpack(b.p, n, &e) && e.kind == ERR_INPUT);
    buf_free(&b);
    value_free(v);
}

static value *text(size_t n)
{
    char *s = malloc(n);

    memset(s, 'x', n);
    value *v = value_strn(s, n);
    free(s);
    return v;
}

/* Every encoding on both sides of its limits. */
Test(value, msgpack_uses_the_smallest_encoding)
{
    static const struct { int64_t i; size_t n; } ints[] = {
        {0, 1}, {127, 1}, {128, 2}, {255, 2}, {256, 3}, {65535, 3}, {65536, 5}, {4294967295, 5}, {4294967296, 9}, {INT64_MAX, 9},
        {-1, 1}, {-32, 1}, {-33, 2}, {-128, 2}, {-129, 3}, {-32768, 3}, {-32769, 5}, {INT32_MIN, 5}, {(int64_t)INT32_MIN - 1, 9},
        {INT64_MIN, 9},
    };
    static const struct { size_t len, n; } strs[] = {{0, 1}, {31, 32}, {32, 34}, {255, 257}, {256, 259}, {65535, 65538}, {65536, 65541}};

    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        round_trip(value_int(ints[i].i), ints[i].n);
    for (size_t i = 0; i < 6; i++)
        round_trip(text(strs[i].len), strs[i].n);
    round_trip(value_nil(), 1);
    round_trip(value_bool(false), 1);
    round_trip(value_float(0.1), 9);
    round_trip(value_float(NAN), 9);
    round_trip(value_float(-INFINITY), 9);
    round_trip(everything(), 41);
    for (int n = 15; n <= 16; n++) {
        value *a = value_array();
        for (int i = 0; i < n; i++)
            value_push(a, value_int(i));
        round_trip(a, (size_t)n + (n < 16 ? 1 : 3));
    }
}

Test(value, what_is_not_unpacked)
{
    static const struct { const char *bytes; size_t n; const char *text; } bad[] = {
        {"", 0, "malformed msgpack"},
        {"\xc1", 1, "malformed msgpack"},
        {"\x01\x01", 2, "1 bytes too many after a msgpack object"},
        {"\xdd\xff\xff\xff\xff", 5, "malformed msgpack"},
        {"\xcf\x80\0\0\0\0\0\0\0", 9, "the integer 9223372036854775808 is above the limit of 2^63 - 1"},
        {"\x81\x01\x02", 3, "a key of a map is not a string"},
        {"\x81\xa2\x00x\x02", 5, "a key of a map is not a string"},
        {"\x82\xa1x\x01\xa1x\x02", 7, "two entries of a map have the key 'x'"},
        {"\xd4\x01z", 3, "an extension type where none is expected"},
    };
    err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect(!value_unpack((const uint8_t *)bad[i].bytes, bad[i].n, &e));
        cr_expect(e.kind == ERR_INPUT);
        cr_expect_str_eq(e.msg, bad[i].text);
    }
    value *v = value_unpack((const uint8_t *)"\xca\x3f\xc0\0\0", 5, &e); /* 32 bits are read too */
    cr_expect(v && v->type == VALUE_FLOAT && v->f == 1.5);
    value_free(v);
}

Test(value, json_text)
{
    expect_json(everything(), "{\"zeta\": [null, true, 0.1, \"a \\\"b\\\"\\n\\u0001\\\\\"], \"alpha\": -5, \"empty\": {}}");
    expect_json(value_float(1.0), "1.0");
    expect_json(value_float(1e300), "1e+300");
    expect_json(value_float(1. / 3), "0.3333333333333333");
    expect_json(value_float(5e-324), "4.94065645841247e-324");
    expect_json(value_float(NAN), "null");
    expect_json(value_float(-INFINITY), "null");
    expect_json(value_str("\xc3\xa9 \xf0\x9f\x90\x88"), "\"\xc3\xa9 \xf0\x9f\x90\x88\"");
    expect_json(value_str("\xe9 \xc0\xaf \xed\xa0\x80 \xf5"), "\"\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\"");
    value *v = everything();
    char *got = json(v, 2);
    cr_expect_str_eq(got, "{\n  \"zeta\": [\n    null,\n    true,\n    0.1,\n    \"a \\\"b\\\"\\n\\u0001\\\\\"\n  ],\n  \"alpha\": -5,\n  \"empty\": {}\n}");
    free(got);
    value_free(v);
}

Test(value, json_floats_read_back_equal)
{
    rng r = rng_at(4);

    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64(&r);
        double f;
        memcpy(&f, &bits, 8);
        if (!isfinite(f))
            continue;
        value *v = value_float(f);
        char *got = json(v, -1);
        cr_assert(strtod(got, NULL) == f, "%s", got);
        free(got);
        value_free(v);
    }
}
