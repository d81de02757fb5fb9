/* err.h - the one error type.
 *
 * `struct err` is one pointer: NULL means success, so a success costs nothing. The *type* is
 * nodiscard: a function that returns it cannot be called without looking. Nothing is allocated on
 * success. What a caller is expected to handle is not an error: lookups return NULL, byte movers
 * return -errno. Either log an err or return it, never both.
 *
 * Messages grow outward: the innermost layer says what failed, each caller may put its words in
 * front ("start container 'web': mount rootfs: No space left on device").
 *
 * Ownership: whoever receives a failed err must return it, free it with err_free(), or print it
 * with a function that documents that it consumes it. Never use an err after passing it on.
 * Thread: any; an err may be created on a pool thread and consumed on the loop.
 */
#pragma once
#include "base/attr.h"

/* Kinds. api/ maps them to HTTP status in one file; cli/ to exit codes. */
enum err_kind {
    ERR_OK = 0,       /* only returned by err_kind() for success */
    ERR_INVALID,      /* 400: the caller's input is wrong */
    ERR_NOT_FOUND,    /* 404 */
    ERR_CONFLICT,     /* 409 */
    ERR_FORBIDDEN,    /* 403 */
    ERR_UNAUTHORIZED, /* 401 */
    ERR_NOT_MODIFIED, /* 304: already in the wanted state */
    ERR_UNAVAILABLE,  /* 503 */
    ERR_UNSUPPORTED,  /* 501: named feature that is not supported (by us or by this kernel) */
    ERR_CANCELLED,    /* client went away */
    ERR_TIMEOUT,      /* 504 */
    ERR_SYSTEM,       /* 500: the world failed (errno kept) */
    ERR_KIND_COUNT
};

struct err_info;
struct [[nodiscard]] err {
    struct err_info *info;
};

/* Success. */
#define OK ((struct err){NULL})

static inline bool err_failed(struct err e) {
    return __builtin_expect(e.info != NULL, 0);
}

/* New error without errno. The message must name what and why. Never returns success. */
struct err err_new(enum err_kind kind, const char *fmt, ...) PRINTF(2, 3);
/* New ERR_SYSTEM error from errno value `errnum` (positive or negative); ": strerror" is appended.
 */
struct err err_errno(int errnum, const char *fmt, ...) PRINTF(2, 3);
/* As err_errno, but with an explicit kind (e.g. ERR_NOT_FOUND for ENOENT). */
struct err err_kind_errno(enum err_kind kind, int errnum, const char *fmt, ...) PRINTF(3, 4);
/* An error that another process described: kind, errno and message as they were. Bytes that would
 * end the text early are cut; kind ERR_OK or unknown becomes ERR_SYSTEM. */
struct err err_restore(enum err_kind kind, int errnum, const char *msg, size_t msg_len);
/* Puts "words: " in front of the message of e. Success passes through untouched. */
struct err err_wrap(struct err e, const char *fmt, ...) PRINTF(2, 3);
/* Changes the kind of e (success passes through). */
struct err err_as(struct err e, enum err_kind kind);

enum err_kind err_kind(struct err e);     /* ERR_OK for success */
int err_errnum(struct err e);             /* 0 when none is known */
const char *err_msg(struct err e);        /* "" for success; valid until e is freed */
const char *err_kind_name(enum err_kind); /* "invalid", "not-found", …; stable, used on wires */
enum err_kind err_kind_from_name(const char *name); /* unknown or NULL: ERR_SYSTEM */

/* Frees e (success allowed). Returns OK so that `e = err_free(e)` leaves nothing behind. */
static inline struct err err_ok(void) {
    return OK;
}
void err_free(struct err e);
/* Cleanup attribute target for a local `CLEAN_ERR struct err e`. */
void err_clean(struct err *e);
#define CLEAN_ERR OWN(err_clean)

/* Deliberately ignore a failure (cleanup paths only; give the reason in a comment). */
static inline void err_ignore(struct err e) {
    err_free(e);
}

/* Returns from the enclosing function when expr failed. */
#define TRY(expr)                   \
    do {                            \
        struct err try_e_ = (expr); \
        if (err_failed(try_e_))     \
            return try_e_;          \
    } while (0)
/* As TRY, with words put in front: TRYF(file_read(...), "read config '%s'", path). */
#define TRYF(expr, ...)                           \
    do {                                          \
        struct err try_e_ = (expr);               \
        if (err_failed(try_e_))                   \
            return err_wrap(try_e_, __VA_ARGS__); \
    } while (0)
