/* What a convolution needs to apply the normalisation before it. */
#ifndef NN_LAYERS_BATCHNORM_H
#define NN_LAYERS_BATCHNORM_H

#include "nn/internal.h"

/* Scale and shift of the last forward pass. */
affine batchnorm_affine(const op *o);

#endif
