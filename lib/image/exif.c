#include "image/decode_impl.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };

static uint32_t get(const uint8_t *p, int bytes, bool big)
{
    uint32_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

/* TIFF 6.0, section 2: byte order, 42, offset of the first directory; its count; 12 bytes an entry. */
int exif_orientation(const uint8_t *tiff, size_t n)
{
    if (n < 8 || (memcmp(tiff, "II", 2) && memcmp(tiff, "MM", 2)))
        return 1;
    bool big = tiff[0] == 'M';
    size_t at = get(tiff + 4, 4, big);
    if (get(tiff + 2, 2, big) != 42 || at > n - 2)
        return 1;
    size_t entries = get(tiff + at, 2, big);
    for (at += 2; entries-- > 0 && n - at >= 12; at += 12) {
        if (get(tiff + at, 2, big) != TAG_ORIENTATION)
            continue;
        uint32_t v = get(tiff + at + 8, 2, big);
        return get(tiff + at + 2, 2, big) == TYPE_SHORT && v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}
