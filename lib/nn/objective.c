#include "nn/objective.h"

#include <string.h>

extern const objective_type objective_classify, objective_contrast, objective_nce_bank, objective_reconstruct;

static const objective_type *const types[] = {
    &objective_classify,
    &objective_contrast,
    &objective_nce_bank,
    &objective_reconstruct,
};
enum { TYPES = sizeof types / sizeof *types };

static const objective_type *find(const char *name)
{
    for (int i = 0; i < TYPES; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

/* declared's copy gets the whole parameters: defaults, then the header's, then the command line's. */
static int resolve(objective *o, const char *const *settings, int n, err *e)
{
    const char *who = o->type->name;
    value *p = params_default(o->type->params);

    if (!p)
        return err_nomem(e);
    int rc = params_set_map(p, o->type->params, value_get(o->declared, "parameters"), who, e);
    for (int i = 0; i < n && rc == 0; i++)
        rc = params_set_text(p, o->type->params, settings[i], who, e);
    if (rc) {
        value_free(p);
        return -1;
    }
    value_set(o->declared, "parameters", p);
    return value_failed(o->declared) ? err_nomem(e) : 0;
}

int objective_init(objective *o, const value *declared, const char *const *settings, int n, err *e)
{
    *o = (objective){0};
    const char *name = value_get_str(declared, "name", NULL);
    if (!name)
        return err_set(e, ERR_INPUT, "the stream's header declares no objective");
    o->type = find(name);
    if (!o->type)
        return err_set(e, ERR_INPUT, "unknown objective '%s'", name);
    o->declared = value_copy(declared);
    if (value_failed(o->declared))
        return err_nomem(e);
    if (resolve(o, settings, n, e))
        return -1;
    return o->type->configure(o, o->declared, e);
}

void objective_clear(objective *o)
{
    if (o->type && o->type->clear)
        o->type->clear(o);
    value_free(o->declared);
    *o = (objective){0};
}

double objective_param(const objective *o, const char *name)
{
    return params_get(value_get(o->declared, "parameters"), name);
}

void objective_list(FILE *f)
{
    for (int i = 0; i < TYPES; i++) {
        fprintf(f, "  %-11s %s\n", types[i]->name, types[i]->about);
        params_list(f, types[i]->params);
    }
}
