#include "http/parse.h"

#include <errno.h>

enum scan_state { FIRST_LINE, IN_LINE, LINE_LF, LINE_START, END_LF };

bool http_text_byte(unsigned char c) {
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

bool http_token_byte(unsigned char c) {
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

ssize_t http_scan(struct http_scan *s, struct str in) {
    while (s->pos < in.len) {
        unsigned char c = (unsigned char)in.p[s->pos++];
        switch (s->state) {
        case FIRST_LINE: /* an empty line before the request is not skipped */
            if (!http_token_byte(c))
                return -400;
            s->state = IN_LINE;
            break;
        case LINE_START:
            if (c == '\r')
                s->state = END_LF;
            else if (http_token_byte(c)) /* no folded lines, no empty names */
                s->state = IN_LINE;
            else
                return -400;
            break;
        case IN_LINE:
            if (c == '\r')
                s->state = LINE_LF;
            else if (!http_text_byte(c))
                return -400;
            break;
        case LINE_LF:
            if (c != '\n')
                return -400;
            s->state = LINE_START;
            break;
        default: /* END_LF */
            return c == '\n' ? (ssize_t)s->pos : -400;
        }
        if (s->pos >= HTTP_HEAD_MAX)
            return -431;
    }
    return 0;
}

/* Takes the line up to CRLF off the front of rest. */
static struct str next_line(struct str *rest) {
    ssize_t cr = str_find(*rest, '\r');
    size_t n = cr < 0 ? rest->len : (size_t)cr;
    struct str line = str_sub(*rest, 0, n);
    *rest = str_from(*rest, MIN(n + 2, rest->len));
    return line;
}

static struct str trim_blanks(struct str s) {
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_from(s, 1);
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool is_token(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!http_token_byte((unsigned char)s.p[i]))
            return false;
    return s.len > 0;
}

static int parse_fields(struct str rest, struct arena *arena, struct http_head *h) {
    size_t lines = 0;
    for (size_t i = 0; i < rest.len; i++)
        lines += rest.p[i] == '\n';
    if (lines > HTTP_FIELDS_MAX + 1) /* the empty line too */
        return 431;
    h->headers = arena_array(arena, MAX(lines, (size_t)1), sizeof(h->headers[0]));
    for (;;) {
        struct str line = next_line(&rest), name, value;
        if (line.len == 0)
            return 0;
        if (!str_cut(line, ':', &name, &value) || !is_token(name))
            return 400;
        h->headers[h->headers_n++] = (struct http_header){name, trim_blanks(value)};
    }
}

struct str http_head_get(const struct http_head *h, const char *name) {
    for (size_t i = 0; i < h->headers_n; i++)
        if (str_eq_nocase(h->headers[i].name, str_of(name)))
            return h->headers[i].value;
    return STR_NONE;
}

static size_t count_fields(const struct http_head *h, const char *name) {
    size_t n = 0;
    for (size_t i = 0; i < h->headers_n; i++)
        n += str_eq_nocase(h->headers[i].name, str_of(name));
    return n;
}

/* Is token in one of the comma-separated lists of that name? */
static bool has_token(const struct http_head *h, const char *name, const char *token) {
    for (size_t i = 0; i < h->headers_n; i++) {
        if (!str_eq_nocase(h->headers[i].name, str_of(name)))
            continue;
        struct str rest = h->headers[i].value, item;
        while (str_next(&rest, ',', &item))
            if (str_eq_nocase(trim_blanks(item), str_of(token)))
                return true;
    }
    return false;
}

static bool parse_length(struct str s, uint64_t *ret) {
    uint64_t v = 0;
    if (s.len == 0 || s.len > 18) /* below 2^60 */
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *ret = v;
    return true;
}

/* Exactly one Content-Length or exactly `chunked` (RFC 9112, 6.3; never both, never twice). */
static int parse_framing(struct http_head *h) {
    size_t lengths = count_fields(h, "content-length");
    size_t codings = count_fields(h, "transfer-encoding");
    if (lengths + codings > 1 || (codings && h->minor == 0))
        return 400;
    if (lengths) {
        if (!parse_length(http_head_get(h, "content-length"), &h->content_length))
            return 400;
        h->framing = HTTP_BODY_LENGTH;
    } else if (codings) {
        if (!str_eq_nocase(http_head_get(h, "transfer-encoding"), STR("chunked")))
            return 501;
        h->framing = HTTP_BODY_CHUNKED;
    }
    return 0;
}

static int parse_version(struct str s, int *ret_minor) {
    if (s.len != 8 || !str_starts(s, STR("HTTP/")) || s.p[6] != '.' || s.p[5] < '0' ||
        s.p[5] > '9' || s.p[7] < '0' || s.p[7] > '9')
        return 400;
    if (s.p[5] != '1')
        return 505;
    *ret_minor = s.p[7] == '0' ? 0 : 1;
    return 0;
}

/* As the peer's own library judges Host: visible, none of the bytes that end an authority. */
static bool host_ok(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"#<>?@\\^`{|}", c))
            return false;
    }
    return true;
}

