#include "test.h"

#include "base/mem.h"
#include "http/chunk.h"
#include "http/parse.h"

/* Verdict on raw bytes: 0 accepted, 1 needs more, else the status. */
static int verdict(struct str raw, size_t step, struct http_head *ret, struct arena *arena,
                   size_t *ret_len) {
    struct http_scan scan = {0};
    for (size_t n = MIN(step, raw.len);; n = MIN(n + step, raw.len)) {
        ssize_t rc = http_scan(&scan, str_n(raw.p, n));
        if (rc < 0)
            return (int)-rc;
        if (rc > 0) {
            *ret_len = (size_t)rc;
            return http_request_parse(str_n(raw.p, (size_t)rc), arena, ret);
        }
        if (n == raw.len)
            return 1;
    }
}

static int judge(struct str raw) {
    CLEAN_ARENA struct arena arena = {0};
    struct http_head h = {0};
    size_t len = 0;
    int whole = verdict(raw, raw.len, &h, &arena, &len);
    for (size_t step = 1; step < 8; step++) {
        struct http_head h2 = {0};
        size_t len2 = 0;
        assert_int_equal(verdict(raw, step, &h2, &arena, &len2), whole);
        assert_int_equal(len, len2);
        assert_int_equal(h.headers_n, h2.headers_n);
    }
    return whole;
}

