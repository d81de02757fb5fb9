/* digest.c - texts of digests; apart from sha256.c, because they need no OpenSSL. */
#include "base/sha256.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct err digest_parse(struct str text, struct digest *ret) {
    struct str algorithm, hex;
    struct digest d;
    int shown = (int)MIN(text.len, (size_t)128);
    if (!str_cut(text, ':', &algorithm, &hex) || algorithm.len == 0)
        return err_new(ERR_INVALID, "'%.*s' is not a digest", shown, text.p ? text.p : "");
    if (!str_eq(algorithm, STR("sha256")))
        return err_new(ERR_UNSUPPORTED, "digest algorithm '%.*s' is not supported",
                       (int)MIN(algorithm.len, (size_t)32), algorithm.p);
    if (hex.len != 2 * SHA256_SIZE)
        return err_new(ERR_INVALID, "digest '%.*s' does not have 64 digits", shown, text.p);
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = hex_value(hex.p[2 * i]), low = hex_value(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return err_new(ERR_INVALID, "digest '%.*s' is not lower-case hex", shown, text.p);
        d.bytes[i] = (unsigned char)(high << 4 | low);
    }
    *ret = d;
    return OK;
}

char *digest_hex(const struct digest *d, char out[65]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = digits[d->bytes[i] >> 4];
        out[2 * i + 1] = digits[d->bytes[i] & 15];
    }
    out[2 * SHA256_SIZE] = '\0';
    return out;
}

char *digest_text(const struct digest *d, char out[DIGEST_TEXT_MAX]) {
    memcpy(out, "sha256:", 7);
    digest_hex(d, out + 7);
    return out;
}

bool digest_eq(const struct digest *a, const struct digest *b) {
    return memcmp(a->bytes, b->bytes, SHA256_SIZE) == 0;
}
