#include "base/opt.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int opt_int(const char *s, int64_t *v)
{
    static const struct { const char *suffix; int64_t scale; } units[] = {
        {"", 1}, {"k", 1000}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000},
        {"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30},
    };
    char *end;

    if (!(*s == '-' || *s == '+' || (*s >= '0' && *s <= '9')))
        return -1;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (end == s || errno)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].suffix) == 0)
            return __builtin_mul_overflow((int64_t)n, units[i].scale, v) ? -1 : 0;
    return -1;
}

int opt_double(const char *s, double *v)
{
    char *end;

    if (!(*s == '-' || *s == '+' || *s == '.' || (*s >= '0' && *s <= '9')))
        return -1; /* no "inf", "nan" or leading blanks */
    errno = 0;
    *v = strtod(s, &end);
    return *end || !isfinite(*v) || (errno == ERANGE && fabs(*v) > 1) ? -1 : 0;
}

/* Edit distance with adjacent swaps; words longer than 31 are never near. */
static int distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    int d[32][32];

    if (na > 31 || nb > 31)
        return 99;
    for (size_t i = 0; i <= na; i++)
        for (size_t j = 0; j <= nb; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (int)(i + j);
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[na][nb];
}

const char *opt_nearest(const char *word, const char *const *candidates, int n)
{
    const char *best = NULL;
    int best_d = 3;

    for (int i = 0; i < n; i++) {
        int d = distance(word, candidates[i]);
        if (d < best_d && d < (int)strlen(candidates[i])) {
            best_d = d;
            best = candidates[i];
        }
    }
    return best;
}

static bool table_end(const opt *o)
{
    return !o->name && o->type != OPT_SECTION;
}

static const opt *find(const opt *t, char letter, const char *name, size_t n)
{
    for (; t && !table_end(t); t++) {
        if (t->type == OPT_SECTION)
            continue;
        if (letter ? t->letter == letter : strlen(t->name) == n && memcmp(t->name, name, n) == 0)
            return t;
    }
    return NULL;
}

static int unknown(const opt *a, const opt *b, const char *name, size_t n, err *e)
{
    const char *names[256];
    char word[32];
    int k = 0;

    for (int i = 0; i < 2; i++)
        for (const opt *t = i ? b : a; t && !table_end(t) && k < 256; t++)
            if (t->type != OPT_SECTION)
                names[k++] = t->name;
    snprintf(word, sizeof word, "%.*s", (int)n, name);
    const char *near = opt_nearest(word, names, k);
    if (near)
        return err_set(e, ERR_USAGE, "unknown option '--%.*s'; did you mean '--%s'?", (int)n, name, near);
    return err_set(e, ERR_USAGE, "unknown option '--%.*s'", (int)n, name);
}

static int in_range(const opt *o, double v, const char *s, err *e)
{
    if (o->min >= o->max || (v >= o->min && v <= o->max))
        return 0;
    if (isinf(o->max) || o->max >= 9e15)
        return err_set(e, ERR_USAGE, "option '--%s': '%s' is less than %.15g", o->name, s, o->min);
    return err_set(e, ERR_USAGE, "option '--%s': '%s' is not between %.15g and %.15g", o->name, s, o->min, o->max);
}

static int store(const opt *o, const char *s, err *e)
{
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)o->dst = true;
        return 0;
    case OPT_STRING:
        *(const char **)o->dst = s;
        return 0;
    case OPT_LIST: {
        opt_list *l = o->dst;
        const char **v = realloc(l->v, (size_t)(l->n + 1) * sizeof *v);
        if (!v)
            return err_nomem(e);
        l->v = v;
        v[l->n++] = s;
        return 0;
    }
    case OPT_INT: {
        int64_t v;
        if (opt_int(s, &v))
            return err_set(e, ERR_USAGE, "option '--%s': '%s' is not a whole number", o->name, s);
        if (in_range(o, (double)v, s, e))
            return -1;
        *(int64_t *)o->dst = v;
        return 0;
    }
    case OPT_DOUBLE: {
        double v;
        if (opt_double(s, &v))
            return err_set(e, ERR_USAGE, "option '--%s': '%s' is not a number", o->name, s);
        if (in_range(o, v, s, e))
            return -1;
        *(double *)o->dst = v;
        return 0;
    }
    case OPT_SECTION:
        break;
    }
    return err_set(e, ERR_RUN, "option '--%s' has no type", o->name);
}

int opt_parse(const opt *table, const opt *common, int argc, char **argv, int *n_operands, err *e)
{
    int n = 0, i = 1;

    for (; i < argc; i++) {
        char *a = argv[i];

        if (strcmp(a, "--") == 0) {
            i++;
            break;
        }
        if (a[0] != '-' || a[1] == '\0') {
            argv[++n] = a;
            continue;
        }
        if (a[1] == '-') {
            const char *name = a + 2, *eq = strchr(name, '=');
            size_t len = eq ? (size_t)(eq - name) : strlen(name);
            const opt *o = find(table, 0, name, len);
            if (!o)
                o = find(common, 0, name, len);
            if (!o)
                return unknown(table, common, name, len, e);
            if (o->type == OPT_FLAG && eq)
                return err_set(e, ERR_USAGE, "option '--%s' takes no value", o->name);
            if (o->type != OPT_FLAG && !eq && i + 1 >= argc)
                return err_set(e, ERR_USAGE, "option '--%s' needs a value", o->name);
            if (store(o, o->type == OPT_FLAG ? NULL : eq ? eq + 1 : argv[++i], e))
                return -1;
            continue;
        }
        for (const char *p = a + 1; *p; p++) {
            const opt *o = find(table, *p, NULL, 0);
            if (!o)
                o = find(common, *p, NULL, 0);
            if (!o)
                return err_set(e, ERR_USAGE, "unknown option '-%c'", *p);
            if (o->type == OPT_FLAG) {
                if (store(o, NULL, e))
                    return -1;
                continue;
            }
            if (!p[1] && i + 1 >= argc)
                return err_set(e, ERR_USAGE, "option '-%c' needs a value", *p);
            if (store(o, p[1] ? p + 1 : argv[++i], e))
                return -1;
            break;
        }
    }
    for (; i < argc; i++)
        argv[++n] = argv[i];
    *n_operands = n;
    return 0;
}

void opt_print(FILE *f, const opt *t)
{
    enum { COLUMN = 27 };

    for (; t && !table_end(t); t++) {
        if (t->type == OPT_SECTION) {
            fprintf(f, "\n%s\n", t->help);
            continue;
        }
        int at = t->letter ? fprintf(f, "  -%c, --%s", t->letter, t->name) : fprintf(f, "      --%s", t->name);
        if (t->arg)
            at += fprintf(f, " %s", t->arg);
        if (at > COLUMN - 2) {
            fputc('\n', f);
            at = 0;
        }
        for (const char *line = t->help; line;) {
            const char *nl = strchr(line, '\n');
            fprintf(f, "%*s%.*s\n", COLUMN - at, "", nl ? (int)(nl - line) : (int)strlen(line), line);
            at = 0;
            line = nl ? nl + 1 : NULL;
        }
    }
}
