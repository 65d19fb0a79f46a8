/* Quarter turns by copying alone: no resampling, whose traces would give the answer away. */
#ifndef PRETEXT_ROTATE_H
#define PRETEXT_ROTATE_H

#include <stdint.h>

/*
 * Turn src [height, width, channels] counter-clockwise by quarter * 90 degrees
 * (numpy's rot90) into dst: [height, width, channels] for an even number,
 * [width, height, channels] for an odd one. quarter is 0..3; no overlap.
 */
void rotate_quarter(uint8_t *dst, const uint8_t *src, int64_t height, int64_t width, int64_t channels, int quarter);

#endif
