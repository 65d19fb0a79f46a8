/*
 * The input transform: from an image of bytes to the network's input. Declared
 * by name in the stream's header ("input_transform"), resolved to numbers,
 * stored with the model, and applied by this one function in training and in
 * embedding, so that the two cannot differ.
 *
 * A pixel p of channel c becomes (p / 255 - mean[c]) / std[c]; in the space
 * "lab-l" L / 100 takes the place of p / 255. With "image" the
 * mean and the standard deviation are the image's own, over all its pixels and
 * channels, the deviation at least 1 / sqrt(number of values), so that a
 * constant image becomes zeros.
 */
#ifndef NN_TRANSFORM_H
#define NN_TRANSFORM_H

#include "base/err.h"
#include "base/lab.h"
#include "stream/value.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum transform_space {
    SPACE_RGB, /* 3 channels; a grey image is repeated */
    SPACE_GRAY, /* 1 channel; colour becomes luma: 0.299 R + 0.587 G + 0.114 B, rounded (ITU-R BT.601, as Pillow's "L") */
    SPACE_LAB_L /* 1 channel: L of CIE Lab; colour first becomes the grey level of equal luminance */
} transform_space;

typedef struct transform {
    transform_space space;
    const char *normalize;   /* a name of the table; static */
    bool per_image;
    int channels;            /* of the output */
    int size[2];             /* height and width of whole images, where inputs are parts of them; 0: unknown */
    double mean[3], std[3];  /* unless per_image */
    lab lab;                 /* of SPACE_LAB_L */
    float level[3][256];     /* the transform of each byte, unless per_image */
} transform;

/*
 * Resolve a declared map {"space", "normalize"}; NULL or missing entries mean
 * "gray" and "gray" for images of one channel, "rgb" and "imagenet" for others.
 * A model's own map also has "mean" and "std", which then are used as they are.
 * "size" [H, W] says how large whole images are where the inputs are patches of
 * them: embeddings are made of images of that size.
 * ERR_INPUT for a name that is not in the tables.
 */
int transform_resolve(transform *t, const value *declared, int image_channels, err *e);

/* The resolved map, numbers included; NULL when memory is out. */
value *transform_value(const transform *t);

/* (H, W, image_channels) bytes -> (channels, H, W) floats. image_channels is 1 or 3. */
void transform_apply(const transform *t, const uint8_t *image, int H, int W, int image_channels, float *dst);

/* The table, for people. */
void transform_list(FILE *f);

#endif
