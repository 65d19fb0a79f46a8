#include "pretext/rebuild.h"

const uint8_t rebuild_mean[3] = {124, 116, 104};

value *rebuild_declare(pretext *p, header *h, const rebuild_task *t, err *e)
{
    value *o = pretext_objective(p, h, "reconstruct", e), *scale = value_array(), *params = value_map();

    if (t->skip)
        value_set(params, "skip", value_int(t->skip));
    value_push(scale, value_int(t->up));
    value_push(scale, value_int(t->down));
    if (!o) {
        value_free(scale);
        value_free(params);
        return NULL;
    }
    if (t->classes)
        value_set(o, "classes", value_int(t->classes));
    else
        value_set(o, "channels", value_int(t->channels));
    value_set(o, "scale", scale);
    if (t->spread > 0)
        value_set(o, "spread", value_float(t->spread));
    value_set(o, "show", value_str(t->show));
    value_set(o, "parameters", params);
    if (value_failed(o)) {
        err_nomem(e);
        return NULL;
    }
    return o;
}
