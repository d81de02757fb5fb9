#include "base/sha256.h"
#include "base/mem.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
    EVP_MD_CTX *ctx;
};

/* OpenSSL fails here only for want of memory or a broken provider; neither is the world's fault. */
static void must(int ok) {
    if (ok != 1) {
        assert(!"OpenSSL cannot compute SHA-256");
        __builtin_trap();
    }
}

struct sha256 *sha256_new(void) {
    struct sha256 *h = NEW(struct sha256);
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL);
    must(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
    return h;
}

void sha256_free(struct sha256 *h) {
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void sha256_clean(struct sha256 **h) {
    sha256_free(*h);
    *h = NULL;
}

void sha256_add(struct sha256 *h, const void *p, size_t n) {
    if (n)
        must(EVP_DigestUpdate(h->ctx, p, n));
}

void sha256_end(struct sha256 *h, unsigned char out[SHA256_SIZE]) {
    must(EVP_DigestFinal_ex(h->ctx, out, NULL));
    must(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL)); /* ready for the next message */
}

void sha256_of(struct str s, unsigned char out[SHA256_SIZE]) {
    static const char nothing[1];
    must(EVP_Digest(s.len ? s.p : nothing, s.len, out, NULL, EVP_sha256(), NULL));
}

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

void digest_of(struct str s, struct digest *ret) {
    sha256_of(s, ret->bytes);
}