static int parse_request_line(struct str line, struct http_head *h) {
    struct str rest, version;
    if (!str_cut(line, ' ', &h->method, &rest) || !str_cut(rest, ' ', &h->target, &version))
        return 400;
    if (!is_token(h->method) || h->method.len > HTTP_METHOD_MAX || h->target.len == 0)
        return 400;
    for (size_t i = 0; i < h->target.len; i++)
        if ((unsigned char)h->target.p[i] <= 0x20 || (unsigned char)h->target.p[i] >= 0x7f)
            return 400;
    return parse_version(version, &h->minor);
}

int http_request_parse(struct str head, struct arena *arena, struct http_head *ret) {
    struct http_head h = {0};
    int rc = parse_request_line(next_line(&head), &h);
    if (rc == 0)
        rc = parse_fields(head, arena, &h);
    if (rc == 0)
        rc = parse_framing(&h);
    if (rc)
        return rc;
    size_t hosts = count_fields(&h, "host");
    if (hosts > 1 || (hosts == 0 && h.minor >= 1) || !host_ok(http_head_get(&h, "host")))
        return 400;
    h.close = has_token(&h, "connection", "close");
    h.keep_alive = has_token(&h, "connection", "keep-alive");
    h.upgrade = has_token(&h, "connection", "upgrade") && has_token(&h, "upgrade", "tcp");
    if (h.minor >= 1 && count_fields(&h, "expect") > 0) {
        if (count_fields(&h, "expect") > 1 ||
            !str_eq_nocase(http_head_get(&h, "expect"), STR("100-continue")))
            return 417;
        h.expect_continue = true;
    }
    *ret = h;
    return 0;
}

int http_answer_parse(struct str head, struct arena *arena, struct http_head *ret) {
    struct http_head h = {0};
    struct str line = next_line(&head), version, rest;
    str_cut(line, ' ', &version, &rest);
    if (parse_version(version, &h.minor) != 0 || rest.len < 3 || (rest.len > 3 && rest.p[3] != ' '))
        return -EPROTO;
    for (int i = 0; i < 3; i++) {
        if (rest.p[i] < '0' || rest.p[i] > '9')
            return -EPROTO;
        h.status = h.status * 10 + (rest.p[i] - '0');
    }
    if (h.status < 100 || h.status > 599 || parse_fields(head, arena, &h) != 0 ||
        parse_framing(&h) != 0)
        return -EPROTO;
    h.close = has_token(&h, "connection", "close");
    h.keep_alive = has_token(&h, "connection", "keep-alive");
    h.upgrade = has_token(&h, "connection", "upgrade") && has_token(&h, "upgrade", "tcp");
    *ret = h;
    return 0;
}
