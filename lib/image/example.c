#include "image/example.h"

#include "base/lab.h"

#include <stdlib.h>
#include <string.h>

enum { GRID = 3, GAP = 2 }; /* cells of a puzzle's side, and the pixels between and round them */

static const uint8_t EMPTY = 225, PAPER = 255;

static const value *places_of(const header *h)
{
    const value *places = value_get(h->objective, "places");

    return places && places->type == VALUE_ARRAY && places->n > 0 && places->child[0]->type == VALUE_ARRAY ? places : NULL;
}

static bool is_coloured(const header *h)
{
    const char *show = value_get_str(h->objective, "show", "");

    return strcmp(show, "ab") == 0 || strcmp(show, "ab-bins") == 0;
}

int example_declared(const header *h)
{
    int64_t shape[TENSOR_MAX_DIMS];
    const char *name = places_of(h) ? "target" : "input"; /* puzzles; images */

    if (strcmp(h->kind, KIND_EXAMPLES) != 0 || (!places_of(h) && !is_coloured(h)))
        return 0;
    if (header_field(h, name, NULL, shape) < 1 || shape[0] < 1)
        return 2;
    return shape[0] * 2 < EXAMPLE_PICTURES ? (int)shape[0] * 2 : EXAMPLE_PICTURES;
}

void example_clear(example *x)
{
    for (int i = 0; i < EXAMPLE_PICTURES; i++)
        image_free(&x->im[i]);
    *x = (example){0};
}

static image *next(example *x, const char *name)
{
    x->label[x->n] = name;
    return &x->im[x->n++];
}

/* ---- Puzzles --------------------------------------------------------------------------- */

/* Patch i of `count` into the cell (row, column) of a picture of cells. */
static void put(image *im, const tensor *input, int64_t i, int row, int column)
{
    size_t h = (size_t)input->shape[1], w = (size_t)input->shape[2], c = (size_t)input->shape[3];

    for (size_t y = 0; y < h; y++)
        memcpy(im->p + (((size_t)row * (h + GAP) + GAP + y) * (size_t)im->w + (size_t)column * (w + GAP) + GAP) * c,
               input->data + (((size_t)i * h + y) * w) * c, w * c);
}

/* A picture of rows x columns cells, all empty. */
static int board(image *im, const tensor *input, int rows, int columns, err *e)
{
    int h = (int)input->shape[1], w = (int)input->shape[2], c = (int)input->shape[3];

    if (image_shape(im, rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c, e))
        return -1;
    for (int y = 0; y < im->h; y++)
        for (int x = 0; x < im->w; x++)
            memset(im->p + (y * im->w + x) * c, y % (h + GAP) >= GAP && x % (w + GAP) >= GAP ? EMPTY : PAPER, (size_t)c);
    return 0;
}

static int draw_puzzle(example *x, const tensor *input, const value *cells, int64_t first, err *e)
{
    int n = (int)cells->n, columns = n > GRID ? GRID : n;
    image *given = next(x, "given"), *solved = next(x, "solved");

    if (board(given, input, (n + columns - 1) / columns, columns, e) || board(solved, input, GRID, GRID, e))
        return -1;
    for (int i = 0; i < n; i++) {
        const value *cell = cells->child[i];
        if (cell->type != VALUE_INT || cell->i < 0 || cell->i >= GRID * GRID)
            return err_set(e, ERR_INPUT, "the objective's 'places' hold what is no cell of a square of %d", GRID * GRID);
        put(given, input, first + i, i / columns, i % columns);
        put(solved, input, first + i, (int)cell->i / GRID, (int)cell->i % GRID);
    }
    return 0;
}

