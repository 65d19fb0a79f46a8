#include "pretext/mask.h"

#include <stdlib.h>
#include <string.h>

int mask_centre(uint8_t *hidden, uint8_t *weight, int h, int w, double side, int overlap, int band)
{
    int hh = (int)(h * side + 0.5), hw = (int)(w * side + 0.5), top = (h - hh) / 2, left = (w - hw) / 2, count = 0;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int dy = y - top < top + hh - 1 - y ? y - top : top + hh - 1 - y; /* pixels from the hole's edge, negative outside */
            int dx = x - left < left + hw - 1 - x ? x - left : left + hw - 1 - x;
            int depth = dy < dx ? dy : dx;
            count += depth >= overlap;
            *hidden++ = depth >= overlap;
            *weight++ = (uint8_t)(depth < 0 ? 0 : depth < overlap ? band : 1);
        }
    return count;
}

/* ---- Regions ------------------------------------------------------------------------ */

enum { GRID = 6 };

static float smooth(float t)
{
    return t * t * (3 - 2 * t);
}

/* Between the grid's points, which span the image. */
static float noise_at(float grid[GRID][GRID], float y, float x)
{
    int i = (int)y, j = (int)x;

    i = i > GRID - 2 ? GRID - 2 : i;
    j = j > GRID - 2 ? GRID - 2 : j;
    float u = smooth(y - (float)i), v = smooth(x - (float)j);
    return (1 - u) * ((1 - v) * grid[i][j] + v * grid[i][j + 1]) + u * ((1 - v) * grid[i + 1][j] + v * grid[i + 1][j + 1]);
}

typedef struct spot {
    float value;
    int at;
} spot;

/* Greatest first; equals in their order. */
static int greatest_first(const void *a, const void *b)
{
    const spot *p = a, *q = b;

    if (p->value != q->value)
        return p->value < q->value ? 1 : -1;
    return (p->at > q->at) - (p->at < q->at);
}

int mask_regions(uint8_t *hidden, int h, int w, double area, rng *r, err *e)
{
    size_t n = (size_t)h * (size_t)w;
    spot *spots = malloc(n * sizeof *spots);
    float grid[GRID][GRID];

    if (!spots)
        return err_nomem(e);
    for (int i = 0; i < GRID; i++)
        for (int j = 0; j < GRID; j++)
            grid[i][j] = (float)rng_uniform(r);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            spots[y * w + x] = (spot){noise_at(grid, (float)y * (GRID - 1) / (float)h, (float)x * (GRID - 1) / (float)w), y * w + x};
    qsort(spots, n, sizeof *spots, greatest_first);
    memset(hidden, 0, n);
    for (size_t k = 0; k < (size_t)((double)n * area + 0.5); k++)
        hidden[spots[k].at] = 1;
    free(spots);
    return 0;
}

/* ---- Blocks ---------------------------------------------------------------------------- */

void mask_blocks(uint8_t *hidden, int h, int w, double side, double area, rng *r)
{
    int s = (int)((h < w ? h : w) * side + 0.5), covered = 0;

    s = s < 1 ? 1 : s;
    memset(hidden, 0, (size_t)h * (size_t)w);
    while (covered < area * h * w) {
        int top = (int)rng_below(r, (uint64_t)(h - s) + 1), left = (int)rng_below(r, (uint64_t)(w - s) + 1);
        for (int y = top; y < top + s; y++)
            for (int x = left; x < left + s; x++) {
                covered += !hidden[y * w + x];
                hidden[y * w + x] = 1;
            }
    }
}
