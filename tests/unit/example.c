/* What a person sees of an example: patches where they belong, colours over their grey image. */
#include "image/example.h"

#include "base/lab.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 6, GAP = 2 };

static value *list(const int *v, int n)
{
    value *a = value_array();

    for (int i = 0; i < n; i++)
        value_push(a, value_int(v[i]));
    return a;
}

/* n patches, each of its own grey level 10 i + 1. */
static void puzzle(header *h, frame *f, sample *s, const int *cells, int n, int32_t target)
{
    int64_t shape[4] = {n, SIDE, SIDE, 1}, one[1] = {1};
    value *o = value_map(), *places = value_array();
    err e = {0};

    cr_assert_eq(header_init(h, KIND_EXAMPLES, &e), 0);
    header_set_field(h, "input", "|u1", 4, shape, &e);
    header_set_field(h, "target", "<i4", 1, one, &e);
    value_push(places, list(cells, n));
    value_set(o, "places", places);
    h->objective = o;
    *f = (frame){0};
    frame_begin(f, FRAME_SAMPLE);
    uint8_t *p = frame_tensor(f, "input", DT_U1, 4, shape);
    for (int i = 0; i < n; i++)
        memset(p + i * SIDE * SIDE, 10 * i + 1, SIDE * SIDE);
    memcpy(frame_tensor(f, "target", DT_I4, 1, one), &target, 4);
    cr_assert_eq(frame_end(f, &e), 0);
    cr_assert_eq(frame_sample(f, s, &e), 0);
}

static int at_cell(const image *im, int row, int column)
{
    return im->p[(row * (SIDE + GAP) + GAP + SIDE / 2) * im->w + column * (SIDE + GAP) + GAP + SIDE / 2];
}

Test(example, patches_go_where_they_belong)
{
    static const int nine[9] = {4, 0, 8, 1, 3, 2, 7, 6, 5}, two[2] = {4, 2};

    for (int n = 2; n <= 9; n += 7) {
        const int *cells = n == 9 ? nine : two;
        header h;
        frame f;
        sample s;
        example x = {0};
        err e = {0};
        puzzle(&h, &f, &s, cells, n, 0);
        cr_assert_eq(example_declared(&h), 2);
        cr_assert_eq(example_draw(&x, &h, &s, &e), 0, "%s", e.msg);
        cr_assert_eq(x.n, 2);
        cr_assert_eq(x.im[1].w, 3 * (SIDE + GAP) + GAP);
        for (int i = 0; i < n; i++) {
            cr_assert_eq(at_cell(&x.im[0], n == 9 ? i / 3 : 0, n == 9 ? i % 3 : i), 10 * i + 1);
            cr_assert_eq(at_cell(&x.im[1], cells[i] / 3, cells[i] % 3), 10 * i + 1);
        }
        if (n == 2)
            cr_assert_eq(at_cell(&x.im[1], 0, 0), 225);
        example_clear(&x);
        frame_free(&f);
        header_clear(&h);
    }
}

Test(example, a_target_without_places_is_refused)
{
    static const int two[2] = {4, 2}, off[2] = {4, 9};

    for (int k = 0; k < 2; k++) {
        header h;
        frame f;
        sample s;
        example x = {0};
        err e = {0};
        puzzle(&h, &f, &s, k ? off : two, 2, k ? 0 : 7);
        cr_assert_eq(example_draw(&x, &h, &s, &e), -1);
        cr_assert_eq(e.kind, ERR_INPUT);
        example_clear(&x);
        frame_free(&f);
        header_clear(&h);
    }
}

/* The grey image of one colour and that colour's coordinates give it back. */
Test(example, colours_come_back)
{
    enum { H = 8, SMALL = 2 };
    static const uint8_t colour[3] = {180, 90, 60};
    int64_t input[4] = {1, H, H, 1}, ab[4] = {1, SMALL, SMALL, 2};
    header h;
    frame f = {0};
    sample s;
    example x = {0};
    err e = {0};
    lab l;
    double v[3];

    lab_init(&l);
    lab_from_rgb(&l, colour, v);
    cr_assert_eq(header_init(&h, KIND_EXAMPLES, &e), 0);
    h.objective = value_map();
    value_set(h.objective, "show", value_str("ab"));
    header_set_field(&h, "input", "|u1", 4, input, &e);
    frame_begin(&f, FRAME_SAMPLE);
    memset(frame_tensor(&f, "input", DT_U1, 4, input), lab_gray(&l, colour), H * H);
    uint8_t *t = frame_tensor(&f, "target", DT_U1, 4, ab);
    for (int i = 0; i < SMALL * SMALL; i++) {
        t[2 * i] = (uint8_t)(v[1] + 128.5);
        t[2 * i + 1] = (uint8_t)(v[2] + 128.5);
    }
    cr_assert_eq(frame_end(&f, &e), 0);
    cr_assert_eq(frame_sample(&f, &s, &e), 0);
    cr_assert_eq(example_draw(&x, &h, &s, &e), 0, "%s", e.msg);
    cr_assert_eq(x.n, 2);
    for (int i = 0; i < H * H; i++)
        for (int k = 0; k < 3; k++)
            cr_assert_leq(abs(x.im[1].p[3 * i + k] - colour[k]), 2);
    example_clear(&x);
    frame_free(&f);
    header_clear(&h);
}

Test(example, other_examples_are_drawn_as_they_are)
{
    header h;
    err e = {0};

    cr_assert_eq(header_init(&h, KIND_EXAMPLES, &e), 0);
    cr_assert_eq(example_declared(&h), 0);
    h.objective = value_map();
    value_set(h.objective, "show", value_str("rgb"));
    cr_assert_eq(example_declared(&h), 0);
    header_clear(&h);
}
