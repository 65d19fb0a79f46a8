#include "image/decode_impl.h"

#include <string.h>

/*
 * Such as "sRGB IEC61966-2.1" or "sRGB built-in", in ASCII (profiles of version
 * 2) or in UTF-16, big endian (version 4).
 */
bool icc_is_srgb(const uint8_t *profile, size_t n)
{
    static const char wide[] = "\0s\0R\0G\0B";

    return memmem(profile, n, "sRGB", 4) || memmem(profile, n, wide, sizeof wide - 1);
}
