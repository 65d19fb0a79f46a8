/*
 * Residual networks (He, Zhang, Ren and Sun, "Deep residual learning for image
 * recognition", CVPR 2016), with torchvision's topology and names: the stride
 * of a bottleneck is in its 3x3 convolution, a shortcut that changes shape is
 * a 1x1 convolution and a batch normalisation ("downsample.0", ".1").
 */
#include "nn/encoders/encoders.h"

#include <stdio.h>

typedef struct resnet {
    int stages;
    int blocks[4];
    bool bottleneck;
} resnet;

/* conv, then bn, under their torchvision names: "encoder.PREFIXconvI" and "encoder.PREFIXbnI". */
static node conv_bn(graph *g, const char *prefix, int i, node x, int K, int kernel, int stride)
{
    char name[64];

    snprintf(name, sizeof name, "encoder.%sconv%d", prefix, i);
    x = graph_conv2d(g, name, x, K, kernel, stride, kernel / 2, false);
    snprintf(name, sizeof name, "encoder.%sbn%d", prefix, i);
    return graph_batchnorm(g, name, x);
}

static node shortcut(graph *g, const char *prefix, node x, int K, int stride)
{
    char name[64];

    snprintf(name, sizeof name, "encoder.%sdownsample.0", prefix);
    x = graph_conv2d(g, name, x, K, 1, stride, 0, false);
    snprintf(name, sizeof name, "encoder.%sdownsample.1", prefix);
    return graph_batchnorm(g, name, x);
}

static int channels(const graph *g, node x)
{
    int C = 0, H, W;

    if (x >= 0)
        graph_shape(g, x, &C, &H, &W);
    return C;
}

/* (N, C, H, W) -> (N, K, H / stride, W / stride), K = width or, of a bottleneck, 4 width */
static node block(graph *g, const resnet *r, const char *prefix, node x, int width, int stride)
{
    int K = r->bottleneck ? 4 * width : width;
    node y;

    if (r->bottleneck) {
        y = graph_relu(g, conv_bn(g, prefix, 1, x, width, 1, 1));
        y = graph_relu(g, conv_bn(g, prefix, 2, y, width, 3, stride));
        y = conv_bn(g, prefix, 3, y, K, 1, 1);
    } else {
        y = graph_relu(g, conv_bn(g, prefix, 1, x, width, 3, stride));
        y = conv_bn(g, prefix, 2, y, width, 3, 1);
    }
    node skip = stride != 1 || channels(g, x) != K ? shortcut(g, prefix, x, K, stride) : x;
    return graph_relu(g, graph_add(g, y, skip));
}

static node resnet_build(graph *g, const resnet *r, node x, const encoder_options *o)
{
    char prefix[32];

    if (o->stem == STEM_7X7) {
        x = graph_relu(g, conv_bn(g, "", 1, x, o->width, 7, 2));
        x = graph_maxpool(g, x, 3, 2, 1);
    } else {
        x = graph_relu(g, conv_bn(g, "", 1, x, o->width, 3, 1));
    }
    graph_name(g, x, "stem");
    for (int s = 0; s < r->stages; s++) {
        for (int b = 0; b < r->blocks[s]; b++) {
            snprintf(prefix, sizeof prefix, "layer%d.%d.", s + 1, b);
            x = block(g, r, prefix, x, o->width << s, s > 0 && b == 0 ? 2 : 1);
        }
        snprintf(prefix, sizeof prefix, "layer%d", s + 1);
        graph_name(g, x, prefix);
    }
    return graph_global_avgpool(g, x);
}

node resnet10_build(graph *g, node x, const encoder_options *o)
{
    return resnet_build(g, &(resnet){4, {1, 1, 1, 1}, false}, x, o);
}

node resnet18_build(graph *g, node x, const encoder_options *o)
{
    return resnet_build(g, &(resnet){4, {2, 2, 2, 2}, false}, x, o);
}

node resnet34_build(graph *g, node x, const encoder_options *o)
{
    return resnet_build(g, &(resnet){4, {3, 4, 6, 3}, false}, x, o);
}

node resnet50_build(graph *g, node x, const encoder_options *o)
{
    return resnet_build(g, &(resnet){4, {3, 4, 6, 3}, true}, x, o);
}

/* Section 4.2 of the paper, n = 3; its shortcuts are projections, as in option B. */
node resnet20_build(graph *g, node x, const encoder_options *o)
{
    return resnet_build(g, &(resnet){3, {3, 3, 3}, false}, x, o);
}
