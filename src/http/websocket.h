/* http/websocket.h - WebSocket frames (RFC 6455), without I/O: the handshake's answer, a strict
 * parser of what a client sends, and the head of what is sent to it.
 *
 * A client's frames must be masked (5.1), have no reserved bits or opcodes, control frames at most
 * 125 bytes in one piece (5.5), lengths below 2^63 (5.2); what breaks a rule ends the connection
 * with status 1002. Payloads pass through in pieces as they come: nothing is gathered, so no length
 * needs a limit. No extensions are offered. Any thread. Tests: test/unit/http/websocket.c,
 * test/fuzz/http-websocket.c.
 */
#pragma once
#include "http/http.h"

#define WEBSOCKET_ACCEPT_LEN 28
#define WEBSOCKET_CONTROL_MAX 125
#define WEBSOCKET_HEAD_MAX 10

enum websocket_opcode {
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_OP_CLOSE = 8,
    WEBSOCKET_OP_PING = 9,
    WEBSOCKET_OP_PONG = 10,
};

/* Checks a request to upgrade (4.2.1): HTTP/1.1 GET, Upgrade: websocket, version 13, a key of 16
 * bytes; and that a browser sends it from a page of this very host (Origin), because no other rule
 * keeps a foreign page from opening it. ret_accept: the answer to the key, NUL-terminated. */
struct err websocket_check(const struct http_request *r, char ret_accept[WEBSOCKET_ACCEPT_LEN + 1]);

struct websocket_in {
    unsigned char head[14], control[WEBSOCKET_CONTROL_MAX];
    uint8_t head_n, control_n, opcode;
    bool in_frame, in_message;
    unsigned mask_at;
    uint64_t left;
};
enum websocket_event {
    WEBSOCKET_MORE,  /* everything was read */
    WEBSOCKET_DATA,  /* a piece of payload, unmasked in place */
    WEBSOCKET_PING,  /* to be answered with a pong of the same payload */
    WEBSOCKET_CLOSE, /* the client is done */
    WEBSOCKET_BAD,   /* it broke a rule */
};
/* Takes from *data, *n what the next event needs and moves both on. ret: the payload of DATA
 * (within *data) or PING (within w). */
enum websocket_event websocket_next(struct websocket_in *w, unsigned char **data, size_t *n,
                                    struct str *ret);
/* The head of an unmasked frame in one piece; returns its length. */
size_t websocket_head(unsigned char out[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode,
                      size_t len);