#define HOST "Host: x\r\n"
/* The strictness table of reference/http.md, Q4, and what a peer's library refuses. */
static const struct {
    int want;
    struct str raw;
} table[] = {
    {0, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
    {0, STR("GET / HTTP/1.1\r\nHost:x\r\n\r\n")},
    {0, STR("GET / HTTP/1.1\r\nHost: \t x \t\r\n\r\n")},
    {0, STR("GET / HTTP/1.1\r\nHost:\r\n\r\n")},
    {0, STR("GET / HTTP/1.1\r\nHost: [::1]:2375\r\n\r\n")},
    {0, STR("GET / HTTP/1.0\r\n\r\n")},
    {0, STR("GET / HTTP/1.9\r\n" HOST "\r\n")},
    {0, STR("BREW /pot?a={\"b\":1} HTTP/1.1\r\n" HOST "X-A: \xc3\xa9\r\n\r\n")},
    {0, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n")},
    {0, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 000000000000000012\r\n\r\n")},
    {0, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n")},
    {0, STR("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n")},
    {1, STR("GET / HTTP/1.1\r\nHost: x\r\n")},
    {1, STR("GET / HTTP/1.1\r\nHost: x\r\n\r")},
    {1, STR("GE")},
    /* length and coding */
    {400,
     STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {400,
     STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3 3\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n")},
    {501, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n")},
    {501, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n")},
    {501, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n")},
    {501, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n")},
    {400, STR("POST / HTTP/1.1\r\n" HOST
              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {400, STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {417, STR("POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n")},
    {417, STR("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n")},
    /* lines and bytes */
    {400, STR("GET / HTTP/1.1\r\nHost : x\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "A: b\r\n folded\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "A: b\r\n\tfolded\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n folded: x\r\n" HOST "\r\n")},
    {400, STR("GET / HTTP/1.1\nHost: x\n\n")},
    {400, STR("GET / HTTP/1.1\r\nHost: x\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\nHost: x\r\n\n")},
    {400, STR("GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "A\x01: b\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "A\x7f: b\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "A\xc3: b\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\n" HOST "no-colon\r\n\r\n")},
    {400, STR("\r\nGET / HTTP/1.1\r\n" HOST "\r\n")},
    {400, STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
    /* Host */
    {400, STR("GET / HTTP/1.1\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n")},
    {400, STR("GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")},
    {400, STR("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n")},
    /* request line */
    {400, STR("GET  / HTTP/1.1\r\n" HOST "\r\n")},
    {400, STR("GET /  HTTP/1.1\r\n" HOST "\r\n")},
    {400, STR("GET / HTTP/1.1 \r\n" HOST "\r\n")},
    {400, STR("GET /a b HTTP/1.1\r\n" HOST "\r\n")},
    {400, STR("GET\t/ HTTP/1.1\r\n" HOST "\r\n")},
    {400, STR("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n")},
    {400, STR("G@T / HTTP/1.1\r\n" HOST "\r\n")},
    {400, STR("GET / http/1.1\r\n" HOST "\r\n")},
    {400, STR("GET / HTTP/1.10\r\n" HOST "\r\n")},
    {400, STR("GET / HTTP/11\r\n" HOST "\r\n")},
    {400, STR("GET /\r\n" HOST "\r\n")},
    {400, STR("GET\r\n\r\n")},
    {400, STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST "\r\n")},
    {505, STR("GET / HTTP/2.0\r\n" HOST "\r\n")},
    {505, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
};

TEST(strictness_table_whole_and_in_pieces) {
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int got = judge(table[i].raw);
        if (got != table[i].want)
            fail_msg("case %zu: want %d, got %d: %.*s", i, table[i].want, got,
                     STR_ARG(table[i].raw));
    }
}

static int parse(struct str raw, struct http_head *ret, struct arena *arena) {
    size_t len;
    return verdict(raw, raw.len, ret, arena, &len);
}

TEST(fields_and_connection_tokens) {
    CLEAN_ARENA struct arena arena = {0};
    struct http_head h;
    assert_int_equal(parse(STR("POST /x HTTP/1.1\r\nHost: x\r\nconnection: keep-alive,\tUpgrade\r\n"
                               "UPGRADE: tcp\r\nContent-Length: 42\r\nA: 1\r\na: 2\r\n\r\n"),
                           &h, &arena),
                     0);
    assert_true(h.upgrade && h.keep_alive && !h.close);
    assert_true(str_eqz(http_head_get(&h, "a"), "1"));
    assert_null(http_head_get(&h, "b").p);
    assert_int_equal(h.content_length, 42);
    assert_int_equal(parse(STR("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: x\r\n"
                               "Connection: close\r\n\r\n"),
                           &h, &arena),
                     0);
    assert_true(!h.upgrade && h.close);
}

TEST(too_many_fields_and_too_long_heads) {
    CLEAN_BUF struct buf b = {0};
    buf_adds(&b, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (unsigned i = 1; i < HTTP_FIELDS_MAX; i++)
        buf_adds(&b, "A: b\r\n");
    size_t at = b.len;
    buf_adds(&b, "\r\n");
    assert_int_equal(judge(buf_str(&b)), 0);
    buf_truncate(&b, at);
    buf_adds(&b, "A: b\r\n\r\n");
    assert_int_equal(judge(buf_str(&b)), 431);
    buf_clear(&b);
    buf_adds(&b, "GET /?");
    while (b.len < HTTP_HEAD_MAX - 30)
        buf_addc(&b, 'a');
    at = b.len;
    buf_adds(&b, " HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(judge(buf_str(&b)), 0);
    buf_truncate(&b, at);
    buf_adds(&b, "aaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(judge(buf_str(&b)), 431);
}

static int target(const char *text, const char *want_path, const char *want_query) {
    CLEAN_ARENA struct arena arena = {0};
    struct str path, query;
    int rc = http_target_parse(str_of(text), &arena, &path, &query);
    if (rc == 0) {
        assert_true(str_eqz(path, want_path));
        assert_true(str_eqz(query, want_query));
    }
    return rc;
}

TEST(targets) {
    assert_int_equal(target("/", "/", ""), 0);
    assert_int_equal(
        target("/v1.41/containers/a%20b/json?x=1&y", "/v1.41/containers/a b/json", "x=1&y"), 0);
    assert_int_equal(target("/images/library%2Fx/json", "/images/library/x/json", ""), 0);
    assert_int_equal(target("http://docker/_ping?a", "/_ping", "a"), 0);
    assert_int_equal(target("/a..b/...", "/a..b/...", ""), 0);
    assert_int_equal(target("/a+b", "/a+b", ""), 0);
    const char *bad[] = {"*",       "x",         "http://docker", "http:///x", "/%",
                         "/%2",     "/%zz",      "/%00",          "/a/../b",   "/..",
                         "/%2e%2e", "/a/%2E./b", "/?a=%",         "/?a=%0",    "/?a=%00",
                         "/?a=%gg", "/?a;b",     "/%2f..",        "?a",        "example.org:80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (target(bad[i], "", "") != 400)
            fail_msg("accepted: %s", bad[i]);
}

TEST(query_parameters) {
    CLEAN_ARENA struct arena arena = {0};
    struct http_request r = {
        .arena = &arena,
        .query = STR("a=1&b=x+y%26z&a=2&c&=e&d=&t=True&f=FALSE&n=no&z=0&no=%6eone"
                     "&filters=%7B%22a%22%3A%7B%7D%7D&%66lag=%20&")};
    assert_string_equal(http_query(&r, "a"), "1");
    assert_string_equal(http_query_nth(&r, "a", 1), "2");
    assert_null(http_query_nth(&r, "a", 2));
    assert_string_equal(http_query(&r, "b"), "x y&z");
    assert_string_equal(http_query(&r, "c"), "");
    assert_string_equal(http_query(&r, ""), "e");
    assert_string_equal(http_query(&r, "d"), "");
    assert_string_equal(http_query(&r, "filters"), "{\"a\":{}}");
    assert_null(http_query(&r, "nope"));
    assert_null(http_query(&r, "filter"));
    assert_null(http_query(&r, "filterss"));
    assert_string_equal(http_query(&r, "flag"), " ");
    assert_true(http_query_bool(&r, "nope", true));
    assert_false(http_query_bool(&r, "nope", false));
    assert_true(http_query_bool(&r, "a", false));
    assert_true(http_query_bool(&r, "t", false));
    const char *no[] = {"c", "d", "f", "n", "z", "no", "flag"};
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(http_query_bool(&r, no[i], true));
    CLEAN_BUF struct buf b = {0};
    http_escape(&b, STR("a b/ü~&%"));
    assert_string_equal(buf_cstr(&b), "a%20b%2F%C3%BC~%26%25");
}

/* --- chunks ---------------------------------------------------------------------------------- */

/* Decodes raw in pieces of step bytes. Result of the last call; the body in out. */
static enum http_chunk_result unchunk(struct str raw, size_t step, struct buf *out,
                                      size_t *ret_used) {
    struct http_chunk c = {0};
    size_t at = 0;
    buf_clear(out);
    while (at < raw.len) {
        struct str in = str_sub(raw, at, at + step), data = STR_NONE;
        size_t used = 0;
        enum http_chunk_result r = http_chunk_next(&c, in, &used, &data);
        assert_true(used <= in.len && (r == HTTP_CHUNK_BAD || http_chunk_valid(&c)));
        at += used;
        *ret_used = at;
        if (r == HTTP_CHUNK_DATA) {
            assert_true(data.p >= in.p && data.p + data.len <= in.p + in.len);
            buf_add_str(out, data);
        } else if (r != HTTP_CHUNK_MORE) {
            return r;
        } else {
            assert_int_equal(used, in.len);
        }
    }
    return HTTP_CHUNK_MORE;
}

static const struct {
    enum http_chunk_result want;
    struct str raw, body;
} chunks[] = {
    {HTTP_CHUNK_END, STR("3\r\nabc\r\n0\r\n\r\nGET"), STR("abc")},
    {HTTP_CHUNK_END, STR("a\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n"), STR("0123456789x")},
    {HTTP_CHUNK_END, STR("3;ext=\"v\"\r\nabc\r\n0;x\r\nA-b: c\r\nD:\r\n\r\n"), STR("abc")},
    {HTTP_CHUNK_END, STR("0\r\n\r\n"), STR("")},
    {HTTP_CHUNK_MORE, STR("3\r\nab"), STR("ab")},
    {HTTP_CHUNK_MORE, STR("0\r\n"), STR("")},
    {HTTP_CHUNK_MORE, STR("7fffffff\r\nab"), STR("ab")},
    {HTTP_CHUNK_BAD, STR("3\nabc\r\n0\r\n\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("3 \r\nabc\r\n0\r\n\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR(" 3\r\nabc\r\n0\r\n\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("3;a\nb\r\nabc\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("3;a\x01\r\nabc\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("0x3\r\nabc\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR(";\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("-1\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("+1\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("10000000000000000\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("00000000000000003\r\nabc\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("3\r\nabcd\r\n"), STR("abc")},
    {HTTP_CHUNK_BAD, STR("3\r\nabc\n0\r\n\r\n"), STR("abc")},
    {HTTP_CHUNK_BAD, STR("0\r\n folded\r\n\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("0\r\nA b: c\r\n\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("0\r\nA\r\n\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("0\r\nA: b\n\r\n"), STR("")},
    {HTTP_CHUNK_BAD, STR("0\r\n\n"), STR("")},
};

TEST(chunks_whole_and_in_pieces) {
    CLEAN_BUF struct buf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        size_t first = 0;
        for (size_t step = 1; step <= chunks[i].raw.len; step++) {
            size_t used = 0;
            enum http_chunk_result r = unchunk(chunks[i].raw, step, &out, &used);
            if (step == 1)
                first = used;
            if (r != chunks[i].want || !str_eq(buf_str(&out), chunks[i].body) || used != first)
                fail_msg("case %zu, step %zu: %d, body '%s'", i, step, r, buf_cstr(&out));
        }
    }
}

TEST(chunk_lines_and_trailers_are_bounded) {
    CLEAN_BUF struct buf out = {0}, raw = {0};
    size_t used;
    buf_adds(&raw, "1;");
    for (unsigned i = 0; i < HTTP_CHUNK_LINE_MAX; i++)
        buf_addc(&raw, 'x');
    assert_int_equal(unchunk(buf_str(&raw), raw.len, &out, &used), HTTP_CHUNK_BAD);
    buf_clear(&raw);
    buf_adds(&raw, "0\r\n");
    for (unsigned i = 0; i <= HTTP_CHUNK_TRAILERS_MAX / 6; i++)
        buf_adds(&raw, "A: b\r\n");
    assert_int_equal(unchunk(buf_str(&raw), raw.len, &out, &used), HTTP_CHUNK_BAD);
    struct http_chunk bad = {.state = 200};
    assert_false(http_chunk_valid(&bad));
}

/* --- answers --------------------------------------------------------------------------------- */

static int answer(struct str raw, struct http_head *ret) {
    CLEAN_ARENA struct arena arena = {0};
    struct http_scan scan = {0};
    ssize_t n = http_scan(&scan, raw);
    return n <= 0 ? -1 : http_answer_parse(str_n(raw.p, (size_t)n), &arena, ret);
}

TEST(answers) {
    struct http_head h;
    assert_int_equal(answer(STR("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), &h), 0);
    assert_int_equal(h.status, 200);
    assert_int_equal(h.framing, HTTP_BODY_LENGTH);
    assert_int_equal(
        answer(STR("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"), &h), 0);
    assert_true(h.upgrade);
    assert_int_equal(answer(STR("HTTP/1.0 404 Not Found\r\n\r\n"), &h), 0);
    assert_int_equal(h.framing, HTTP_BODY_NONE);
    assert_int_equal(answer(STR("HTTP/1.1 200\r\n\r\n"), &h), 0);
    assert_int_equal(answer(STR("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"), &h), 0);
    const char *bad[] = {
        "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/1.1 2000 x\r\n\r\n",
        "HTTP/1.1 600 x\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\n\n",
        "220 ftp ready\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (answer(str_of(bad[i]), &h) == 0)
            fail_msg("accepted: %s", bad[i]);
}
