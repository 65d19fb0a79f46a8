#include "nn/schedule.h"

#include <criterion/criterion.h>
#include <math.h>

static schedule make(const char *text, int64_t steps, int64_t warmup)
{
    schedule s;
    err e = {0};

    cr_assert_eq(schedule_parse(&s, text, &e), 0, "%s", e.msg);
    s.steps = steps;
    s.warmup = warmup;
    return s;
}

static void refused(const char *text)
{
    schedule s;
    err e = {0};

    cr_assert_eq(schedule_parse(&s, text, &e), -1, "%s", text);
    cr_assert_eq(e.kind, ERR_USAGE);
}

static void near(double a, double b)
{
    cr_assert(fabs(a - b) < 1e-12, "%.15g is not %.15g", a, b);
}

Test(schedule, warm_up_is_linear_and_ends_at_the_base_rate)
{
    schedule s = make("constant", 100, 4);

    near(schedule_at(&s, 0), 0.25);
    near(schedule_at(&s, 3), 1);
    near(schedule_at(&s, 99), 1);
}

Test(schedule, cosine_falls_from_one_to_nearly_nothing)
{
    schedule s = make("cosine", 110, 10);

    near(schedule_at(&s, 10), 1);
    near(schedule_at(&s, 60), 0.5);
    near(schedule_at(&s, 35), (1 + cos(M_PI / 4)) / 2);
    near(schedule_at(&s, 110), 0);
    near(schedule_at(&s, 500), 0); /* a stream longer than announced does not climb again */
}

Test(schedule, cosine_of_nothing_but_warm_up)
{
    schedule s = make("cosine", 1, 1);

    near(schedule_at(&s, 0), 1);
}

Test(schedule, step_multiplies_at_each_mark)
{
    schedule s = make("step", 100, 0);

    near(schedule_at(&s, 29), 1);
    near(schedule_at(&s, 30), 0.2);
    near(schedule_at(&s, 60), 0.04);
    near(schedule_at(&s, 80), 0.008);
    s = make("step:factor=0.1,at=0.4/0.6", 10, 0);
    near(schedule_at(&s, 3), 1);
    near(schedule_at(&s, 4), 0.1);
    near(schedule_at(&s, 9), 0.01);
}

Test(schedule, only_constant_needs_no_length)
{
    schedule s = make("constant", -1, 0), c = make("cosine", -1, 0), t = make("step", -1, 0);

    cr_assert(!schedule_needs_steps(&s));
    cr_assert(schedule_needs_steps(&c));
    cr_assert(schedule_needs_steps(&t));
}

Test(schedule, bad_texts_are_refused)
{
    refused("linear");
    refused("cosine:factor=2");
    refused("step:at=0.6/0.3");
    refused("step:at=0.3/");
    refused("step:at=1.5");
    refused("step:at=");
    refused("step:factor=0");
    refused("step:factor=x");
    refused("step:gamma=0.1");
    refused("step:0.5");
    refused("");
}
