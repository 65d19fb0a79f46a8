#include "base/format.h"
#include "stream/describe.h"
#include "stream/tally.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const char *text(buf *b)
{
    err e = {0};

    cr_assert_eq(buf_add(b, "", 1, &e), 0);
    return (const char *)b->p;
}

Test(format, commas)
{
    char out[32];

    cr_assert_str_eq(format_commas(0, out), "0");
    cr_assert_str_eq(format_commas(999, out), "999");
    cr_assert_str_eq(format_commas(1000, out), "1,000");
    cr_assert_str_eq(format_commas(-100, out), "-100");
    cr_assert_str_eq(format_commas(-123456, out), "-123,456");
    cr_assert_str_eq(format_commas(INT64_MIN, out), "-9,223,372,036,854,775,808");
}

Test(describe, no_string_steers_a_terminal)
{
    buf b = {0};
    err e = {0};
    static const char nasty[] = "a\x1b[2J\n\t\x7f\xc2\x9bz\xc3\xa9";

    cr_assert_eq(describe_text(nasty, sizeof nasty - 1, &b, &e), 0);
    cr_assert_str_eq(text(&b), "a\\x1b[2J\\n\\t\\x7f\\x9bz\xc3\xa9");
    buf_free(&b);
}

static void some_sample(frame *f, sample *s)
{
    err e = {0};
    float v[9] = {1, 2, 3, 4, 5, 6, 7, NAN, INFINITY};
    int32_t t[2] = {-1, 70000};

    frame_begin(f, FRAME_SAMPLE);
    frame_str(f, "key", "x", 1);
    frame_int(f, "index", -5);
    frame_str(f, "split", "train", 5);
    frame_str(f, "class", "cat", 3);
    memcpy(frame_tensor(f, "embedding", DT_F4, 1, (int64_t[]){9}), v, sizeof v);
    memcpy(frame_tensor(f, "target", DT_I4, 1, (int64_t[]){2}), t, sizeof t);
    cr_assert_eq(frame_end(f, &e), 0);
    cr_assert_eq(frame_sample(f, s, &e), 0);
}

Test(describe, a_sample)
{
    frame f = {0};
    sample s;
    header h = {0};
    buf b = {0};
    err e = {0};

    some_sample(&f, &s);
    cr_assert_eq(header_init(&h, KIND_EMBEDDINGS, &e), 0);
    cr_assert_eq(describe_sample(&h, &s, 12, &b, &e), 0);
    cr_assert_str_eq(text(&b), "sample 12  key x  index -5  split train  class cat\n"
                               "    embedding  <f4 [9]             min 1  max 7  mean 4  2 not finite\n"
                               "    target     <i4 [2]             -1 70000\n");
    buf_free(&b);
    frame_free(&f);
    header_clear(&h);
}

Test(describe, a_header)
{
    header h = {0};
    buf b = {0};
    err e = {0};

    cr_assert_eq(header_init(&h, KIND_IMAGES, &e), 0);
    cr_assert_eq(header_set_field(&h, "image", "|u1", 3, (int64_t[]){-1, -1, 3}, &e), 0);
    h.count = 1234567;
    h.classes = value_array();
    value_push(h.classes, value_str("a"));
    value_push(h.classes, value_str("b"));
    value *p = value_map(), *inner = value_map();
    value_set(inner, "scale", value_float(0.5));
    value_set(p, "crop", inner);
    value_set(p, "views", value_int(2));
    cr_assert_eq(history_add(&h, "ssl-augment", p, NULL, 0, &e), 0);
    cr_assert_eq(describe_header(&h, &b, &e), 0);
    cr_assert_str_eq(text(&b), "kind       images\n"
                               "fields     image:|u1[-1,-1,3]\n"
                               "classes    2  a, b\n"
                               "distinct   unknown\n"
                               "count      1,234,567\n"
                               "seed       0\n"
                               "history    [1] ssl-augment  scale=0.5 views=2 seed=0\n");
    buf_free(&b);
    header_clear(&h);
}

Test(tally, counts_by_split_and_class)
{
    frame f = {0};
    sample s;
    header h = {0};
    tally t = {0};
    buf b = {0};
    err e = {0};

    some_sample(&f, &s);
    cr_assert_eq(header_init(&h, KIND_EMBEDDINGS, &e), 0);
    cr_assert_eq(tally_add(&t, &h, &s, &e), 0);
    cr_assert_eq(tally_add(&t, &h, &s, &e), 0);
    frame_begin(&f, FRAME_SAMPLE);
    frame_str(&f, "class", "ant", 3);
    cr_assert_eq(frame_end(&f, &e), 0);
    cr_assert_eq(frame_sample(&f, &s, &e), 0);
    cr_assert_eq(tally_add(&t, &h, &s, &e), 0);
    cr_assert_eq(t.samples, 3);
    cr_assert_eq(tally_text(&t, &b, &e), 0);
    cr_assert_str_eq(text(&b), "split  class     samples\n"
                               "-      ant             1\n"
                               "train  cat             2\n");
    value *v = tally_value(&t);
    cr_assert_eq(v->n, 2);
    cr_assert_str_eq(value_get_str(v->child[1], "split", ""), "train");
    value_free(v);
    buf_free(&b);
    tally_clear(&t);
    frame_free(&f);
    header_clear(&h);
}

Test(tally, a_field_against_the_header)
{
    frame f = {0};
    sample s;
    header h = {0};
    tally t = {0};
    err e = {0};

    some_sample(&f, &s);
    cr_assert_eq(header_init(&h, KIND_EMBEDDINGS, &e), 0);
    cr_assert_eq(header_set_field(&h, "embedding", "<f4", 1, (int64_t[]){9}, &e), 0);
    cr_assert_eq(tally_add(&t, &h, &s, &e), 0);
    cr_assert_eq(header_set_field(&h, "embedding", "<f4", 1, (int64_t[]){8}, &e), 0);
    cr_assert_eq(tally_add(&t, &h, &s, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert_str_eq(e.msg, "the field 'embedding' is <f4[9], but the header declares <f4[8]");
    tally_clear(&t);
    frame_free(&f);
    header_clear(&h);
}
