#include "nn/schedule.h"

#include "base/opt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
    [SCHEDULE_CONSTANT] = "constant", [SCHEDULE_COSINE] = "cosine", [SCHEDULE_STEP] = "step"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int parse_marks(schedule *s, const char *text, err *e)
{
    char copy[256], *save = NULL;

    if (strlen(text) >= sizeof copy)
        return err_set(e, ERR_USAGE, "schedule: too many marks in '%s'", text);
    strcpy(copy, text);
    s->marks = 0;
    for (char *p = strtok_r(copy, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
        double m;
        if (s->marks == SCHEDULE_MAX_MARKS)
            return err_set(e, ERR_USAGE, "schedule: more than %d marks", SCHEDULE_MAX_MARKS);
        if (opt_double(p, &m) || m <= 0 || m >= 1 || (s->marks && m <= s->mark[s->marks - 1]))
            return err_set(e, ERR_USAGE, "schedule: 'at' takes rising fractions of the run, as in 0.3/0.6/0.8, not '%s'", text);
        s->mark[s->marks++] = m;
    }
    return s->marks ? 0 : err_set(e, ERR_USAGE, "schedule: 'at' names no mark");
}

static int parse_parameters(schedule *s, const char *text, err *e)
{
    char copy[512], *save = NULL;

    if (strlen(text) >= sizeof copy)
        return err_set(e, ERR_USAGE, "schedule: '%s' is too long", text);
    strcpy(copy, text);
    for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        if (strncmp(p, "factor=", 7) == 0) {
            if (opt_double(p + 7, &s->factor) || s->factor <= 0 || s->factor > 1)
                return err_set(e, ERR_USAGE, "schedule: 'factor' should be above 0 and at most 1, not '%s'", p + 7);
        } else if (strncmp(p, "at=", 3) == 0) {
            if (parse_marks(s, p + 3, e))
                return -1;
        } else {
            return err_set(e, ERR_USAGE, "schedule: 'step' takes factor=F and at=F/F/..., not '%s'", p);
        }
    }
    return 0;
}

int schedule_parse(schedule *s, const char *text, err *e)
{
    size_t n = strcspn(text, ":");

    /* The default marks are those of RotNet's training on CIFAR-10. */
    *s = (schedule){.steps = -1, .factor = 0.2, .mark = {0.3, 0.6, 0.8}, .marks = 3};
    for (int i = 0; i < KINDS; i++) {
        if (strlen(kinds[i]) != n || strncmp(kinds[i], text, n) != 0)
            continue;
        s->kind = (schedule_kind)i;
        if (text[n] == '\0')
            return 0;
        if (s->kind != SCHEDULE_STEP)
            return err_set(e, ERR_USAGE, "schedule: '%s' takes no parameters", kinds[i]);
        return parse_parameters(s, text + n + 1, e);
    }
    return err_set(e, ERR_USAGE, "unknown schedule '%s'; expected constant, cosine or step", text);
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

value *schedule_value(const schedule *s)
{
    value *v = value_map();

    value_set(v, "name", value_str(kinds[s->kind]));
    value_set(v, "warmup", value_int(s->warmup));
    if (s->kind == SCHEDULE_STEP) {
        value *at = value_array();
        for (int i = 0; i < s->marks; i++)
            value_push(at, value_float(s->mark[i]));
        value_set(v, "factor", value_float(s->factor));
        value_set(v, "at", at);
    }
    if (value_failed(v)) {
        value_free(v);
        return NULL;
    }
    return v;
}
