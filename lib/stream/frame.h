/* The bytes around a frame's map. Private to lib/stream. */
#ifndef STREAM_FRAME_H
#define STREAM_FRAME_H

#include "base/sha256.h"
#include "stream/stream.h"

enum { FRAME_HEAD = 6, FRAME_CRC = 4 }; /* 0xc9, length, type; then the CRC and the map */

/* Fill in the length and the CRC of a frame of n bytes, all told. */
void frame_seal(uint8_t *p, size_t n);
/* The payload's length, CRC included, and the CRC, as they stand. */
uint32_t frame_length(const uint8_t *p);
uint32_t frame_crc(const uint8_t *p);
/* Add a sample frame to the stream's digest: its CRC and its length, 4 bytes little endian each. */
void frame_digest(sha256 *sum, const uint8_t *p);

/* The header as a whole frame, appended to out, which must be empty. */
int header_pack(const header *h, buf *out, err *e);
/* From a header frame's map. */
int header_unpack(header *h, const uint8_t *p, size_t n, err *e);

#endif