static int draw_puzzles(example *x, const value *places, const sample *in, err *e)
{
    const tensor *input = sample_tensor(in, "input", DT_U1, 4, e), *target = input ? sample_tensor(in, "target", DT_I4, 1, e) : NULL;

    if (!target)
        return -1;
    int64_t n = target->shape[0], each = n > 0 ? input->shape[0] / n : 0;
    if (each > GRID * GRID || input->bytes == 0 || input->shape[1] > 4096 || input->shape[2] > 4096 ||
        (input->shape[3] != 1 && input->shape[3] != 3))
        return 0;
    x->of = 2 * n;
    for (int64_t k = 0; k < n && x->n + 2 <= EXAMPLE_PICTURES; k++) {
        uint32_t t = 0;
        for (int i = 0; i < 4; i++)
            t |= (uint32_t)target->data[4 * k + i] << 8 * i;
        const value *cells = t < places->n ? places->child[t] : NULL;
        if (!cells || cells->type != VALUE_ARRAY || (int64_t)cells->n != each)
            return err_set(e, ERR_INPUT, "target %d has no place for each of %lld inputs", (int)(int32_t)t, (long long)each);
        if (draw_puzzle(x, input, cells, k * each, e))
            return -1;
    }
    return 0;
}

/* ---- Colours ------------------------------------------------------------------------------ */

static float f4(const tensor *t, int64_t i)
{
    float v;

    memcpy(&v, t->data + 4 * i, sizeof v);
    return v;
}

static int32_t i4(const tensor *t, int64_t i)
{
    int32_t v;

    memcpy(&v, t->data + 4 * i, sizeof v);
    return v;
}

/* Planes of a and b, from coordinates in bytes or from bins with shares. */
static int planes(const sample *in, int64_t v, int64_t shape[4], float **ab, err *e)
{
    const field *coordinates = sample_find(in, "target");
    const tensor *t = sample_tensor(in, coordinates ? "target" : "bin", coordinates ? DT_U1 : DT_I4, 4, e), *share = NULL;

    if (!t || (!coordinates && !(share = sample_tensor(in, "share", DT_F4, 4, e))))
        return -1;
    int64_t n = t->shape[1] * t->shape[2], K = t->shape[3];
    if (t->bytes == 0 || v >= t->shape[0] || (coordinates && K != 2) || (share && share->bytes != t->bytes) || K > 64)
        return err_set(e, ERR_INPUT, "the colours are not as the objective says");
    memcpy(shape, t->shape, 4 * sizeof *shape);
    *ab = malloc(2 * (size_t)n * sizeof **ab);
    if (!*ab)
        return err_nomem(e);
    for (int64_t p = 0; p < n; p++) {
        float c[2], s[64];
        int32_t b[64];
        for (int64_t k = 0; k < K; k++) {
            int64_t at = (v * n + p) * K + k;
            if (coordinates) {
                c[k] = (float)t->data[at] - 128;
                continue;
            }
            b[k] = i4(t, at);
            s[k] = f4(share, at);
        }
        if (!coordinates)
            lab_bins_mean(b, s, (size_t)K, c);
        (*ab)[p] = c[0];
        (*ab)[n + p] = c[1];
    }
    return 0;
}

static int draw_colours(example *x, const sample *in, err *e)
{
    const tensor *input = sample_tensor(in, "input", DT_U1, 4, e);
    lab l;

    if (!input)
        return -1;
    int64_t H = input->shape[1], W = input->shape[2], shape[4];
    if (input->bytes == 0 || input->shape[3] != 1 || H > 1 << 14 || W > 1 << 14)
        return 0;
    lab_init(&l);
    x->of = 2 * input->shape[0];
    for (int64_t v = 0; v < input->shape[0] && x->n + 2 <= EXAMPLE_PICTURES; v++) {
        image *gray = next(x, "input"), *colour = next(x, "target");
        float *ab = NULL;
        if (planes(in, v, shape, &ab, e) || image_shape(gray, (int)H, (int)W, 1, e) || image_shape(colour, (int)H, (int)W, 3, e)) {
            free(ab);
            return -1;
        }
        memcpy(gray->p, input->data + v * H * W, (size_t)(H * W));
        lab_paint(&l, gray->p, (int)H, (int)W, ab, (int)shape[1], (int)shape[2], colour->p);
        free(ab);
    }
    return 0;
}

int example_draw(example *x, const header *h, const sample *in, err *e)
{
    if (example_declared(h) == 0)
        return 0;
    return places_of(h) ? draw_puzzles(x, places_of(h), in, e) : draw_colours(x, in, e);
}
