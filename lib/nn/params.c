#include "nn/params.h"

#include "base/opt.h"

#include <math.h>
#include <string.h>

static const param *find(const param *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static value *number(const param *p, double x)
{
    return p->whole ? value_int((int64_t)x) : value_float(x);
}

value *params_default(const param *table)
{
    value *v = value_map();

    for (; table->name; table++)
        value_set(v, table->name, number(table, table->otherwise));
    if (value_failed(v)) {
        value_free(v);
        return NULL;
    }
    return v;
}

static int unknown(const param *table, const char *name, const char *who, enum err_kind kind, err *e)
{
    const char *names[64];
    int n = 0;

    for (; table->name && n < 64; table++)
        names[n++] = table->name;
    const char *near = opt_nearest(name, names, n);
    if (near)
        return err_set(e, kind, "%s has no parameter '%s'; did you mean '%s'?", who, name, near);
    return err_set(e, kind, "%s has no parameter '%s'", who, name);
}

int params_set(value *v, const param *table, const char *name, double x, const char *who, enum err_kind kind, err *e)
{
    const param *p = find(table, name);

    if (!p)
        return unknown(table, name, who, kind, e);
    if (!(x >= p->min && x <= p->max))
        return err_set(e, kind, "%s: '%s' is %.9g, not between %.9g and %.9g", who, name, x, p->min, p->max);
    if (p->whole && x != floor(x))
        return err_set(e, kind, "%s: '%s' is %.9g, not a whole number", who, name, x);
    value_set(v, name, number(p, x));
    return value_failed(v) ? err_nomem(e) : 0;
}

int params_set_item(value *v, const param *table, const spec_item *item, const char *who, err *e)
{
    double x;

    if (!item->name)
        return err_set(e, ERR_USAGE, "%s: '%s' is not NAME=VALUE", who, item->value);
    if (!find(table, item->name))
        return unknown(table, item->name, who, ERR_USAGE, e);
    if (opt_double(item->value, &x))
        return err_set(e, ERR_USAGE, "%s: '%s' is '%s', not a number", who, item->name, item->value);
    return params_set(v, table, item->name, x, who, ERR_USAGE, e);
}

int params_set_text(value *v, const param *table, const char *text, const char *who, err *e)
{
    char name[64];
    size_t n = strcspn(text, "=");

    if (text[n] != '=' || n == 0 || n >= sizeof name)
        return err_set(e, ERR_USAGE, "%s: '%s' is not NAME=VALUE", who, text);
    memcpy(name, text, n);
    name[n] = '\0';
    return params_set_item(v, table, &(spec_item){name, text + n + 1}, who, e);
}

int params_set_map(value *v, const param *table, const value *declared, const char *who, err *e)
{
    if (!declared || declared->type != VALUE_MAP)
        return 0;
    for (size_t i = 0; i < declared->n; i++) {
        const value *x = declared->child[i];
        double d = x->type == VALUE_FLOAT ? x->f : x->type == VALUE_INT ? (double)x->i : NAN;
        if (params_set(v, table, declared->key[i], d, who, ERR_INPUT, e))
            return -1;
    }
    return 0;
}

double params_get(const value *v, const char *name)
{
    return value_get_float(v, name, NAN);
}

value *params_text(const char *name, const value *v)
{
    buf b = {0};
    err ignored;
    value *text = NULL;
    int rc = buf_addf(&b, &ignored, "%s", name);

    for (size_t i = 0; i < v->n && rc == 0; i++)
        rc = buf_addf(&b, &ignored, "%c%s=", i ? ',' : ':', v->key[i]) || value_json(v->child[i], -1, &b, &ignored);
    if (rc == 0)
        text = value_strn((const char *)b.p, b.n);
    buf_free(&b);
    return text;
}

void params_list(FILE *f, const param *table)
{
    for (; table->name; table++)
        fprintf(f, "      %-16s %-8.9g %s\n", table->name, table->otherwise, table->about);
}
