#include "image/augment/operation.h"

#include <stddef.h>

const operation *const operations[] = {
    &operation_crop, &operation_centercrop, &operation_resize, &operation_flip, &operation_vflip,
    &operation_rotate, &operation_affine, &operation_perspective, &operation_jitter, &operation_gray,
    &operation_blur, &operation_sharpness, &operation_solarize, &operation_autocontrast, &operation_equalize,
    &operation_invert, &operation_posterize, &operation_erase, &operation_randaugment, NULL,
};
