/* The refusal that a client gets whose socket was given away: written by the daemon when no worker
 * can be started, and by the worker. */
#include "base/json.h"
#include "container/private.h"
#include "http/http.h"

static int status_of(enum err_kind kind) {
    switch (kind) {
    case ERR_INVALID:
        return 400;
    case ERR_FORBIDDEN:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_UNAVAILABLE:
        return 503;
    default:
        return 500;
    }
}

void container_files_error(struct err e, struct buf *out) {
    CLEAN_BUF struct buf body = {0};
    struct json_out o = {.out = &body};
    jo_obj(&o);
    jo_kstr(&o, "message", err_msg(e));
    jo_obj_end(&o);
    buf_addc(&body, '\n');
    http_plain_answer(out, status_of(err_kind(e)), "application/json", buf_str(&body));
}
