/* base64.h - RFC 4648, both alphabets: section 4 (+ /) and section 5, the one for URLs (- _).
 *
 * Writing pads to a multiple of four; reading takes both alphabets at once and any or no padding,
 * because clients of the Engine API send all of that in one header (X-Registry-Auth).
 * Tests: test/unit/base/base64.c.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

void base64_encode(struct str s, struct buf *out);
void base64url_encode(struct str s, struct buf *out);
/* Appends to out, whose max bounds it. ERR_INVALID "not base64": another character, or a length
 * that no encoder leaves; out may have part of it then. */
struct err base64_decode(struct str s, struct buf *out);
