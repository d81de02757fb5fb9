/* WebSocket frames: RFC 6455's own examples, pieces of any size, and what breaks a rule. */
#include "http/websocket.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>

/* Feeds the bytes in pieces of `step`; the payload in *out, the last event returned. */
static enum websocket_event feed(const void *bytes, size_t n, size_t step, struct buf *out) {
    struct websocket_in w = {0};
    enum websocket_event e = WEBSOCKET_MORE;
    for (size_t at = 0; at < n && e == WEBSOCKET_MORE; at += step) {
        unsigned char piece[512], *p = piece;
        size_t left = MIN(step, n - at);
        struct str payload;
        memcpy(piece, (const char *)bytes + at, left);
        do {
            e = websocket_next(&w, &p, &left, &payload);
            if (e == WEBSOCKET_DATA)
                buf_add_str(out, payload);
            else if (e == WEBSOCKET_PING)
                buf_addf(out, "<ping %.*s>", STR_ARG(payload));
        } while (e == WEBSOCKET_DATA || e == WEBSOCKET_PING);
    }
    return e;
}

#define FEED(text, step, out) feed(text, sizeof(text) - 1, step, out)

TEST(examples_of_the_rfc) {
    static const char hello[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    for (size_t step = 1; step <= sizeof hello; step++) {
        CLEAN_BUF struct buf out = {0};
        assert_int_equal(FEED(hello, step, &out), WEBSOCKET_MORE);
        assert_string_equal(buf_cstr(&out), "Hello");
    }
    /* In two fragments, with a ping in between. */
    static const char parts[] = "\x01\x83\0\0\0\0Hel"
                                "\x89\x82\0\0\0\0hi"
                                "\x80\x82\0\0\0\0lo";
    CLEAN_BUF struct buf out = {0};
    assert_int_equal(FEED(parts, sizeof parts, &out), WEBSOCKET_MORE);
    assert_memory_equal(out.data, "Hel<ping hi>", 12);
}

TEST(lengths) {
    for (size_t n = 0; n <= 400; n += n < 124 ? 62 : 1) {
        unsigned char frame[512] = {0x82};
        size_t head = n < 126 ? 6 : 8;
        frame[1] = (unsigned char)(0x80 | (n < 126 ? n : 126));
        if (n >= 126) {
            frame[2] = (unsigned char)(n >> 8);
            frame[3] = (unsigned char)n;
        }
        for (size_t i = 0; i < n; i++)
            frame[head + i] = 'x';
        CLEAN_BUF struct buf out = {0};
        assert_int_equal(feed(frame, head + n, 100, &out), WEBSOCKET_MORE);
        assert_int_equal(out.len, n);
    }
    unsigned char h[WEBSOCKET_HEAD_MAX];
    assert_int_equal(websocket_head(h, WEBSOCKET_BINARY, 5), 2);
    assert_memory_equal(h, "\x82\x05", 2);
    assert_int_equal(websocket_head(h, WEBSOCKET_TEXT, 126), 4);
    assert_memory_equal(h, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(websocket_head(h, WEBSOCKET_BINARY, 65536), 10);
    assert_memory_equal(h, "\x82\x7f\0\0\0\0\0\x01\0\0", 10);
}

TEST(what_breaks_a_rule) {
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
#define BYTES(text) {text, sizeof(text) - 1}
        BYTES("\x81\x01H"),
        BYTES("\x81\x05Hello"),                      /* not masked */
        BYTES("\xc1\x80\0\0\0\0"),                   /* a reserved bit */
        BYTES("\x83\x80\0\0\0\0"),                   /* a reserved opcode */
        BYTES("\x8b\x80\0\0\0\0"),                   /* one of control */
        BYTES("\x80\x80\0\0\0\0"),                   /* goes on with nothing */
        BYTES("\x01\x80\0\0\0\0\x81\x80\0\0\0\0"),   /* begins within a message */
        BYTES("\x09\x80\0\0\0\0"),                   /* a ping in pieces */
        BYTES("\x89\xfe\x00\x7e\0\0\0\0"),           /* a ping of 126 bytes */
        BYTES("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0"), /* 2^63 bytes */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEAN_BUF struct buf out = {0};
        assert_int_equal(feed(bad[i].bytes, bad[i].n, 3, &out), WEBSOCKET_BAD);
    }
    CLEAN_BUF struct buf out = {0};
    assert_int_equal(FEED("\x88\x82\0\0\0\0\x03\xe8", 4, &out), WEBSOCKET_CLOSE);
    assert_int_equal(FEED("\x8a\x81\0\0\0\0x\x88\x80\0\0\0\0", 2, &out), WEBSOCKET_CLOSE);
}

TEST(the_handshake) {
    struct http_header headers[] = {
        {STR("Host"), STR("d:1")},
        {STR("Connection"), STR("keep-alive, Upgrade")},
        {STR("Upgrade"), STR("WebSocket")},
        {STR("Sec-WebSocket-Version"), STR("13")},
        {STR("Sec-WebSocket-Key"), STR("dGhlIHNhbXBsZSBub25jZQ==")},
        {STR("Origin"), STR("http://d:1")},
    };
    struct http_request r = {.headers = headers, .headers_n = ARRAY_LEN(headers), .minor = 1};
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    assert_ok(websocket_check(&r, accept));
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    headers[5].value = STR("https://elsewhere");
    assert_err(websocket_check(&r, accept), ERR_FORBIDDEN);
    headers[5].value = STR_NONE;
    headers[4].value = STR("dGhlIHNhbXBsZSBub25jZQ=");
    assert_err(websocket_check(&r, accept), ERR_INVALID);
    headers[3].value = STR("8");
    assert_err(websocket_check(&r, accept), ERR_INVALID);
    headers[2].value = STR("tcp");
    assert_err(websocket_check(&r, accept), ERR_INVALID);
}
