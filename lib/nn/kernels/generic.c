/* Any processor: vectors of four floats, which every compiler can lower. */
#include "nn/kernels/kernels.h"

#define LANES 4
#define TILE_PIXELS 6
#define TILE_TAIL 4
#define KERNELS kernels_generic
#define KERNELS_NAME "generic"
#include "nn/kernels/source.h"
