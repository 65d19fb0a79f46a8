#include "base/spec.h"

#include <criterion/criterion.h>
#include <string.h>

Test(spec, name_alone)
{
    spec s;
    err e = {0};

    cr_assert_eq(spec_parse(&s, "flip", &e), 0);
    cr_assert_str_eq(s.name, "flip");
    cr_assert_eq(s.n, 0);
    spec_clear(&s);
}

Test(spec, values_by_position_and_by_name)
{
    spec s;
    err e = {0};

    cr_assert_eq(spec_parse(&s, "crop:32,scale=0.2-1,p=a=b", &e), 0);
    cr_assert_str_eq(s.name, "crop");
    cr_assert_eq(s.n, 3);
    cr_assert_null(s.item[0].name);
    cr_assert_str_eq(s.item[0].value, "32");
    cr_assert_str_eq(s.item[1].name, "scale");
    cr_assert_str_eq(s.item[1].value, "0.2-1");
    cr_assert_str_eq(s.item[2].name, "p");
    cr_assert_str_eq(s.item[2].value, "a=b");
    spec_clear(&s);
}

Test(spec, malformed)
{
    static const char *const bad[] = {"", ":", ":32", "crop:", "crop:32,", "crop:,32", "crop:p=", "crop:=1"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        spec s;
        err e = {0};
        cr_expect_eq(spec_parse(&s, bad[i], &e), -1, "'%s' was accepted", bad[i]);
        cr_expect_eq(e.kind, ERR_USAGE);
        cr_expect(strstr(e.msg, bad[i]), "'%s' is not quoted in: %s", bad[i], e.msg);
    }
}

Test(spec, too_many_items)
{
    char text[3 * SPEC_MAX_ITEMS + 8] = "x:1";
    spec s;
    err e = {0};

    for (int i = 1; i <= SPEC_MAX_ITEMS; i++)
        memcpy(text + 1 + 2 * i, ",1", 3);
    cr_assert_eq(spec_parse(&s, text, &e), -1);
    cr_assert_eq(e.kind, ERR_USAGE);
}
