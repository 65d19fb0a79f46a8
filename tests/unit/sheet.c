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
