/* webhook: a token for each container that lets its bearer start the container's update, and
 * nothing else. The token is compared in constant time; a container takes HOOK_CALLS calls
 * with its token a minute, the daemon HOOK_WRONG wrong ones. An unknown container and a wrong token
 * look the same.
 */
#include "base/random.h"
#include "base/sha256.h"
#include "container/private.h"
#include <stdlib.h>

#define HOOK_CALLS 10
#define HOOK_WRONG 60
#define MINUTE (60 * NSEC_PER_SEC)
#define HMAC_BLOCK 64

/* --- rates ------------------------------------------------------------------------------------ */

static bool too_many(struct container_rate *r, unsigned most) {
    int64_t now = time_monotonic();
    if (now - r->begun > MINUTE || r->begun == 0)
        *r = (struct container_rate){.begun = now};
    return r->n++ >= most;
}

/* --- secrets ---------------------------------------------------------------------------------- */

/* The time does not tell how much of them is equal. */
static bool equal(const void *a, const void *b, size_t n) {
    const volatile unsigned char *x = a, *y = b;
    unsigned char differ = 0;
    for (size_t i = 0; i < n; i++)
        differ |= x[i] ^ y[i];
    return differ == 0;
}

/* HMAC-SHA256 (RFC 2104) with the token's text, which is as long as a block. */
static void sign(const char *token, struct str body, unsigned char out[SHA256_SIZE]) {
    unsigned char inner[HMAC_BLOCK], outer[HMAC_BLOCK];
    for (size_t i = 0; i < HMAC_BLOCK; i++) {
        inner[i] = (unsigned char)token[i] ^ 0x36;
        outer[i] = (unsigned char)token[i] ^ 0x5c;
    }
    struct sha256 *h = sha256_new();
    sha256_add(h, inner, sizeof inner);
    sha256_add(h, body.p, body.len);
    sha256_end(h, out);
    sha256_free(h);
    h = sha256_new();
    sha256_add(h, outer, sizeof outer);
    sha256_add(h, out, SHA256_SIZE);
    sha256_end(h, out);
    sha256_free(h);
}

static bool signed_by(const char *token, const struct container_hook *k) {
    unsigned char wanted[SHA256_SIZE];
    CLEAN_BUF struct buf hex = {0};
    if (k->signature.len != 7 + 2 * SHA256_SIZE || !str_starts(k->signature, STR("sha256=")))
        return false;
    sign(token, k->body, wanted);
    buf_add_hex(&hex, wanted, sizeof wanted);
    return equal(hex.data, k->signature.p + 7, hex.len);
}

/* --- the verbs -------------------------------------------------------------------------------- */

struct hook_job {
    container_done *done;
    void *arg;
};

static void recorded(void *arg, struct err e) {
    struct hook_job *j = arg;
    j->done(j->arg, e);
    free(j);
}

void container_hook_set(struct container *c, bool on, container_done *done, void *arg) {
    struct hook_job *j = NEW(struct hook_job);
    struct store_txn *t = store_txn_new();
    *j = (struct hook_job){done, arg};
    c->hook[0] = '\0';
    if (on)
        random_id(c->hook);
    container_record_state(c, t);
    store_commit(c->all->config.store, t, STORE_DURABLE, recorded, j);
}

enum container_hook_answer container_hook_check(struct containers *cs, const char *ref,
                                                const struct container_hook *k,
                                                struct container **ret) {
    static const char nobody[65] =
        "0000000000000000000000000000000000000000000000000000000000000000";
    struct container *c = NULL;
    struct err e = container_find(cs, ref, &c);
    err_ignore(e); /* looks like a wrong token */
    bool known = c && c->hook[0];
    const char *token = known ? c->hook : nobody;
    bool right = k->signature.len ? signed_by(token, k)
                                  : k->token.len == 64 && equal(k->token.p, token, 64);
    if (known && right) {
        /* Only who has the token uses its calls up: others would learn which containers there are,
         * and could keep its bearer out. */
        if (too_many(&c->hook_calls, HOOK_CALLS))
            return HOOK_TOO_MANY;
        *ret = c;
        return HOOK_RIGHT;
    }
    return too_many(&cs->hook_wrong, HOOK_WRONG) ? HOOK_TOO_MANY : HOOK_WRONG_TOKEN;
}
