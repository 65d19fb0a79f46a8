#include "nn/encoder.h"

#include "nn/encoders/encoders.h"

#include <string.h>

const encoder encoders[] = {
    {"resnet10", "ResNet, basic blocks 1-1-1-1: 512 features at width 64", 64, true, resnet10_build},
    {"resnet18", "ResNet, basic blocks 2-2-2-2 (He et al. 2016): 512 features", 64, true, resnet18_build},
    {"resnet34", "ResNet, basic blocks 3-4-6-3: 512 features", 64, true, resnet34_build},
    {"resnet50", "ResNet, bottleneck blocks 3-4-6-3: 2048 features", 64, true, resnet50_build},
    {"resnet20", "the small ResNet for CIFAR, basic blocks 3-3-3, widths 16-32-64: 64 features", 16, false, resnet20_build},
    {"convnet", "four 3x3 convolutions, halving the map each time: small and fast, for trying things out", 32, false,
     convnet_build},
    {"identity", "the embedding is the input vector itself", 0, false, identity_build},
    {NULL, NULL, 0, false, NULL},
};

const encoder *encoder_find(const char *name)
{
    for (const encoder *enc = encoders; enc->name; enc++)
        if (strcmp(enc->name, name) == 0)
            return enc;
    return NULL;
}

encoder_options encoder_resolve(const encoder *enc, encoder_options o, int H, int W)
{
    if (o.width == 0)
        o.width = enc->width;
    if (!enc->stems)
        o.stem = STEM_AUTO;
    else if (o.stem == STEM_AUTO)
        o.stem = H <= 64 && W <= 64 ? STEM_3X3 : STEM_7X7;
    return o;
}

node encoder_build(const encoder *enc, graph *g, node x, encoder_options o, err *e)
{
    int C, H, W;

    if (x < 0)
        return err_set(e, ERR_RUN, "an encoder without an input");
    graph_shape(g, x, &C, &H, &W);
    o = encoder_resolve(enc, o, H, W);
    if (enc->width && (o.width < 1 || o.width > 4096))
        return err_set(e, ERR_USAGE, "a width of %d: expected 1 to 4096", o.width);
    if (enc->width && H < 1)
        return err_set(e, ERR_INPUT, "encoder '%s' needs images, not vectors", enc->name);
    node y = enc->build(g, x, &o);
    if (y < 0)
        return err_set(e, ERR_RUN, "cannot build encoder '%s' for an input of %d x %d x %d: %s", enc->name, C, H, W,
                       graph_build_error(g));
    graph_name(g, y, "embedding");
    return y;
}

static const char *const stem_names[] = {[STEM_AUTO] = "auto", [STEM_3X3] = "3x3", [STEM_7X7] = "7x7"};

int encoder_parse_stem(const char *text, encoder_stem *stem)
{
    for (int i = STEM_AUTO; i <= STEM_7X7; i++)
        if (strcmp(text, stem_names[i]) == 0) {
            *stem = (encoder_stem)i;
            return 0;
        }
    return -1;
}

const char *encoder_stem_name(encoder_stem stem)
{
    return stem_names[stem];
}
