/* What stands beyond the edge of an image, as numpy.pad and torchvision's Pad name it. */
#ifndef AUGMENT_BORDER_H
#define AUGMENT_BORDER_H

enum border { BORDER_CONSTANT, BORDER_EDGE, BORDER_REFLECT, BORDER_SYMMETRIC };

/*
 * The place in 0..n-1 that position i, inside or outside, takes its value from;
 * -1 for the constant. Reflections go back and forth as often as needed.
 *
 *     n = 3:  constant  - - 0 1 2 - -    edge       0 0 0 1 2 2 2
 *             reflect   2 1 0 1 2 1 0    symmetric  1 0 0 1 2 2 1
 */
static inline int border_at(enum border kind, int i, int n)
{
    int period = kind == BORDER_REFLECT ? 2 * n - 2 : 2 * n;

    if (i >= 0 && i < n)
        return i;
    if (kind == BORDER_CONSTANT)
        return -1;
    if (kind == BORDER_EDGE || period == 0)
        return i < 0 ? 0 : n - 1;
    i %= period;
    i = i < 0 ? i + period : i;
    return i < n ? i : kind == BORDER_REFLECT ? period - i : period - 1 - i;
}

#endif
