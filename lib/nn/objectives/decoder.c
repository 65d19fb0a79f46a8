#include "nn/objectives/decoder.h"

#include <stdio.h>

enum { MAX_MAPS = 64 };

static node conv_bn_relu(graph *g, int i, node x, int K, int kernel)
{
    char name[32];

    snprintf(name, sizeof name, "decoder.conv%d", i);
    x = graph_conv2d(g, name, x, K, kernel, 1, kernel / 2, false);
    snprintf(name, sizeof name, "decoder.bn%d", i);
    return graph_relu(g, graph_batchnorm(g, name, x));
}

/*
 * By how much a map of x must grow to cover the answer: by what the encoder's layers, each of which halves sides or
 * keeps them, made it smaller, times the answer's scale. Halves are rounded up, so of odd sizes it covers more.
 * 0: no whole factor.
 */
static int growth(const graph *g, node input, node x, int H)
{
    int C, h, w, inH, inW, stride = 1;

    graph_shape(g, input, &C, &inH, &inW);
    graph_shape(g, x, &C, &h, &w);
    while (stride < inH && ((inH + stride - 1) / stride > h || (inW + stride - 1) / stride > w))
        stride *= 2;
    bool halved = (inH + stride - 1) / stride == h && (inW + stride - 1) / stride == w;
    return halved && stride * H % inH == 0 ? stride * H / inH : 0;
}

/*
 * The last of the encoder's named maps, but for `skip`. Never an earlier one where that one does not fit: the layers
 * behind it would keep their random weights, and nobody would know.
 */
static node source(const graph *g, const objective_nodes *at, const decoder_options *o, err *e)
{
    node maps[MAX_MAPS], x;
    int n = 0;

    for (int i = 0; i < graph_named_count(g) && n < MAX_MAPS; i++) {
        graph_named(g, i, &x);
        int C, H, W;
        graph_shape(g, x, &C, &H, &W);
        if (x < at->features && H > 0)
            maps[n++] = x;
    }
    if (n <= o->skip)
        return err_set(e, ERR_USAGE, "the encoder has %d maps to decode from, so 'skip' cannot be %d", n, o->skip);
    return maps[n - 1 - o->skip];
}

/* Everything through a few units, as the fully connected layers of Context Encoders: then back to `width` maps. */
static node squeeze(graph *g, node x, const decoder_options *o, err *e)
{
    int C, H, W;

    graph_shape(g, x, &C, &H, &W);
    if (H != W)
        return err_set(e, ERR_INPUT, "a bottleneck needs square images, not %d x %d", o->W, o->H);
    node v = graph_linear(g, "decoder.squeeze", graph_flatten(g, x), o->bottleneck, false);
    v = graph_relu(g, graph_batchnorm(g, "decoder.bn_squeeze", v));
    v = graph_linear(g, "decoder.unsqueeze", v, o->width * H * W, false);
    v = graph_pixel_shuffle(g, v, H);
    return graph_relu(g, graph_batchnorm(g, "decoder.bn_unsqueeze", v));
}

static int smallest_factor(int n)
{
    for (int f = 2; f * f <= n; f++)
        if (n % f == 0)
            return f;
    return n;
}

/*
 * A 3x3 convolution, and for each prime factor f of the growth a 3x3 convolution
 * to f^2 times the channels, which become f x f pixels; at last a 3x3
 * convolution to the answer, whose size may be a little less. Normalisation and ReLU after each but the last,
 * after which there is normalisation alone, or nothing.
 */
static node subpixel(graph *g, const objective_nodes *at, const decoder_options *o, err *e)
{
    node x = source(g, at, o, e);
    int i = 0;

    if (x < 0)
        return -1;
    int left = growth(g, at->input, x, o->H);
    if (left < 1)
        return err_set(e, ERR_INPUT, "the encoder's map does not grow to an answer of %d x %d by a whole factor; take an earlier "
                       "or a later one (--set skip=%d)", o->W, o->H, o->skip ? o->skip - 1 : o->skip + 1);
    if (o->bottleneck)
        x = squeeze(g, x, o, e);
    else
        x = conv_bn_relu(g, i++, x, o->width, 3);
    for (int f; left > 1; left /= f) {
        f = smallest_factor(left);
        x = graph_pixel_shuffle(g, conv_bn_relu(g, i++, x, o->width * f * f, 3), f);
    }
    x = graph_crop(g, graph_conv2d(g, "decoder.out", x, o->C, 3, 1, 1, !o->bounded), o->H, o->W);
    if (o->bounded)
        x = graph_batchnorm(g, "decoder.bn_out", x);
    if (x < 0 && e->kind == ERR_NONE)
        err_set(e, ERR_RUN, "cannot build the decoder: %s", graph_build_error(g));
    return x;
}

const decoder decoders[] = {
    {"subpixel", "3x3 convolutions and sub-pixel upsampling (Shi et al. 2016)", subpixel},
    {NULL, NULL, NULL},
};
