/*
 * The source of the kernels, included once for each instruction set by a file
 * that defines LANES, TILE_PIXELS, TILE_TAIL, KERNELS and KERNELS_NAME, and may define STREAM.
 */
#include "nn/kernels/vec.h"

#include "nn/kernels/elementwise.h"
#include "nn/kernels/gemm.h"
#include "nn/kernels/norm.h"
#include "nn/kernels/pack.h"
#include "nn/kernels/pool.h"
#include "nn/kernels/product.h"
#include "nn/kernels/winograd.h"

#include "nn/kernels/polyphase.h" /* uses winograd.h */

const kernels KERNELS = {
    .name = KERNELS_NAME,
    .lanes = LANES,
    .tile = TILE_PIXELS,
    .pack = pack,
    .gemm = gemm,
    .gemm_plain = gemm_plain,
    .wgrad = wgrad,
    .wgrad_plain = wgrad_plain,
    .winograd = {{winograd_input, winograd_input, winograd_gradient, winograd_output, winograd_output, winograd_weights,
                  winograd_weights_transposed, winograd_weights_gradient},
                 {polyphase_input, polyphase_data_input, polyphase_gradient, polyphase_output, polyphase_data_output,
                  polyphase_weights, polyphase_weights_transposed, polyphase_weights_gradient}},
    .norm_stats = norm_stats,
    .norm_apply = norm_apply,
    .norm_backward_sums = norm_backward_sums,
    .norm_backward_apply = norm_backward_apply,
    .relu = relu,
    .relu_backward = relu_backward,
    .add = add,
    .maxpool = maxpool,
    .maxpool_backward = maxpool_backward,
    .avgpool = avgpool,
    .avgpool_backward = avgpool_backward,
    .transpose = transpose,
    .sum = sum,
    .to_plain = to_plain,
    .from_plain = from_plain,
    .product = product,
    .peak = peak,
};
