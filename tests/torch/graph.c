/*
 * Runs one graph for tests/torch/layers.py and errors.py.
 *
 *     graph params SPEC          prints a line for each parameter: name and shape
 *     graph kernels SPEC     prints a line for each layer and pass of training: its kernel
 *     graph run SPEC N MODE < in > out
 *
 * SPEC is a list of build calls joined by ';', each "RESULT = CALL ARGUMENT...":
 *     x = input 3 32 32; c = conv x 16 3 1 1 0; y = bn c; z = encoder x resnet18 64 7x7
 * A parameter is named after its result. The last result is the output.
 * in:  every parameter, the input (N rows) and the output's gradient, as float32.
 * out: the output, every gradient (of running statistics: their new value), the input's gradient.
 */
#include "nn/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct built {
    char name[32];
    node at;
} built;

static node lookup(const built *b, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(b[i].name, name) == 0)
            return b[i].at;
    fprintf(stderr, "graph: no result '%s'\n", name);
    exit(2);
}

static node call(graph *g, const built *b, int count, const char *name, char *words)
{
    char *word[8] = {0};
    int n = 0, v[8] = {0};
    err e;

    for (char *w = strtok(words, " "); w && n < 8; w = strtok(NULL, " "), n++) {
        word[n] = w;
        v[n] = atoi(w);
    }
    if (strcmp(word[0], "input") == 0)
        return graph_input(g, v[1], v[2], v[3]);
    node x = lookup(b, count, word[1]);
    if (strcmp(word[0], "conv") == 0)
        return graph_conv2d(g, name, x, v[2], v[3], v[4], v[5], v[6]);
    if (strcmp(word[0], "bn") == 0)
        return graph_batchnorm(g, name, x);
    if (strcmp(word[0], "bnplain") == 0)
        return graph_batchnorm_plain(g, name, x);
    if (strcmp(word[0], "relu") == 0)
        return graph_relu(g, x);
    if (strcmp(word[0], "add") == 0)
        return graph_add(g, x, lookup(b, count, word[2]));
    if (strcmp(word[0], "maxpool") == 0)
        return graph_maxpool(g, x, v[2], v[3], v[4]);
    if (strcmp(word[0], "avgpool") == 0)
        return graph_global_avgpool(g, x);
    if (strcmp(word[0], "linear") == 0)
        return graph_linear(g, name, x, v[2], v[3]);
    if (strcmp(word[0], "flatten") == 0)
        return graph_flatten(g, x);
    if (strcmp(word[0], "concat") == 0)
        return graph_concat_rows(g, x, v[2]);
    if (strcmp(word[0], "shuffle") == 0)
        return graph_pixel_shuffle(g, x, v[2]);
    if (strcmp(word[0], "encoder") == 0) {
        encoder_options o = {.width = v[3]};
        if (encoder_parse_stem(word[4], &o.stem) == 0)
            return encoder_build(encoder_find(word[2]), g, x, o, &e);
    }
    return -1;
}

static node build(graph *g, char *spec, node *input)
{
    built b[64];
    int count = 0;
    char *save;

    for (char *s = strtok_r(spec, ";", &save); s && count < 64; s = strtok_r(NULL, ";", &save), count++) {
        char *equals = strchr(s, '=');
        if (!equals || sscanf(s, " %31s", b[count].name) != 1)
            return -1;
        b[count].at = call(g, b, count, b[count].name, equals + 1);
        if (count == 0)
            *input = b[0].at;
    }
    return count ? b[count - 1].at : -1;
}

static size_t elements(const param_info *p)
{
    size_t n = 1;

    for (int d = 0; d < p->ndim; d++)
        n *= (size_t)p->shape[d];
    return n;
}

static size_t row(const graph *g, node x)
{
    int C, H, W;

    graph_shape(g, x, &C, &H, &W);
    return (size_t)C * (size_t)(H ? H * W : 1);
}

static void get(float *dst, size_t count)
{
    if (fread(dst, sizeof *dst, count, stdin) != count) {
        fprintf(stderr, "graph: input is too short\n");
        exit(3);
    }
}

static int run(graph *g, node x, node y, int n, graph_mode mode, err *e)
{
    if (graph_compile(g, mode == GRAPH_MODE_EVAL && getenv("INFER") ? GRAPH_INFER : GRAPH_TRAIN, n, e) != 0)
        return -1;
    bool train = !(mode == GRAPH_MODE_EVAL && getenv("INFER"));
    size_t outputs = row(g, y) * (size_t)graph_rows(g, y, n);
    for (int i = 0; i < graph_param_count(g); i++) {
        float *f = malloc(elements(graph_param(g, i)) * sizeof *f);
        get(f, elements(graph_param(g, i)));
        graph_set_tensor(g, i, f);
        free(f);
    }
    get(graph_input_data(g, x), row(g, x) * (size_t)n);
    if (graph_forward(g, n, mode, e) != 0)
        return -1;
    fwrite(graph_value(g, y), sizeof(float), outputs, stdout);
    if (!train)
        return 0;
    get(graph_grad(g, y), outputs);
    if (graph_backward(g, e) != 0)
        return -1;
    for (int i = 0; i < graph_param_count(g); i++) {
        const param_info *p = graph_param(g, i);
        float *f = malloc(elements(p) * sizeof *f);
        if (p->role == PARAM_STATE)
            graph_get_tensor(g, i, f);
        else
            graph_get_grad(g, i, f);
        fwrite(f, sizeof *f, elements(p), stdout);
        free(f);
    }
    fwrite(graph_input_grad(g, x), sizeof(float), row(g, x) * (size_t)n, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    err e = {.kind = ERR_NONE};
    node x = -1;

    if (argc < 3)
        return 2;
    graph *g = graph_new(0, &e);
    if (!g)
        goto failed;
    node y = build(g, argv[2], &x);
    graph_output(g, y);
    graph_want_input_grad(g, x);
    if (y < 0) {
        err_set(&e, ERR_RUN, "%s", graph_build_error(g));
        goto failed;
    }
    if (strcmp(argv[1], "params") == 0) {
        for (int i = 0; i < graph_param_count(g); i++) {
            const param_info *p = graph_param(g, i);
            printf("%s", p->name);
            for (int d = 0; d < p->ndim; d++)
                printf(" %d", (int)p->shape[d]);
            printf("\n");
        }
    } else if (strcmp(argv[1], "kernels") == 0) {
        static const char *const passes[] = {"forward", "data", "weights"};
        if (graph_compile(g, GRAPH_TRAIN, 4, &e) != 0)
            goto failed;
        for (int i = 0; i < graph_report_count(g); i++)
            printf("%s %s %s\n", graph_report(g, i)->name, passes[graph_report(g, i)->pass], graph_report(g, i)->kernel);
    } else if (argc != 5 || run(g, x, y, atoi(argv[3]), strcmp(argv[4], "train") == 0 ? GRAPH_MODE_TRAIN : GRAPH_MODE_EVAL, &e)) {
        goto failed;
    }
    graph_free(g);
    return fflush(stdout) != 0;
failed:
    fprintf(stderr, "graph: %s\n", e.msg);
    return 1;
}
