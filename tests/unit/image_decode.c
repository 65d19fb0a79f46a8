/* The decoder: turns, grey, sizes and limits. Its pixels are compared with Pillow's in tests/torch/load.py. */
#include "image/decode.h"
#include "image/decode_impl.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static err e;

/* EXIF 2.3, 4.6.4: where row 0 and column 0 of the stored image belong in the one that is seen. */
Test(image, orientations)
{
    static const char *const seen[9] = {"", "abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"};

    for (int o = 0; o <= 9; o++) {
        image im = {0}, tmp = {0};
        cr_assert(image_shape(&im, 2, 3, 1, &e) == 0);
        memcpy(im.p, "abcdef", 6);
        cr_assert(image_orient(&im, o, &tmp, &e) == 0);
        const char *wanted = o >= 1 && o <= 8 ? seen[o] : "abcdef";
        cr_assert(memcmp(im.p, wanted, 6) == 0, "orientation %d: %.6s", o, im.p);
        cr_assert(im.h == (o >= 5 && o <= 8 ? 3 : 2) && im.h * im.w == 6);
        image_free(&im);
        image_free(&tmp);
    }
}

Test(image, channels)
{
    image im = {0};

    cr_assert(image_shape(&im, 1, 2, 3, &e) == 0);
    memcpy(im.p, "\xff\0\0\xff\xff\xff", 6);
    cr_assert(image_channels(&im, 1, &e) == 0);
    cr_assert(im.c == 1 && im.p[0] == 76 && im.p[1] == 255);
    cr_assert(image_channels(&im, 3, &e) == 0);
    cr_assert(im.c == 3 && memcmp(im.p, "\x4c\x4c\x4c\xff\xff\xff", 6) == 0);
    image_free(&im);
}

Test(exif, orientation)
{
    static const uint8_t little[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
    static const uint8_t big[] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0";

    cr_assert(exif_orientation(little, 22) == 6);
    cr_assert(exif_orientation(big, 22) == 8);
    for (size_t n = 0; n < 20; n++) /* cut anywhere, it is not there */
        cr_assert(exif_orientation(little, n) == 1);
    uint8_t bad[22];
    memcpy(bad, little, 22);
    bad[18] = 9;
    cr_assert(exif_orientation(bad, 22) == 1);
    memcpy(bad, little, 22);
    memset(bad + 4, 0xff, 4); /* a directory far outside */
    cr_assert(exif_orientation(bad, 22) == 1);
    memcpy(bad, little, 22);
    bad[8] = bad[9] = 0xff; /* more entries than there are */
    bad[10] = 0;
    cr_assert(exif_orientation(bad, 22) == 1);
}

Test(decode, pixels)
{
    decode_opts o = {.channels = 3};
    decoder *d = decoder_new(&o, &e);
    image im = {0};

    cr_assert(d && decoder_pixels(d, (const uint8_t *)"ab", 1, 2, 1, &im, &e) == 0);
    cr_assert(im.h == 1 && im.w == 2 && im.c == 3 && memcmp(im.p, "aaabbb", 6) == 0);
    decoder_free(d);
    o = (decode_opts){.channels = 1, .size = 4};
    d = decoder_new(&o, &e);
    cr_assert(d && decoder_pixels(d, (const uint8_t *)"zzzzzz", 1, 2, 3, &im, &e) == 0);
    cr_assert(im.h == 4 && im.w == 4 && im.c == 1);
    for (int i = 0; i < 16; i++)
        cr_assert(im.p[i] == 'z');
    decoder_free(d);
    image_free(&im);
}

Test(decode, limits)
{
    decode_opts o = {.channels = 3, .max_pixels = 100};

    cr_assert(decode_check_size(&o, 10, 10, &e) == 0);
    cr_assert(decode_check_size(&o, 101, 1, &e) == -1 && e.kind == ERR_INPUT);
    cr_assert(decode_check_size(&o, INT64_MAX, INT64_MAX, &e) == -1);
    cr_assert(decode_check_size(&o, 0, 5, &e) == -1);
    cr_assert(decode_check_size(&o, -1, 5, &e) == -1);
}

/* A decoder goes on after a failure as if nothing had been. */
Test(decode, after_a_failure)
{
    static const char *const bad[] = {"", "\xff\xd8\xff", "\xff\xd8\xff\xd9", "no image", "\x89PNG\r\n\x1a\n"};
    decode_opts o = {.channels = 3};
    decoder *d = decoder_new(&o, &e);
    image im = {0};

    cr_assert(d);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            cr_assert(decoder_run(d, (const uint8_t *)bad[i], strlen(bad[i]), NULL, &im, &e) == -1);
            cr_assert(e.kind == ERR_INPUT && e.msg[0]);
        }
    decoder_free(d);
    image_free(&im);
}
