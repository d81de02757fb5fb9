/* The one place where error kinds become HTTP status codes. */
#include "api/call.h"

int api_status(enum err_kind kind) {
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
