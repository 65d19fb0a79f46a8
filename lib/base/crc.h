/* CRC-32 as in zlib, PNG and gzip (polynomial 0xEDB88320). crc_update(0, ...) starts one. */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc_update(uint32_t crc, const void *p, size_t n);

#endif
