#include "nn/projector.h"

#include "base/opt.h"

#include <stdio.h>
#include <string.h>

int projector_parse(const char *text, int width[PROJECTOR_MAX_LAYERS], err *e)
{
    int n = 0;

    if (strcmp(text, "none") == 0)
        return 0;
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, "-");
        char one[16];
        int64_t w;
        snprintf(one, sizeof one, "%.*s", (int)len, p);
        if (len >= sizeof one || opt_int(one, &w) || w < 1 || w > 1 << 20)
            return err_set(e, ERR_USAGE, "projector '%s' is neither 'none' nor widths such as '512-128'", text);
        if (n == PROJECTOR_MAX_LAYERS)
            return err_set(e, ERR_USAGE, "projector '%s' has more than %d layers", text, PROJECTOR_MAX_LAYERS);
        width[n++] = (int)w;
        p += len;
        if (!*p)
            return n;
    }
}

node projector_build(graph *g, const char *prefix, node x, const char *text)
{
    int width[PROJECTOR_MAX_LAYERS];
    err ignored;
    int n = projector_parse(text, width, &ignored);

    for (int i = 0; i < n; i++) {
        char name[64];
        bool last = i == n - 1;
        snprintf(name, sizeof name, "%s.%d", prefix, 3 * i);
        /* The norm that follows makes a hidden layer's bias useless. */
        x = graph_linear(g, name, x, width[i], last);
        if (last)
            break;
        snprintf(name, sizeof name, "%s.%d", prefix, 3 * i + 1);
        x = graph_relu(g, graph_batchnorm(g, name, x));
    }
    if (n > 0)
        graph_name(g, x, prefix);
    return x;
}
