#include "base/sha256.h"

void sha256_start(sha256 *s)
{
    sha256_init(&s->ctx);
}

void sha256_add(sha256 *s, const void *p, size_t n)
{
    sha256_update(&s->ctx, n, p);
}

void sha256_end(sha256 *s, uint8_t digest[32])
{
    sha256_digest(&s->ctx, 32, digest);
}

void sha256_end_hex(sha256 *s, char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t d[32];

    sha256_end(s, d);
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[d[i] >> 4];
        hex[2 * i + 1] = digits[d[i] & 15];
    }
    hex[64] = '\0';
}
