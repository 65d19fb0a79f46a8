/* The augmentations of published systems, by name. */
#ifndef AUGMENT_PRESET_H
#define AUGMENT_PRESET_H

#include "base/buf.h"
#include "base/err.h"

typedef struct preset {
    const char *name; /* without the '@' */
    int size;         /* the default of N */
    const char *chain; /* operands, one space apart; {N} is the size, {K} a tenth of it made odd, {R} 8/7, {L} 3/7 of it */
    const char *what;
} preset;

/* NULL-named row at the end. */
extern const preset presets[];

/* "@NAME" or "@NAME:N" as operands, one space apart and NUL-terminated, appended to out. ERR_USAGE. */
int preset_expand(const char *operand, buf *out, err *e);

#endif
