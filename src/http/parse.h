/* http/parse.h - heads of requests and answers (RFC 9110, 9112). No I/O.
 *
 * Two steps, so that a head that arrives in any pieces gets the verdict that it gets whole:
 * http_scan() looks at each byte once and finds the end of the head; the parsers see complete heads
 * only. Reject, never repair. Tests: test/unit/http/parse.c (the strictness table of
 * reference/http.md, Q4), test/fuzz/http-head.c, test/fuzz/http-answer.c.
 */
#pragma once
#include "http/http.h"

#define HTTP_HEAD_MAX (1u << 20)
#define HTTP_FIELDS_MAX 256u
#define HTTP_METHOD_MAX 32u

struct http_scan {
    size_t pos;
    uint8_t state;
};
/* Goes on at scan->pos of in, which holds all bytes since the start of the head. 0: more is needed;
 * > 0: length of the head with its empty line; < 0: minus the HTTP status (400, 431). */
ssize_t http_scan(struct http_scan *scan, struct str in);

struct http_head {
    struct str method, target;   /* of a request */
    int status;                  /* of an answer */
    int minor;                   /* HTTP/1.minor, 0 or 1 */
    struct http_header *headers; /* values without blanks around; point into the head */
    size_t headers_n;
    enum http_framing framing;
    uint64_t content_length;
    bool close, keep_alive; /* tokens of Connection */
    bool upgrade;           /* Connection: upgrade and Upgrade: tcp */
    bool expect_continue;
};
/* head: what http_scan measured, must live as long as ret. 0 or the HTTP status of the refusal:
 * 400, 417, 431, 501, 505. */
int http_request_parse(struct str head, struct arena *arena, struct http_head *ret);
/* 0 or -EPROTO. framing NONE: until close, unless the status or the method says no body. */
int http_answer_parse(struct str head, struct arena *arena, struct http_head *ret);
struct str http_head_get(const struct http_head *h, const char *name);

/* Is byte c allowed in a token; in a field value (tab, visible ASCII, blank, >= 0x80)? */
bool http_token_byte(unsigned char c);
bool http_text_byte(unsigned char c);

/* Target of a request → decoded path and raw query, in arena. 0 or 400: bad escapes, NUL, a ".."
 * segment, anything that does not start with '/' (or http://authority/). */
int http_target_parse(struct str target, struct arena *arena, struct str *ret_path,
                      struct str *ret_query);
