/* The handshake. Apart from the frames, because it needs OpenSSL's SHA-1 and corten-worker does
 * not. */
#include "http/websocket.h"
#include <openssl/evp.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */
#define KEY_LEN 24                                  /* 16 bytes as base64 */

static bool has_word(struct str list, const char *word) {
    struct str part;
    while (str_next(&list, ',', &part))
        if (str_eq_nocase(str_trim(part), str_of(word)))
            return true;
    return false;
}

static bool is_key(struct str key) {
    if (key.len != KEY_LEN || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        unsigned char c = (unsigned char)key.p[i];
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && c != '+' &&
            c != '/')
            return false;
    }
    return true;
}

static bool same_origin(const struct http_request *r) {
    struct str origin = http_header_get(r, "Origin"), host = http_header_get(r, "Host");
    if (origin.len == 0)
        return true; /* no browser */
    ssize_t at = str_find_str(origin, STR("://"));
    return at > 0 && str_eq_nocase(str_from(origin, (size_t)at + 3), host);
}

struct err websocket_check(const struct http_request *r,
                           char ret_accept[WEBSOCKET_ACCEPT_LEN + 1]) {
    struct str key = str_trim(http_header_get(r, "Sec-WebSocket-Key"));
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    CLEAN_BUF struct buf text = {0};
    if (r->minor < 1 || !has_word(http_header_get(r, "Connection"), "upgrade") ||
        !has_word(http_header_get(r, "Upgrade"), "websocket"))
        return err_new(ERR_INVALID, "not a request to upgrade to a WebSocket");
    if (!str_eqz(str_trim(http_header_get(r, "Sec-WebSocket-Version")), "13"))
        return err_new(ERR_INVALID, "WebSocket: only version 13 is spoken");
    if (!is_key(key))
        return err_new(ERR_INVALID, "WebSocket: the key is not 16 bytes in base64");
    if (!same_origin(r))
        return err_new(ERR_FORBIDDEN, "WebSocket: a page of another origin may not attach");
    buf_add_str(&text, key);
    buf_adds(&text, GUID);
    if (EVP_Digest(text.data, text.len, digest, &n, EVP_sha1(), NULL) != 1)
        return err_new(ERR_SYSTEM, "WebSocket: SHA-1 is not available");
    EVP_EncodeBlock((unsigned char *)ret_accept, digest, (int)n);
    return OK;
}
