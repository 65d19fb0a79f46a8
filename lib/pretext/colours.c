#include "pretext/colours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parts in a million, in the order of the grid. */
static const uint32_t builtin[LAB_BINS] = {
    0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 3, 9, 2, 0, 0, 0, 0, 1, 2, 3, 4, 1, 0, 0, 0, 0, 1, 3, 6, 14, 21, 14, 3, 0, 0, 0,
    0, 1, 3, 3, 12, 37, 58, 82, 90, 38, 6, 0, 0, 0, 0, 3, 14, 35, 39, 95, 257, 463, 512, 344, 121, 22, 2, 0, 0, 4,
    43, 121, 235, 354, 825, 1985, 2925, 2374, 1035, 277, 54, 8, 1, 0, 4, 80, 462, 1205, 2210, 3602, 6867, 10613,
    9732, 4999, 1546, 361, 87, 26, 7, 1, 3, 82, 808, 3541, 9900, 25479, 51952, 46799, 30817, 15449, 5190, 1376,
    368, 115, 35, 7, 0, 1, 47, 530, 2858, 9018, 22449, 74656, 184923, 125734, 50515, 16774, 4412, 1093, 344, 122,
    40, 5, 0, 0, 13, 177, 1038, 2675, 4820, 8372, 22855, 56645, 55638, 32405, 13328, 3896, 992, 298, 99, 27, 2, 3,
    49, 263, 696, 917, 862, 958, 2028, 5623, 9423, 8754, 5491, 2355, 732, 213, 69, 14, 0, 0, 10, 71, 165, 197,
    161, 117, 139, 322, 1018, 2335, 2699, 1788, 922, 397, 154, 54, 7, 0, 0, 2, 18, 51, 64, 39, 20, 18, 30, 89,
    264, 744, 1289, 1061, 495, 216, 91, 30, 3, 0, 6, 17, 21, 19, 7, 8, 8, 15, 34, 73, 211, 487, 630, 431, 165, 48,
    11, 0, 0, 2, 7, 12, 5, 3, 2, 3, 4, 6, 13, 17, 46, 124, 220, 245, 142, 32, 4, 0, 0, 3, 3, 1, 1, 2, 2, 1, 1, 1,
    3, 4, 7, 18, 40, 57, 63, 35, 4, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 2, 3, 6, 9, 12, 3, 0, 0, 0, 0, 0,
    0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
};

void colours_builtin(double p[LAB_BINS])
{
    double sum = 0;

    for (int i = 0; i < LAB_BINS; i++)
        sum += builtin[i];
    for (int i = 0; i < LAB_BINS; i++)
        p[i] = builtin[i] / sum;
}

void colours_weights(const double p[LAB_BINS], double lambda, double w[LAB_BINS])
{
    double mean = 0;

    for (int i = 0; i < LAB_BINS; i++) {
        w[i] = 1 / ((1 - lambda) * p[i] + lambda / LAB_BINS);
        mean += p[i] * w[i];
    }
    for (int i = 0; i < LAB_BINS; i++)
        w[i] /= mean;
}

int colours_write(const double p[LAB_BINS], buf *out, err *e)
{
    int rc = buf_addf(out, e, "a\tb\tp\n"), a, b;

    for (int i = 0; i < LAB_BINS && rc == 0; i++) {
        lab_bin(i, &a, &b);
        rc = buf_addf(out, e, "%d\t%d\t%.9g\n", a, b, p[i]);
    }
    return rc ? -1 : 0;
}

static int bin_at(double a, double b)
{
    int x, y;

    for (int i = 0; i < LAB_BINS; i++) {
        lab_bin(i, &x, &y);
        if (a == x && b == y)
            return i;
    }
    return -1;
}

static int read_lines(FILE *f, double p[LAB_BINS], err *e)
{
    char line[256];
    int n = 0, found = 0;

    for (int i = 0; i < LAB_BINS; i++)
        p[i] = -1;
    while (fgets(line, sizeof line, f)) {
        double a, b, v;
        int end = 0;
        n++;
        if (n == 1 && strcmp(line, "a\tb\tp\n") == 0)
            continue;
        if (sscanf(line, "%lf %lf %lf %n", &a, &b, &v, &end) != 3 || line[end] || !(v >= 0 && v <= 1e300))
            return err_set(e, ERR_INPUT, "line %d is not a, b and a number that is not negative", n);
        int i = bin_at(a, b);
        if (i < 0)
            return err_set(e, ERR_INPUT, "line %d: (%g, %g) is no colour of the grid", n, a, b);
        if (p[i] >= 0)
            return err_set(e, ERR_INPUT, "line %d: (%g, %g) was there before", n, a, b);
        p[i] = v;
        found++;
    }
    if (ferror(f))
        return err_sys(e, "cannot read it");
    return found == LAB_BINS ? 0 : err_set(e, ERR_INPUT, "it has %d colours of %d", found, LAB_BINS);
}

int colours_read(const char *path, double p[LAB_BINS], err *e)
{
    FILE *f = fopen(path, "re");
    double sum = 0;

    if (!f)
        return err_sys(e, "cannot open '%s'", path);
    int rc = read_lines(f, p, e);
    fclose(f);
    for (int i = 0; rc == 0 && i < LAB_BINS; i++)
        sum += p[i];
    if (rc == 0 && !(sum > 0))
        rc = err_set(e, ERR_INPUT, "all its numbers are 0");
    if (rc)
        return err_prefix(e, "weights '%s'", path);
    for (int i = 0; i < LAB_BINS; i++)
        p[i] /= sum;
    return 0;
}
