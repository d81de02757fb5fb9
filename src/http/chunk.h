/* http/chunk.h - decoder of the chunked transfer coding (RFC 9112, 7.1). No I/O, no memory.
 *
 * Shared by the server, by the process that takes a body over (http/body.h) and by the client. The
 * whole state is 16 bytes, so that it travels with a socket. Strict: CRLF only, no blanks around
 * sizes, sizes up to 2^60, extensions and trailers are bounded, checked and dropped.
 * Tests: test/unit/http/parse.c, test/fuzz/http-chunk.c.
 */
#pragma once
#include "base/str.h"

#define HTTP_CHUNK_LINE_MAX 256u      /* size and extensions of one chunk */
#define HTTP_CHUNK_TRAILERS_MAX 8192u /* all trailer lines */

struct http_chunk {
    uint64_t left;  /* of the current chunk */
    uint32_t count; /* bytes of the line or of the trailers so far */
    uint8_t state, digits, reserved[2];
};
_Static_assert(sizeof(struct http_chunk) == 16, "fits struct http_body_state");

enum http_chunk_result {
    HTTP_CHUNK_MORE, /* everything was used, more is needed */
    HTTP_CHUNK_DATA, /* *ret_data is a piece of the body inside in */
    HTTP_CHUNK_END,  /* the body is complete; the bytes after *ret_used are not ours */
    HTTP_CHUNK_BAD,
};
/* Consumes a part of in; call again with the rest. A zeroed struct is a fresh decoder. */
enum http_chunk_result http_chunk_next(struct http_chunk *c, struct str in, size_t *ret_used,
                                       struct str *ret_data);
/* False for bytes that no decoder can have left behind (received state). */
bool http_chunk_valid(const struct http_chunk *c);
