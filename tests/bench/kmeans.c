/* k-means: 50,000 rows of 256, 1,000 clusters, 20 iterations. kmeans THREADS FILE: writes the rows to FILE, prints seconds and objective. */
#include "base/progress.h"
#include "base/rng.h"
#include "eval/kmeans.h"

#include <stdio.h>
#include <stdlib.h>

enum { N = 50000, D = 256, K = 1000 };

int main(int argc, char **argv)
{
    float *x = malloc((size_t)N * D * sizeof *x), *c = malloc((size_t)K * D * sizeof *c);
    int32_t *a = malloc(N * sizeof *a);
    rng r = rng_at(1);
    kmeans_result found;
    err e = {0};

    if (argc != 3 || !x || !c || !a)
        return 2;
    /* A few strong directions and much noise, as embeddings have. */
    for (size_t i = 0; i < (size_t)N * D; i++)
        x[i] = (float)((i % D < 24 ? 2.5 : 0.5) * rng_normal(&r));
    FILE *f = fopen(argv[2], "w");
    if (!f || fwrite(x, D * sizeof *x, N, f) != N || fclose(f))
        return 1;
    kmeans_options o = {.clusters = K, .start = KMEANS_RANDOM, .iterations = 20, .threads = atoi(argv[1])};
    double begin = progress_clock();
    if (kmeans_run(x, N, D, &o, c, a, &found, &e)) {
        fprintf(stderr, "kmeans: %s\n", e.msg);
        return 1;
    }
    printf("%.3f %.4f\n", progress_clock() - begin, found.objective);
    free(x);
    free(c);
    free(a);
    return 0;
}
