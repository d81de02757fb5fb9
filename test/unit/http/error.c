#include "test.h"

#include "base/mem.h"
#include "http/http.h"

/* Every kind has the status that the peer gives for it; none is forgotten. */
TEST(every_kind_has_its_status) {
    static const int statuses[ERR_KIND_COUNT] = {
        [ERR_OK] = 200,           [ERR_INVALID] = 400,     [ERR_NOT_FOUND] = 404,
        [ERR_CONFLICT] = 409,     [ERR_FORBIDDEN] = 403,   [ERR_UNAUTHORIZED] = 401,
        [ERR_NOT_MODIFIED] = 304, [ERR_UNAVAILABLE] = 503, [ERR_UNSUPPORTED] = 501,
        [ERR_CANCELLED] = 499,    [ERR_TIMEOUT] = 504,     [ERR_SYSTEM] = 500,
    };
    for (int k = 0; k < ERR_KIND_COUNT; k++)
        assert_int_equal(http_error_status((enum err_kind)k), statuses[k]);
}

TEST(a_message_cannot_break_the_answer) {
    CLEAN_BUF struct buf out = {0};
    http_error_answer(&out, 404, "no \"x\"\r\nSet-Cookie: a\x1b[31m");
    buf_addc(&out, '\0');
    assert_non_null(strstr(out.data, "HTTP/1.1 404 Not Found\r\n"));
    assert_non_null(strstr(out.data, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(out.data, "Connection: close\r\n"));
    assert_null(strstr(out.data, "\r\nSet-Cookie"));
    assert_non_null(
        strstr(out.data, "\r\n\r\n{\"message\":\"no \\\"x\\\"\\r\\nSet-Cookie: a\\u001b[31m\"}\n"));
}
