/* Four 3x3 convolutions with batch normalisation and ReLU; the first keeps the map's size, the others halve it. */
#include "nn/encoders/encoders.h"

#include <stdio.h>

node convnet_build(graph *g, node x, const encoder_options *o)
{
    char name[32];

    for (int i = 1; i <= 4; i++) {
        snprintf(name, sizeof name, "encoder.conv%d", i);
        x = graph_conv2d(g, name, x, o->width << (i - 1), 3, i == 1 ? 1 : 2, 1, false);
        snprintf(name, sizeof name, "encoder.bn%d", i);
        x = graph_relu(g, graph_batchnorm(g, name, x));
        snprintf(name, sizeof name, i == 1 ? "stem" : "layer%d", i - 1);
        graph_name(g, x, name);
    }
    return graph_global_avgpool(g, x);
}
