#include "registry/upload.h"
#include "base/mem.h"
#include "registry/challenge.h"
#include "registry/registry.h"
#include "registry/upload_memory.h"
#include <stdatomic.h>
#include <stdlib.h>

static bool aborted(const struct upload *u) {
    return u->abort && atomic_load(u->abort);
}

static struct err blob_exists(struct registry *r, const char *digest, bool *ret) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE
    char *url = mem_printf("blobs/%s", digest);
    struct registry_call c = {.method = "HEAD", .url = url, .body_fd = -1, .redirects = true};
    TRY(registry_call(r, &c, &answer));
    *ret = answer.status == 200;
    /* 401 and 403: who may not read may still write; the upload will tell. */
    if (answer.status == 200 || answer.status == 404 || answer.status == 401 ||
        answer.status == 403)
        return OK;
    return registry_error(r, &answer, "look for a blob");
}

/* A mount needs a token that may read the other repository as well. false: there is none. */
static bool widen_token(struct registry *r, const char *from) {
    CLEAN_ARENA struct arena a = {0};
    struct challenge c;
    if (!r->challenge || r->credentials.bearer || (r->from_path && !strcmp(r->from_path, from)))
        return true;
    struct err e = challenge_parse(str_of(r->challenge), &a, &c);
    if (!err_failed(e) && c.scheme != CHALLENGE_BEARER)
        return true;
    CLEAN_FREE char *challenge = mem_strdup(r->challenge);
    free(r->from_path);
    r->from_path = mem_strdup(from);
    if (!err_failed(e))
        e = registry_authenticate(r, str_of(challenge));
    if (!err_failed(e))
        return true;
    err_ignore(e); /* then the blob is sent; with the old scope, at the next 401 */
    free(TAKE(r->from_path));
    return false;
}

/* POST: a mount when a source is known (*ret_mounted), else the place to upload to. */
static struct err begin_upload(struct registry *r, const char *digest, const char *from,
                               bool *ret_mounted, char **ret_location) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE
    char *url = from ? mem_printf("blobs/uploads/?mount=%s&from=%s", digest, from)
                     : mem_strdup("blobs/uploads/");
    struct registry_call c = {.method = "POST", .url = url, .body_fd = -1};
    TRY(registry_call(r, &c, &answer));
    *ret_mounted = answer.status == 201 && from;
    if (*ret_mounted)
        return OK;
    if (answer.status != 202 || !answer.location)
        return registry_error(r, &answer, "begin an upload");
    free(*ret_location);
    *ret_location = TAKE(answer.location);
    return OK;
}

/* An upload that a refused mount began instead, and that nobody wants. */
static void give_up_upload(struct registry *r, const char *location) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    struct registry_call c = {.method = "DELETE", .url = location, .body_fd = -1, .once = true};
    err_ignore(registry_call(r, &c, &answer)); /* the registry forgets it by itself, too */
}

struct err upload_find(struct registry *r, const struct digest *d, const char *from,
                       bool *ret_found, bool *ret_mounted) {
    CLEAN_FREE
    char *location = NULL;
    char digest[DIGEST_TEXT_MAX];
    digest_text(d, digest);
    *ret_mounted = false;
    if (!from)
        return blob_exists(r, digest, ret_found);
    *ret_found = false;
    if (!widen_token(r, from))
        return OK;
    TRY(begin_upload(r, digest, from, ret_mounted, &location));
    *ret_found = *ret_mounted;
    if (!*ret_mounted)
        give_up_upload(r, location);
    return OK;
}

/* --- sending --------------------------------------------------------------------------------- */
struct sending {
    struct registry *r;
    const struct upload *u;
    const char *digest;
    char *location;
    uint64_t at;    /* bytes that the registry has */
    uint64_t piece; /* largest body */
};

static struct err send_call(struct sending *s, const char *method, const char *url, uint64_t n,
                            struct registry_answer *answer) {
    struct registry_call c = {.method = method,
                              .url = url,
                              .body_fd = n > 0 ? s->u->fd : -1,
                              .body_from = s->at,
                              .body_size = n,
                              .sent = s->u->sent,
                              .abort = s->u->abort,
                              .once = n > 0,
                              .content_type = "application/octet-stream"};
    return registry_call(s->r, &c, answer);
}

static void take_location(struct sending *s, struct registry_answer *answer) {
    if (!answer->location)
        return;
    free(s->location);
    s->location = TAKE(answer->location);
    upload_remember(s->u->memory_fd, s->r, s->digest, s->location);
}

/* PUT with the digest; n bytes with it (0: all are there). */
static struct err put_whole(struct sending *s, uint64_t n, struct registry_answer *answer) {
    CLEAN_FREE
    char *url = mem_printf("%s%cdigest=%s", s->location, strchr(s->location, '?') ? '&' : '?',
                           s->digest);
    TRY(send_call(s, "PUT", url, n, answer));
    if (answer->status == 201)
        return OK;
    return registry_error(s->r, answer, "upload a blob");
}

