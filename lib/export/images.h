/* Samples as image files: what tars and folders have in common. */
#ifndef EXPORT_IMAGES_H
#define EXPORT_IMAGES_H

#include "image/image.h"
#include "stream/stream.h"

enum { IMAGES_MAX_NAME = 4096 };

/*
 * A relative path: the key without its extension, and the suffix; other dots of
 * a file's name would end its key in a WebDataset. Where the key is not in a
 * folder of its class, that and the split come before it. ERR_INPUT where it would lead elsewhere.
 */
int images_name(const sample *s, const char *suffix, char name[IMAGES_MAX_NAME], err *e);
/* The field `image`; its pixels are borrowed from the sample. */
int images_pixels(const sample *s, image *im, err *e);

#endif
