#include "image/augment/chain.h"

#include "base/opt.h"
#include "base/rng.h"
#include "base/spec.h"
#include "image/augment/argument.h"
#include "image/augment/operation.h"
#include "image/augment/preset.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 64, MAX_P = 16 };

typedef struct step {
    const operation *op;
    argument a[OPERATION_MAX_PARAMS];
    double p[MAX_P];
    int n_p;
    uint64_t key;
} step;

struct chain {
    int n;
    step s[MAX_STEPS];
    chain *local; /* owned */
};

/* ---- Parsing --------------------------------------------------------------- */

static int unknown_operation(const char *name, err *e)
{
    const char *names[64];
    int n = 0;

    for (; n < 64 && operations[n]; n++)
        names[n] = operations[n]->name;
    const char *near = opt_nearest(name, names, n);
    if (near)
        return err_set(e, ERR_USAGE, "unknown operation '%s'; did you mean '%s'?", name, near);
    return err_set(e, ERR_USAGE, "unknown operation '%s'; --list names them", name);
}

static int count_params(const operation *op)
{
    int n = 0;

    while (op->params[n].name)
        n++;
    return n;
}

/* "brightness, contrast and p" */
static void param_names(const operation *op, char *out, size_t size)
{
    size_t at = 0;

    *out = '\0';
    for (int i = 0; op->params[i].name && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", op->params[i].name);
    if (at < size)
        snprintf(out + at, size - at, at ? " and p" : "p");
}

static int parse_p(step *s, const char *text, err *e)
{
    char part[32];

    for (s->n_p = 0; text; s->n_p++) {
        size_t n = strcspn(text, "/");
        if (s->n_p == MAX_P)
            return err_set(e, ERR_USAGE, "p: more than %d values", MAX_P);
        snprintf(part, sizeof part, "%.*s", (int)n, text);
        double *p = &s->p[s->n_p];
        if (opt_double(part, p) || *p < 0 || *p > 1)
            return err_set(e, ERR_USAGE, "p: '%s' is not between 0 and 1", part);
        text = text[n] ? text + n + 1 : NULL;
    }
    return 0;
}

static int parse_item(step *s, const spec_item *item, int place, err *e)
{
    const operation *op = s->op;
    int n = count_params(op), i = place;
    char names[256];

    if (item->name && strcmp(item->name, "p") == 0) {
        if (s->n_p)
            return err_set(e, ERR_USAGE, "p is given twice");
        return parse_p(s, item->value, e);
    }
    if (item->name)
        for (i = 0; i < n && strcmp(op->params[i].name, item->name) != 0;)
            i++;
    if (i >= n) {
        param_names(op, names, sizeof names);
        return item->name ? err_set(e, ERR_USAGE, "unknown parameter '%s'; it takes %s", item->name, names)
                          : err_set(e, ERR_USAGE, "'%s' is one value too many; it takes %s", item->value, names);
    }
    if (s->a[i].set)
        return err_set(e, ERR_USAGE, "%s is given twice", op->params[i].name);
    return argument_parse(&s->a[i], &op->params[i], item->value, e);
}

static int complete(step *s, err *e)
{
    for (int i = 0; s->op->params[i].name; i++) {
        const param *p = &s->op->params[i];
        if (s->a[i].set || (p->initial && !*p->initial))
            continue;
        if (!p->initial)
            return err_set(e, ERR_USAGE, "%s is missing", p->name);
        if (argument_parse(&s->a[i], p, p->initial, e))
            return -1;
    }
    if (!s->n_p && parse_p(s, s->op->p, e))
        return -1;
    return s->op->check ? s->op->check(s->a, e) : 0;
}

static int parse_step(step *s, const char *operand, err *e)
{
    spec text;
    int rc = -1, place = 0;

    if (spec_parse(&text, operand, e))
        return -1;
    *s = (step){0};
    for (int i = 0; operations[i]; i++)
        if (strcmp(operations[i]->name, text.name) == 0)
            s->op = operations[i];
    if (!s->op) {
        unknown_operation(text.name, e);
        goto out;
    }
    rc = 0;
    for (int i = 0; i < text.n && rc == 0; i++) {
        rc = parse_item(s, &text.item[i], place, e);
        place += !text.item[i].name;
    }
    if (rc == 0)
        rc = complete(s, e);
    if (rc)
        err_prefix(e, "'%s'", operand);
out:
    spec_clear(&text);
    return rc;
}

static int add(chain *c, const char *operand, err *e)
{
    bool plus = strcmp(operand, "+") == 0;

    if (plus && c->local)
        return err_set(e, ERR_USAGE, "more than one '+'");
    if (c->local)
        return add(c->local, operand, e);
    if (plus) {
        c->local = calloc(1, sizeof *c);
        return c->local ? 0 : err_nomem(e);
    }
    if (c->n == MAX_STEPS)
        return err_set(e, ERR_USAGE, "more than %d operations", MAX_STEPS);
    if (parse_step(&c->s[c->n], operand, e))
        return -1;
    c->n++;
    return 0;
}

static int add_preset(chain *c, const char *operand, err *e)
{
    buf text = {0};
    char *save = NULL;
    int rc = preset_expand(operand, &text, e);

    for (char *s = rc ? NULL : strtok_r((char *)text.p, " ", &save); s && rc == 0; s = strtok_r(NULL, " ", &save))
        rc = add(c, s, e);
    buf_free(&text);
    return rc;
}

chain *chain_new(char *const *operands, int n, err *e)
{
    chain *c = calloc(1, sizeof *c);

    if (!c) {
        err_nomem(e);
        return NULL;
    }
    for (int i = 0; i < n; i++)
        if (operands[i][0] == '@' ? add_preset(c, operands[i], e) : add(c, operands[i], e)) {
            chain_free(c);
            return NULL;
        }
    if (c->local && !c->local->n) {
        err_set(e, ERR_USAGE, "nothing follows '+'");
        chain_free(c);
        return NULL;
    }
    return c;
}

void chain_free(chain *c)
{
    if (c)
        chain_free(c->local);
    free(c);
}

const chain *chain_local(const chain *c)
{
    return c->local;
}

/* ---- Description ------------------------------------------------------------- */

int chain_length(const chain *c)
{
    return c->n;
}

int chain_views(const chain *c)
{
    int most = 1;

    for (int i = 0; i < c->n; i++)
        most = c->s[i].n_p > most ? c->s[i].n_p : most;
    return most;
}

int chain_text(const chain *c, int i, buf *out, err *e)
{
    const step *s = &c->s[i];
    const char *before = ":";

    if (buf_addf(out, e, "%s", s->op->name))
        return -1;
    for (int k = 0; s->op->params[k].name; k++) {
        if (!s->a[k].set)
            continue;
        if (buf_addf(out, e, "%s%s=", before, s->op->params[k].name) || argument_text(&s->a[k], &s->op->params[k], out, e))
            return -1;
        before = ",";
    }
    for (int k = 0; k < s->n_p; k++)
        if (buf_addf(out, e, "%s", k ? "/" : *before == ':' ? ":p=" : ",p=") || argument_number(s->p[k], out, e))
            return -1;
    return 0;
}

void chain_size(const chain *c, int *w, int *h)
{
    for (int i = 0; i < c->n; i++) {
        const step *s = &c->s[i];
        bool always = true, never = true;
        int new_w = *w, new_h = *h;

        for (int k = 0; k < s->n_p; k++) {
            always = always && s->p[k] == 1;
            never = never && s->p[k] == 0;
        }
        if (!s->op->size || never)
            continue;
        s->op->size(s->a, &new_w, &new_h);
        *w = always || new_w == *w ? new_w : -1;
        *h = always || new_h == *h ? new_h : -1;
    }
}

static int list_operation(const operation *op, buf *out, err *e)
{
    if (buf_addf(out, e, "  %-12s %s\n", op->name, op->what))
        return -1;
    for (const param *p = op->params; p->name; p++) {
        if (buf_addf(out, e, "      %-10s %s", p->name, p->what))
            return -1;
        if (p->type == PARAM_CHOICE && buf_addf(out, e, ": %s", p->words))
            return -1;
        if (!p->initial ? buf_addf(out, e, " (required)\n")
            : *p->initial ? buf_addf(out, e, " (%s)\n", p->initial) : buf_addf(out, e, "\n"))
            return -1;
    }
    return buf_addf(out, e, "      %-10s probability (%s)\n", "p", op->p);
}

int chain_list(buf *out, err *e)
{
    if (buf_addf(out, e, "Operations, with their parameters (defaults):\n"))
        return -1;
    for (int i = 0; operations[i]; i++)
        if (list_operation(operations[i], out, e))
            return -1;
    if (buf_addf(out, e, "\nPresets, each with a size after a colon, such as @simclr:96:\n"))
        return -1;
    for (const preset *p = presets; p->name; p++) {
        char operand[64];
        snprintf(operand, sizeof operand, "@%s", p->name);
        if (buf_addf(out, e, "  @%s:%d\n      %s\n      ", p->name, p->size, p->what) || preset_expand(operand, out, e))
            return -1;
        out->p[out->n - 1] = '\n';
    }
    return 0;
}

/* ---- Running ------------------------------------------------------------------- */

void chain_set_key(chain *c, uint64_t key)
{
    for (int i = 0; i < c->n; i++) {
        uint64_t ordinal = 0;
        for (int k = 0; k < i; k++)
            ordinal += c->s[k].op == c->s[i].op;
        c->s[i].key = rng_mix(rng_mix_str(key, c->s[i].op->name), ordinal);
    }
    if (c->local)
        chain_set_key(c->local, rng_mix_str(key, "local"));
}

void work_free(work *k)
{
    image_free(&k->a);
    image_free(&k->b);
    buf_free(&k->scratch);
}

int chain_apply(const chain *c, int view, int64_t epoch, int64_t index, const image *src, work *k,
                const image **result, err *e)
{
    const image *at = src;

    for (int i = 0; i < c->n; i++) {
        const step *s = &c->s[i];
        rng r = rng_at(rng_mix(rng_mix(rng_mix(s->key, (uint64_t)view), (uint64_t)epoch), (uint64_t)index));
        double chance = rng_uniform(&r);

        if (chance >= s->p[view < s->n_p ? view : s->n_p - 1])
            continue;
        image *dst = at == &k->a ? &k->b : &k->a;
        k->scratch.n = 0;
        if (s->op->apply(s->a, &r, at, dst, &k->scratch, e))
            return err_prefix(e, "%s", s->op->name);
        at = dst;
    }
    *result = at;
    return 0;
}
