#include "image/augment/operation.h"

#include <stddef.h>

const operation *const operations[] = {
    &operation_crop,     &operation_centercrop, &operation_resize, &operation_flip, &operation_vflip,
    &operation_rotate,   &operation_jitter,     &operation_gray,   &operation_blur, &operation_solarize,
    &operation_erase,    NULL,
};
