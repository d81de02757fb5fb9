#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const char *digits, struct str s, struct buf *out) {
    for (size_t i = 0; i < s.len; i += 3) {
        uint32_t v = 0;
        size_t n = MIN(s.len - i, (size_t)3);
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_addc(out, k <= n ? digits[v >> (18 - 6 * k) & 63] : '=');
    }
}

void base64_encode(struct str s, struct buf *out) {
    encode(alphabet, s, out);
}

void base64url_encode(struct str s, struct buf *out) {
    encode(url_alphabet, s, out);
}

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

struct err base64_decode(struct str s, struct buf *out) {
    uint32_t v = 0;
    unsigned bits = 0;
    while (s.len > 0 && s.p[s.len - 1] == '=')
        s.len--;
    for (size_t i = 0; i < s.len; i++) {
        int d = digit_of(s.p[i]);
        if (d < 0)
            return err_new(ERR_INVALID, "not base64");
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_addc(out, (char)(v >> bits & 0xff));
        }
    }
    return bits < 6 ? OK : err_new(ERR_INVALID, "not base64");
}
