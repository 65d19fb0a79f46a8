#include "nn/objectives/picture.h"

#include "base/lab.h"

#include <math.h>
#include <string.h>

picture_space picture_space_of(const char *name, int channels, int classes)
{
    if (strcmp(name, "rgb") == 0 && (channels == 1 || channels == 3))
        return PICTURE_RGB;
    if (strcmp(name, "ab") == 0 && channels == 2)
        return PICTURE_AB;
    if (strcmp(name, "ab-bins") == 0 && classes == LAB_BINS)
        return PICTURE_AB_BINS;
    return PICTURE_NONE;
}

static uint8_t byte(float v)
{
    float b = (v + 1) * 127.5f + 0.5f;

    return (uint8_t)(b > 0 ? b < 255 ? b : 255 : 0); /* not a number: 0 */
}

void picture_rgb(const float *y, int C, size_t pixels, float scale, uint8_t *rgb)
{
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < 3; c++)
            rgb[3 * p + c] = byte(scale * y[(C == 3 ? c : 0) * pixels + p]);
}

void picture_mean(const float *y, size_t pixels, size_t p, float ab[2])
{
    const double T = 0.38;
    double top = -INFINITY, sum = 0, mean[2] = {0, 0};

    for (size_t k = 0; k < LAB_BINS; k++)
        top = fmax(top, (double)y[k * pixels + p]);
    for (size_t k = 0; k < LAB_BINS; k++) {
        double e = exp(((double)y[k * pixels + p] - top) / T);
        int a, b;
        lab_bin((int)k, &a, &b);
        mean[0] += e * a;
        mean[1] += e * b;
        sum += e;
    }
    for (int i = 0; i < 2; i++)
        ab[i] = (float)(sum > 0 ? mean[i] / sum : 0);
}
