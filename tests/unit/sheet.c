#include "image/decode.h"
#include "image/sheet.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t PINK[3] = {255, 0, 255}, MINT[3] = {0, 255, 128};

/* A sample of one or more solid pictures, pink and mint in turn. */
static void add(sheet *s, const char *name, int ndim, const int64_t *shape)
{
    frame f = {0};
    sample in;
    err e = {0};
    const int64_t *hwc = shape + ndim - 3;
    int64_t n = ndim == 4 ? shape[0] : 1, pixels = hwc[0] * hwc[1];

    frame_begin(&f, FRAME_SAMPLE);
    frame_str(&f, "key", "a\x1b[31m <b>&\xff.png", 15);
    frame_str(&f, "class", "caf\xc3\xa9", 5);
    uint8_t *p = frame_tensor(&f, name, DT_U1, ndim, shape);
    cr_assert(p);
    for (int64_t i = 0; i < n * pixels; i++, p += hwc[2])
        memcpy(p, i / pixels % 2 ? MINT : PINK, (size_t)hwc[2]);
    cr_assert_eq(frame_end(&f, &e), 0);
    cr_assert_eq(frame_sample(&f, &in, &e), 0);
    cr_assert_eq(sheet_add(s, &in, &e), 0, "%s", e.msg);
    frame_free(&f);
}

static sheet *make(header *h, const char *name, int ndim, const int64_t *shape)
{
    err e = {0};

    *h = (header){0};
    cr_assert_eq(header_init(h, KIND_IMAGES, &e), 0);
    cr_assert_eq(header_set_field(h, name, "|u1", ndim, shape, &e), 0);
    sheet *s = sheet_new(h, NULL, &e);
    cr_assert(s, "%s", e.msg);
    return s;
}

/* Draw and read back: pixels of exactly this colour. */
static int64_t count(sheet *s, const uint8_t colour[3])
{
    decoder *d;
    image im = {0};
    buf png = {0};
    bool text;
    err e = {0};
    int64_t n = 0;

    cr_assert_eq(sheet_png(s, &png, &text, &e), 0, "%s", e.msg);
    cr_assert(d = decoder_new(&(decode_opts){.channels = 3}, &e));
    cr_assert_eq(decoder_run(d, png.p, png.n, NULL, &im, &e), 0, "%s", e.msg);
    for (size_t i = 0; i < image_bytes(&im); i += 3)
        n += memcmp(im.p + i, colour, 3) == 0;
    image_free(&im);
    decoder_free(d);
    buf_free(&png);
    return n;
}

Test(sheet, enlarges_by_a_whole_factor)
{
    header h;
    int64_t shape[] = {28, 28, 3};
    sheet *s = make(&h, "image", 3, shape);

    cr_assert_eq(sheet_capacity(s), 60);
    for (int i = 0; i < 7; i++)
        add(s, "image", 3, shape);
    cr_assert_eq(sheet_count(s), 7);
    cr_assert_eq(count(s, PINK), 7 * 112 * 112);
    sheet_free(s);
    header_clear(&h);
}

Test(sheet, draws_every_view)
{
    header h;
    int64_t shape[] = {9, 10, 12, 3};
    sheet *s = make(&h, "views", 4, shape);

    add(s, "views", 4, shape);
    cr_assert_eq(count(s, PINK), 5 * 50 * 60);
    cr_assert_eq(count(s, MINT), 4 * 50 * 60);
    sheet_free(s);
    header_clear(&h);
}

Test(sheet, reduces_large_and_keeps_thin_images)
{
    header h;
    int64_t varies[] = {-1, -1, 3};
    sheet *s = make(&h, "image", 3, varies);

    add(s, "image", 3, (int64_t[]){500, 1000, 3});
    cr_assert_eq(count(s, PINK), 160 * 80);
    add(s, "image", 3, (int64_t[]){1, 2000, 3});
    cr_assert_eq(count(s, PINK), 160 * 80 + 160);
    add(s, "image", 3, (int64_t[]){1, 1, 3});
    cr_assert_eq(count(s, PINK), 160 * 80 + 160 + 1);
    sheet_free(s);
    header_clear(&h);
}

