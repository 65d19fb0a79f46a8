/*
 * Times the engine: forward, backward and an SGD step, or inference.
 *
 *     engine NETWORK train|infer STEPS [THREADS [profile]]
 *
 * NETWORK is resnet20, resnet18, resnet18_64 or resnet50, with the sizes and
 * batches of tests/bench/engine.sh.
 */
#include "nn/encoder.h"
#include "nn/optimizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const struct {
    const char *name, *encoder;
    encoder_stem stem;
    int size, batch;
} networks[] = {
    {"resnet20", "resnet20", STEM_AUTO, 32, 128},
    {"resnet18", "resnet18", STEM_3X3, 32, 128},
    {"resnet18_64", "resnet18", STEM_7X7, 64, 64},
    {"resnet50", "resnet50", STEM_7X7, 224, 8},
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Softmax cross-entropy with the labels 0..9 in turn; writes d loss / d logits. */
static void loss_gradient(const float *logits, float *grad, int n, int classes)
{
    for (int i = 0; i < n; i++, logits += classes, grad += classes)
        for (int k = 0; k < classes; k++)
            grad[k] = (logits[k] - (k == i % 10)) / (float)n;
}

/* As PyTorch's SGD in engine.py: momentum, and a decay of everything. */
static int start_sgd(optimizer *o, const graph *g, err *e)
{
    optimizer_span all = {0, graph_weights_count(g), true};

    if (optimizer_parse(o, "sgd:lr=0.01,momentum=0.9,nesterov=0,weight_decay=1e-4", e))
        return -1;
    return optimizer_start(o, &all, 1, all.count, e);
}

static void print_profile(const graph *g, int steps, int batch)
{
    static const char *const passes[] = {"forward", "data", "weights"};

    for (int i = 0; i < graph_report_count(g); i++) {
        const layer_report *r = graph_report(g, i);
        printf("  %-36s %-8s %-12s %8.3f ms %7.1f GFLOP/s\n", r->name, passes[r->pass], r->kernel, 1e3 * r->seconds / steps,
               r->seconds > 0 ? r->gflop * batch * steps / r->seconds : 0.0);
    }
}

int main(int argc, char **argv)
{
    size_t which = 0;
    optimizer sgd = {0};
    err e;

    if (argc < 4) {
        fprintf(stderr, "usage: engine NETWORK train|infer STEPS [THREADS [profile]]\n");
        return 2;
    }
    while (which < sizeof networks / sizeof *networks && strcmp(networks[which].name, argv[1]) != 0)
        which++;
    if (which == sizeof networks / sizeof *networks)
        return 2;
    bool train = strcmp(argv[2], "train") == 0, profile = argc > 5;
    int steps = atoi(argv[3]), size = networks[which].size, batch = networks[which].batch;

    graph *g = graph_new(argc > 4 ? atoi(argv[4]) : 0, &e);
    if (!g)
        goto failed;
    node x = graph_input(g, 3, size, size);
    node y = encoder_build(encoder_find(networks[which].encoder), g, x, (encoder_options){0, networks[which].stem}, &e);
    if (y < 0)
        goto failed;
    y = graph_linear(g, "fc", y, 10, true);
    graph_output(g, y);
    if (graph_compile(g, train ? GRAPH_TRAIN : GRAPH_INFER, batch, &e) != 0)
        goto failed;
    graph_init_params(g, 1);
    if (start_sgd(&sgd, g, &e) != 0)
        goto failed;
    float *in = graph_input_data(g, x);
    double *times = calloc((size_t)steps, sizeof *times);
    for (size_t i = 0; i < (size_t)batch * 3 * size * size; i++)
        in[i] = (float)((i * 2654435761u >> 8) % 65536) / 32768.0f - 1;

    double cpu_begin = 0;
    for (int s = -1; s < steps; s++) {
        if (s == 0) {
            graph_profile(g, profile);
            cpu_begin = cpu();
        }
        double begin = now();
        if (graph_forward(g, batch, train ? GRAPH_MODE_TRAIN : GRAPH_MODE_EVAL, &e) != 0)
            goto failed;
        const float *logits = graph_value(g, y);
        if (train) {
            loss_gradient(logits, graph_grad(g, y), batch, 10);
            if (graph_backward(g, &e) != 0)
                goto failed;
            optimizer_step_graph(&sgd, g, 1);
        }
        if (s >= 0)
            times[s] = now() - begin;
    }
    qsort(times, (size_t)steps, sizeof *times, by_value);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("engine\t%s\t%s\t%.1f ms\t%.1f ms CPU\t%.1f images/s\t%ld MB\n", argv[1], argv[2], 1e3 * times[steps / 2],
           1e3 * (cpu() - cpu_begin) / steps, batch / times[steps / 2], use.ru_maxrss / 1024);
    if (profile)
        print_profile(g, steps, batch);
    free(times);
    optimizer_clear(&sgd);
    graph_free(g);
    return 0;
failed:
    fprintf(stderr, "engine: %s\n", e.msg);
    return 1;
}
