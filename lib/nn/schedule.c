#include "nn/schedule.h"

#include "base/opt.h"
#include "base/spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
    [SCHEDULE_CONSTANT] = "constant", [SCHEDULE_COSINE] = "cosine", [SCHEDULE_STEP] = "step"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int parse_marks(schedule *s, const char *text, err *e)
{
    s->marks = 0;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, "/");
        char one[32];
        double m;
        if (s->marks == SCHEDULE_MAX_MARKS)
            return err_set(e, ERR_USAGE, "schedule: more than %d marks", SCHEDULE_MAX_MARKS);
        snprintf(one, sizeof one, "%.*s", (int)n, p);
        if (opt_double(one, &m) || m <= 0 || m >= 1 || (s->marks && m <= s->mark[s->marks - 1]))
            return err_set(e, ERR_USAGE, "schedule: 'at' takes rising fractions of the run, as in 0.3/0.6/0.8, not '%s'", text);
        s->mark[s->marks++] = m;
        p += n;
        if (!*p)
            return 0;
    }
}

static int parse_item(schedule *s, const spec_item *item, err *e)
{
    if (s->kind == SCHEDULE_STEP && item->name && strcmp(item->name, "at") == 0)
        return parse_marks(s, item->value, e);
    if (s->kind == SCHEDULE_STEP && item->name && strcmp(item->name, "factor") == 0) {
        if (opt_double(item->value, &s->factor) || s->factor <= 0 || s->factor > 1)
            return err_set(e, ERR_USAGE, "schedule: 'factor' should be above 0 and at most 1, not '%s'", item->value);
        return 0;
    }
    if (s->kind != SCHEDULE_STEP)
        return err_set(e, ERR_USAGE, "schedule: '%s' takes no parameters", kinds[s->kind]);
    return err_set(e, ERR_USAGE, "schedule: 'step' takes factor=F and at=F/F/..., not '%s'",
                   item->name ? item->name : item->value);
}

static int find_kind(const char *name)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kinds[i], name) == 0)
            return i;
    return -1;
}

int schedule_parse(schedule *s, const char *text, err *e)
{
    spec p;

    if (spec_parse(&p, text, e))
        return -1;
    int kind = find_kind(p.name), rc = 0;
    if (kind < 0)
        rc = err_set(e, ERR_USAGE, "unknown schedule '%s'; expected constant, cosine or step", p.name);
    /* The default marks are those of RotNet's training on CIFAR-10. */
    *s = (schedule){.kind = (schedule_kind)kind, .steps = -1, .factor = 0.2, .mark = {0.3, 0.6, 0.8}, .marks = 3};
    for (int i = 0; i < p.n && rc == 0; i++)
        rc = parse_item(s, &p.item[i], e);
    spec_clear(&p);
    return rc;
}

bool schedule_needs_steps(const schedule *s)
{
    return s->kind != SCHEDULE_CONSTANT;
}

double schedule_at(const schedule *s, int64_t t)
{
    if (t < s->warmup)
        return (double)(t + 1) / (double)s->warmup;
    switch (s->kind) {
    case SCHEDULE_CONSTANT:
        break;
    case SCHEDULE_COSINE: {
        double span = (double)(s->steps - s->warmup);
        double x = span > 0 ? (double)(t - s->warmup) / span : 0;
        return (1 + cos(M_PI * (x < 1 ? x : 1))) / 2;
    }
    case SCHEDULE_STEP: {
        double f = 1;
        for (int i = 0; i < s->marks; i++)
            if ((double)t >= s->mark[i] * (double)s->steps)
                f *= s->factor;
        return f;
    }
    }
    return 1;
}

value *schedule_text(const schedule *s)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s", kinds[s->kind]);

    if (s->kind == SCHEDULE_STEP) {
        n += snprintf(text + n, sizeof text - (size_t)n, ":factor=%.15g,at=", s->factor);
        for (int i = 0; i < s->marks; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%.15g", i ? "/" : "", s->mark[i]);
    }
    return value_str(text);
}