Test(sheet, grey_images)
{
    header h;
    int64_t shape[] = {32, 32, 1};
    sheet *s = make(&h, "image", 3, shape);

    add(s, "image", 3, shape); /* the first byte of pink: white, as the paper is */
    cr_assert_gt(count(s, (const uint8_t[]){255, 255, 255}), 128 * 128);
    sheet_free(s);
    header_clear(&h);
}

/* A puzzle of two patches whose image, pink, was kept: at most four puzzles are drawn, but the image always is. */
Test(sheet, kept_images_stand_before_composed_pictures)
{
    enum { SIDE = 16 };
    int64_t image_shape[] = {32, 32, 3};

    for (int64_t puzzles = 1; puzzles <= 5; puzzles += 4) {
        int64_t input[] = {2 * puzzles, SIDE, SIDE, 3};
        value *places = value_array(), *cells = value_array();
        header h = {0};
        frame f = {0};
        sample in;
        err e = {0};
        int drawn;

        cr_assert_eq(header_init(&h, KIND_EXAMPLES, &e), 0);
        header_set_field(&h, "image", "|u1", 3, image_shape, &e);
        header_set_field(&h, "input", "|u1", 4, input, &e);
        header_set_field(&h, "target", "<i4", 1, &puzzles, &e);
        value_push(cells, value_int(4));
        value_push(cells, value_int(2));
        value_push(places, cells);
        value_set(h.objective = value_map(), "places", places);

        frame_begin(&f, FRAME_SAMPLE);
        uint8_t *p = frame_tensor(&f, "image", DT_U1, 3, image_shape);
        for (int i = 0; i < 32 * 32; i++)
            memcpy(p + 3 * i, PINK, 3);
        p = frame_tensor(&f, "input", DT_U1, 4, input);
        for (int i = 0; i < 2 * puzzles * SIDE * SIDE; i++)
            memcpy(p + 3 * i, MINT, 3);
        memset(frame_tensor(&f, "target", DT_I4, 1, &puzzles), 0, (size_t)(4 * puzzles));
        cr_assert_eq(frame_end(&f, &e), 0);
        cr_assert_eq(frame_sample(&f, &in, &e), 0);

        sheet *s = sheet_new(&h, NULL, &e);
        cr_assert(s, "%s", e.msg);
        cr_assert_eq(sheet_add(s, &in, &e), 0, "%s", e.msg);
        int64_t pink = count(s, PINK), mint = count(s, MINT);
        int scale = puzzles == 1 ? 2 : 1; /* as far as the board of 3 x 3 cells lets them */
        cr_assert_eq(pink, 32 * 32 * scale * scale);
        cr_assert_eq(mint, (puzzles == 1 ? 1 : 4) * 2 * 2 * SIDE * SIDE * scale * scale); /* given and solved */
        cr_assert_eq(sheet_wanted(s, &drawn), puzzles == 1 ? 0 : 11);
        cr_assert(puzzles == 1 || drawn == 9);
        sheet_free(s);
        frame_free(&f);
        header_clear(&h);
    }
}

Test(sheet, nothing_to_draw)
{
    header h = {0};
    err e = {0};

    cr_assert_eq(header_init(&h, KIND_EMBEDDINGS, &e), 0);
    cr_assert_eq(header_set_field(&h, "embedding", "<f4", 1, (int64_t[]){64}, &e), 0);
    cr_assert_null(sheet_new(&h, NULL, &e));
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert(strstr(e.msg, "embeddings"), "%s", e.msg);
    cr_assert_null(sheet_new(&h, "image", &e));
    cr_assert(strstr(e.msg, "'image'"), "%s", e.msg);
    header_clear(&h);
}

Test(sheet, an_empty_or_huge_sheet_is_an_error)
{
    header h;
    int64_t shape[] = {32, 32, 3};
    sheet *s = make(&h, "image", 3, shape);
    buf png = {0};
    bool text;
    err e = {0};

    cr_assert_eq(sheet_png(s, &png, &text, &e), -1);
    for (int i = 0; i < 20000; i++)
        add(s, "image", 3, shape);
    cr_assert_eq(sheet_png(s, &png, &text, &e), -1);
    cr_assert(strstr(e.msg, "draw fewer"), "%s", e.msg);
    sheet_free(s);
    header_clear(&h);
}
