/* error.c - an error as the client sees it: the one place where kinds become statuses. */
#include "base/json.h"
#include "http/http.h"

int http_error_status(enum err_kind kind) {
    switch (kind) {
    case ERR_OK:
        return 200;
    case ERR_INVALID:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_FORBIDDEN:
        return 403;
    case ERR_UNAUTHORIZED:
        return 401;
    case ERR_NOT_MODIFIED:
        return 304;
    case ERR_UNAVAILABLE:
        return 503;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_CANCELLED:
        return 499;
    case ERR_TIMEOUT:
        return 504;
    case ERR_SYSTEM:
    case ERR_KIND_COUNT:
        break;
    }
    return 500;
}

void http_error_body(struct buf *out, const char *message) {
    struct json_out o = {.out = out};
    jo_obj(&o);
    jo_kstr(&o, "message", message);
    jo_obj_end(&o);
    buf_addc(out, '\n');
}

void http_error_answer(struct buf *out, int status, const char *message) {
    CLEAN_BUF struct buf body = {0};
    http_error_body(&body, message);
    http_plain_answer(out, status, "application/json", buf_str(&body));
}
