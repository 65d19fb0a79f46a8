#include "image/augment/argument.h"

#include "base/opt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong(const param *p, const char *text, const char *what, err *e)
{
    return err_set(e, ERR_USAGE, "%s: '%s' is not %s", p->name, text, what);
}

static int bounded(const param *p, const char *text, double lo, double hi, err *e)
{
    if (lo >= p->min && hi <= p->max)
        return 0;
    return err_set(e, ERR_USAGE, "%s: '%s' is not between %g and %g", p->name, text, p->min, p->max);
}

/* The number in s[0..n), and nothing else. */
static int number(const char *s, size_t n, double *v)
{
    char part[64];

    if (n >= sizeof part)
        return -1;
    memcpy(part, s, n);
    part[n] = '\0';
    return opt_double(part, v);
}

/* Where the second number of "a-b" begins: after the first '-' that follows a digit or a point. NULL: there is one number. */
static const char *second(const char *s)
{
    for (const char *p = s; *p; p++)
        if (p > s && *p == '-' && ((p[-1] >= '0' && p[-1] <= '9') || p[-1] == '.'))
            return p + 1;
    return NULL;
}

/* The nearest number of 15 decimal digits: 1 - 0.8 is 0.2, not 0.19999999999999996. */
static double tidy(double v)
{
    char text[40];

    snprintf(text, sizeof text, "%.15g", v);
    return strtod(text, NULL);
}

static int parse_range(argument *a, const param *p, const char *text, err *e)
{
    const char *rest = second(text);
    size_t n = rest ? (size_t)(rest - 1 - text) : strlen(text);

    if (number(text, n, &a->lo) || (rest && number(rest, strlen(rest), &a->hi)))
        return wrong(p, text, "a number or a range such as 0.5-1", e);
    if (rest && a->lo > a->hi)
        return err_set(e, ERR_USAGE, "%s: the range '%s' is upside down", p->name, text);
    if (!rest && p->type == PARAM_SPREAD) {
        double spread = a->lo;
        if (spread < 0)
            return wrong(p, text, "positive; write a range such as -0.2-0.1", e);
        a->lo = tidy(p->centre - spread);
        a->hi = tidy(p->centre + spread);
        if (p->min == 0 && a->lo < 0)
            a->lo = 0; /* a factor of 0 is as far as it goes */
    } else if (!rest) {
        a->hi = a->lo;
    }
    return bounded(p, text, a->lo, a->hi, e);
}

static int parse_size(argument *a, const param *p, const char *text, err *e)
{
    const char *x = strchr(text, 'x');
    int64_t w, h = 0;
    char part[32];

    snprintf(part, sizeof part, "%.*s", x ? (int)(x - text) : (int)sizeof part - 1, text);
    if (opt_int(part, &w) || (x && opt_int(x + 1, &h)))
        return wrong(p, text, "a size such as 32 or 48x32", e);
    a->lo = (double)w;
    a->hi = (double)h;
    return bounded(p, text, x && h < w ? a->lo < a->hi ? a->lo : a->hi : a->lo, x && h > w ? a->hi : a->lo, e);
}

static int parse_int(argument *a, const param *p, const char *text, err *e)
{
    int64_t v;

    if (p->words && strcmp(text, p->words) == 0) {
        a->lo = -1;
        return 0;
    }
    if (opt_int(text, &v)) {
        char what[64];
        snprintf(what, sizeof what, p->words ? "a whole number or '%s'" : "a whole number", p->words);
        return wrong(p, text, what, e);
    }
    a->lo = (double)v;
    return bounded(p, text, a->lo, a->lo, e);
}

static int parse_choice(argument *a, const param *p, const char *text, err *e)
{
    size_t n = strlen(text);
    int i = 0;

    for (const char *w = p->words; w; i++) {
        size_t len = strcspn(w, "|");
        if (len == n && memcmp(w, text, n) == 0) {
            a->lo = i;
            return 0;
        }
        w = w[len] ? w + len + 1 : NULL;
    }
    return err_set(e, ERR_USAGE, "%s: '%s' is not one of %s", p->name, text, p->words);
}

int argument_parse(argument *a, const param *p, const char *text, err *e)
{
    *a = (argument){.set = true};
    switch (p->type) {
    case PARAM_SIZE: return parse_size(a, p, text, e);
    case PARAM_INT: return parse_int(a, p, text, e);
    case PARAM_RANGE:
    case PARAM_SPREAD: return parse_range(a, p, text, e);
    case PARAM_CHOICE: return parse_choice(a, p, text, e);
    }
    return err_set(e, ERR_RUN, "%s has no type", p->name);
}

int argument_number(double v, buf *out, err *e)
{
    char text[40];

    if (v == rint(v) && fabs(v) < 1e15)
        return buf_addf(out, e, "%.0f", v); /* not 3e+01 */
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    return buf_addf(out, e, "%s", text);
}

int argument_text(const argument *a, const param *p, buf *out, err *e)
{
    switch (p->type) {
    case PARAM_SIZE:
        if (argument_number(a->lo, out, e))
            return -1;
        return a->hi ? buf_addf(out, e, "x%d", (int)a->hi) : 0;
    case PARAM_INT:
        return a->lo < 0 && p->words ? buf_addf(out, e, "%s", p->words) : argument_number(a->lo, out, e);
    case PARAM_RANGE:
    case PARAM_SPREAD:
        if (argument_number(a->lo, out, e) || buf_addf(out, e, "-"))
            return -1;
        return argument_number(a->hi, out, e);
    case PARAM_CHOICE: {
        const char *w = p->words;
        for (int i = 0; i < (int)a->lo; i++)
            w += strcspn(w, "|") + 1;
        return buf_addf(out, e, "%.*s", (int)strcspn(w, "|"), w);
    }
    }
    return 0;
}
