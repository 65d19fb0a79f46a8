/* Image files: JPEG through libjpeg-turbo with our error handling, and EXIF. */
#include "image/decode_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static decoder *d;
    decode_opts o = {.channels = 3, .size = 8, .max_pixels = 1 << 20};
    image im = {0};
    err e = {0};

    if (!d)
        d = decoder_new(&o, &e);
    exif_orientation(p, n);
    if (d && jpeg_is(p, n))
        decoder_run(d, p, n, NULL, &im, &e);
    image_free(&im);
    return 0;
}