static struct err patch_piece(struct sending *s, struct registry_answer *answer) {
    uint64_t n = MIN(s->piece, s->u->size - s->at);
    TRY(send_call(s, "PATCH", s->location, n, answer));
    if (answer->status != 202 && answer->status != 204)
        return registry_error(s->r, answer, "upload a blob");
    s->at += n;
    take_location(s, answer);
    return OK;
}

/* "0-<last>" → bytes there. */
static uint64_t range_end(const char *range, uint64_t max) {
    struct str first, last, text = str_of(range);
    uint64_t n = 0;
    if (str_starts(text, STR("bytes=")))
        text = str_from(text, 6);
    if (!str_cut(text, '-', &first, &last) || !str_eqz(first, "0"))
        return 0;
    err_ignore(str_to_u64(last, max - 1, &n)); /* nonsense: from the start */
    return n > 0 ? n + 1 : 0;
}

/* Asks how far the upload came; begins another when the registry does not know it any more. */
static struct err find_position(struct sending *s) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    struct registry_call c = {.method = "GET", .url = s->location, .body_fd = -1, .max = 65536};
    bool mounted;
    TRY(registry_call(s->r, &c, &answer));
    if (answer.status / 100 == 2) {
        s->at = range_end(answer.range, s->u->size);
        take_location(s, &answer);
        return OK;
    }
    s->at = 0;
    TRY(begin_upload(s->r, s->digest, NULL, &mounted, &s->location));
    upload_remember(s->u->memory_fd, s->r, s->digest, s->location);
    return OK;
}

static struct err send_rest(struct sending *s, struct registry_answer *answer) {
    if (s->at == 0 && s->u->size <= MIN(s->piece, (uint64_t)UPLOAD_WHOLE_MAX))
        return put_whole(s, s->u->size, answer);
    while (s->at < s->u->size) {
        registry_answer_done(answer);
        TRY(patch_piece(s, answer));
    }
    registry_answer_done(answer);
    return put_whole(s, 0, answer);
}

/* Is there another way after this failure? Prepares it. */
static struct err recover(struct sending *s, const struct registry_answer *answer, int attempt) {
    if (answer->status == 413)
        s->piece = s->piece > UPLOAD_PIECE_MIN * 2 ? s->piece / 4 : UPLOAD_PIECE_MIN;
    else
        registry_pause(attempt, answer);
    return find_position(s);
}

static struct err send_blob(struct sending *s) {
    uint64_t best = 0;
    for (int attempt = 0;; attempt++) {
        CLEAN_ANSWER struct registry_answer answer = {0};
        struct err e = send_rest(s, &answer);
        bool smaller = answer.status == 413 && s->piece > UPLOAD_PIECE_MIN;
        /* 416, 404: the registry's idea of the upload is another one. */
        bool lost = answer.status == 416 || answer.status == 404;
        if (!err_failed(e) || aborted(s->u) || attempt + 1 >= REGISTRY_ATTEMPTS ||
            !(smaller || lost || registry_again(answer.status ? OK : e, &answer)))
            return e;
        err_ignore(e); /* another attempt has its own */
        TRY(recover(s, &answer, attempt));
        if (smaller || s->at > best)
            attempt = -1; /* it moves */
        best = MAX(best, s->at);
    }
}

/* Small ones go in one piece: there is nothing to go on with. */
static struct err begin_or_resume(struct sending *s, const char *from, bool *ret_mounted) {
    bool large = s->u->size > UPLOAD_WHOLE_MAX;
    if (large)
        s->location = upload_recall(s->u->memory_fd, s->r, s->digest);
    if (s->location)
        return find_position(s);
    TRY(begin_upload(s->r, s->digest, from, ret_mounted, &s->location));
    if (large && !*ret_mounted)
        upload_remember(s->u->memory_fd, s->r, s->digest, s->location);
    return OK;
}

struct err upload_blob(struct registry *r, const struct upload *u, enum upload_how *ret_how) {
    char digest[DIGEST_TEXT_MAX];
    bool there, mounted = false;
    struct sending s = {
        .r = r, .u = u, .digest = digest_text(u->digest, digest), .piece = UINT64_MAX};
    const char *from = u->from && widen_token(r, u->from) ? u->from : NULL;
    TRY(blob_exists(r, digest, &there));
    struct err e = OK;
    if (!there)
        e = begin_or_resume(&s, from, &mounted);
    if (!err_failed(e) && !there && !mounted)
        e = send_blob(&s);
    if (!err_failed(e) && u->size > UPLOAD_WHOLE_MAX)
        upload_forget(u->memory_fd, r, digest);
    free(s.location);
    if (!err_failed(e))
        *ret_how = there ? UPLOAD_EXISTED : mounted ? UPLOAD_MOUNTED : UPLOAD_SENT;
    return e;
}
