#include "base/spec.h"

#include <stdlib.h>
#include <string.h>

/* Cut s at the first c: returns what follows it, or NULL. */
static char *cut(char *s, char c)
{
    char *at = strchr(s, c);

    if (!at)
        return NULL;
    *at = '\0';
    return at + 1;
}

static int split(spec *s, const char *whole, err *e)
{
    char *rest = cut(s->text, ':');

    s->name = s->text;
    if (!*s->name)
        return err_set(e, ERR_USAGE, "'%s' has no name", whole);
    while (rest) {
        char *item = rest, *value;

        rest = cut(item, ',');
        if (s->n == SPEC_MAX_ITEMS)
            return err_set(e, ERR_USAGE, "'%s' has more than %d values", whole, SPEC_MAX_ITEMS);
        value = cut(item, '=');
        s->item[s->n++] = value ? (spec_item){item, value} : (spec_item){NULL, item};
        if (!*item || (value && !*value))
            return err_set(e, ERR_USAGE, "'%s' has an empty value", whole);
    }
    return 0;
}

int spec_parse(spec *s, const char *text, err *e)
{
    *s = (spec){.text = strdup(text)};
    if (!s->text)
        return err_nomem(e);
    if (split(s, text, e)) {
        spec_clear(s);
        return -1;
    }
    return 0;
}

void spec_clear(spec *s)
{
    free(s->text);
    *s = (spec){0};
}
