/* sha256.h - SHA-256 by OpenSSL's EVP, and digest text ("sha256:<64 hex>"). Not linked into the
 * monitor or the runtime. */
#pragma once
#include "base/str.h"

#define SHA256_SIZE 32
#define DIGEST_TEXT_MAX 72 /* "sha256:" + 64 + NUL */

struct sha256; /* a running hash */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
void sha256_clean(struct sha256 **h);
void sha256_add(struct sha256 *h, const void *p, size_t n);
void sha256_end(struct sha256 *h,
                unsigned char out[SHA256_SIZE]); /* h may be freed or reset after */
void sha256_of(struct str s, unsigned char out[SHA256_SIZE]);

/* A digest in binary; text is parsed into bytes and never used as a path as it came. */
struct digest {
    unsigned char bytes[SHA256_SIZE];
};
/* Strict: "sha256:" + 64 lower-case hex. Other algorithms: ERR_UNSUPPORTED by name. */
struct err digest_parse(struct str text, struct digest *ret);
char *digest_text(const struct digest *d, char out[DIGEST_TEXT_MAX]); /* with "sha256:" */
char *digest_hex(const struct digest *d, char out[65]);
bool digest_eq(const struct digest *a, const struct digest *b);
void digest_of(struct str s, struct digest *ret);
