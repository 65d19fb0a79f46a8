#include "base/utf8.h"

size_t utf8_length(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned low = 0x80, high = 0xbf;

    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
        return 0;
    switch (s[0]) {
    case 0xe0: low = 0xa0; break;  /* over-long */
    case 0xed: high = 0x9f; break; /* surrogates */
    case 0xf0: low = 0x90; break;
    case 0xf4: high = 0x8f; break; /* above U+10FFFF */
    }
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}
