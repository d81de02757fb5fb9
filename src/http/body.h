/* http/body.h - blocking reader of a request body in the process that was given the socket (worker,
 * corten-build). Starts from struct http_body_state and the early bytes; same chunk decoder as the
 * server. */
#pragma once
#include "http/http.h"

struct http_body;
struct stream;
/* Borrows fd; copies early. */
struct http_body *http_body_new(int fd, const struct http_body_state *state, struct str early);
void http_body_free(struct http_body *b);
/* Up to n bytes; 0 at the end of the body, -errno (-EPROTO: bad framing, -ECONNRESET: cut short).
 */
ssize_t http_body_read(struct http_body *b, void *p, size_t n);
/* True when nothing of the body is left to read. */
bool http_body_ended(const struct http_body *b);
/* The same as a stream (archive/stream.h): ERR_INVALID for bad framing, ERR_CANCELLED when the
 * connection ends within the body. own: the stream frees the body, else it is borrowed. */
struct stream *http_body_stream(struct http_body *b, bool own);
bool http_body_buffered(const struct http_body *b); /* bytes that need no read(2) */
/* Serialises state + early for a message between processes, and back. */
void http_body_pack(const struct http_body_state *state, struct str early, struct buf *out);
struct err http_body_unpack(struct str packed, struct http_body_state *ret_state,
                            struct str *ret_early);

/* Streamed answer written by the new owner: chunked with Connection: close; extra_headers are whole
 * lines or NULL. They wait for a slow reader. Return 0 or -errno. */
int http_answer_begin(int fd, int status, const char *content_type, const char *extra_headers);
int http_answer_write(int fd, struct str data);
int http_answer_end(int fd);
