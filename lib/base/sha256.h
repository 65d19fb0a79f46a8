/* SHA-256 (FIPS 180-4), by nettle. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
    struct sha256_ctx ctx;
} sha256;

void sha256_start(sha256 *s);
void sha256_add(sha256 *s, const void *p, size_t n);
/* Ends the sum: 32 bytes, or 64 lower-case hex digits and a NUL. */
void sha256_end(sha256 *s, uint8_t digest[32]);
void sha256_end_hex(sha256 *s, char hex[65]);

#endif
