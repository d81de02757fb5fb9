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

void digest_of(struct str s, struct digest *ret) {
    sha256_of(s, ret->bytes);
}
