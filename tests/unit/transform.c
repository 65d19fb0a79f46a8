#include "nn/transform.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static value *names(const char *space, const char *normalize)
{
    value *v = value_map();

    value_set(v, "space", value_str(space));
    value_set(v, "normalize", value_str(normalize));
    return v;
}

static transform make(const char *space, const char *normalize, int channels)
{
    value *v = names(space, normalize);
    transform t;
    err e = {0};

    cr_assert_eq(transform_resolve(&t, v, channels, &e), 0, "%s", e.msg);
    value_free(v);
    return t;
}

Test(transform, planes_of_normalized_colour)
{
    static const uint8_t image[] = {0, 128, 255, 10, 20, 30}; /* (1, 2, 3) */
    transform t = make("rgb", "imagenet", 3);
    float x[6];

    transform_apply(&t, image, 1, 2, 3, x);
    cr_assert_float_eq(x[0], (0 / 255. - 0.485) / 0.229, 1e-6);
    cr_assert_float_eq(x[1], (10 / 255. - 0.485) / 0.229, 1e-6);
    cr_assert_float_eq(x[2], (128 / 255. - 0.456) / 0.224, 1e-6);
    cr_assert_float_eq(x[5], (30 / 255. - 0.406) / 0.225, 1e-6);
}

Test(transform, gray_images_in_colour_networks_and_back)
{
    static const uint8_t gray[] = {7, 200}, red[] = {255, 0, 0};
    transform rgb = make("rgb", "none", 1), luma = make("gray", "none", 3);
    float x[6];

    transform_apply(&rgb, gray, 1, 2, 1, x);
    for (int c = 0; c < 3; c++)
        cr_assert_float_eq(x[2 * c + 1], 200 / 255., 1e-6);
    cr_assert_eq(luma.channels, 1);
    transform_apply(&luma, red, 1, 1, 3, x);
    cr_assert_float_eq(x[0], 76 / 255., 1e-6); /* Pillow's value for pure red */
}

Test(transform, each_image_by_itself)
{
    uint8_t image[64];
    float x[64];
    double sum = 0, squares = 0;
    transform t = make("gray", "image", 1);

    for (int i = 0; i < 64; i++)
        image[i] = (uint8_t)(i * i % 251);
    transform_apply(&t, image, 8, 8, 1, x);
    for (int i = 0; i < 64; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
    }
    cr_assert_float_eq(sum / 64, 0, 1e-5);
    cr_assert_float_eq(squares / 64, 1, 1e-5);

    memset(image, 42, sizeof image);
    transform_apply(&t, image, 8, 8, 1, x);
    for (int i = 0; i < 64; i++)
        cr_assert_eq(x[i], 0);
}

Test(transform, defaults_follow_the_channels)
{
    transform t;
    err e = {0};

    cr_assert_eq(transform_resolve(&t, NULL, 1, &e), 0);
    cr_assert_eq(t.space, SPACE_GRAY);
    cr_assert_str_eq(t.normalize, "gray");
    cr_assert_eq(transform_resolve(&t, NULL, 3, &e), 0);
    cr_assert_eq(t.space, SPACE_RGB);
    cr_assert_str_eq(t.normalize, "imagenet");
}

Test(transform, a_models_numbers_come_back_equal)
{
    transform t = make("rgb", "cifar10", 3), back;
    value *v = transform_value(&t);
    err e = {0};

    value_get_mutable(v, "mean")->child[1]->f = 0.25; /* not the table's: the file's numbers count */
    cr_assert_eq(transform_resolve(&back, v, 3, &e), 0);
    cr_assert_float_eq(back.mean[1], 0.25, 0);
    cr_assert_float_eq(back.std[2], 0.2616, 0);
    cr_assert_eq(memcmp(back.level[0], t.level[0], sizeof t.level[0]), 0);
    value_free(v);
}

Test(transform, bad_maps_are_bad_input)
{
    transform t;
    err e = {0};
    value *space = names("cmyk", "imagenet"), *norm = names("rgb", "vgg"), *std = names("rgb", "imagenet"), *three = value_array();

    cr_assert_eq(transform_resolve(&t, space, 3, &e), -1);
    cr_assert_eq(e.kind, ERR_INPUT);
    cr_assert_eq(transform_resolve(&t, norm, 3, &e), -1);
    for (int i = 0; i < 3; i++)
        value_push(three, value_int(i)); /* a deviation of 0 */
    value_set(std, "std", three);
    cr_assert_eq(transform_resolve(&t, std, 3, &e), -1);
    value_free(space);
    value_free(norm);
    value_free(std);
}

Test(transform, the_size_of_whole_images_is_kept_and_checked)
{
    value *v = names("rgb", "image"), *size = value_array();
    transform t;
    err e = {0};

    value_push(size, value_int(48));
    value_push(size, value_int(32));
    value_set(v, "size", size);
    cr_assert_eq(transform_resolve(&t, v, 3, &e), 0, "%s", e.msg);
    cr_assert_eq(t.size[0], 48);
    cr_assert_eq(t.size[1], 32);
    value *again = transform_value(&t);
    cr_assert(value_equal(value_get(again, "size"), value_get(v, "size")));
    value_free(again);
    for (int i = 0; i < 4; i++) {
        value *bad[] = {value_int(48), value_array(), value_str("48x32"), value_array()};
        value_push(bad[3], value_int(0));
        value_push(bad[3], value_int(32));
        for (int k = 0; k < 4; k++)
            if (k == i)
                value_set(v, "size", bad[k]);
            else
                value_free(bad[k]);
        cr_assert_eq(transform_resolve(&t, v, 3, &e), -1);
        cr_assert_eq(e.kind, ERR_INPUT);
    }
    value_free(v);
}
