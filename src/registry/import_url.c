#include "registry/import_url.h"
#include "base/mem.h"
#include "registry/authority.h"
#include <stdlib.h>

void import_url_done(struct import_url *u) {
    free(u->url);
    free(u->basic);
    *u = (struct import_url){0};
}

static int digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *p = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return p ? (int)(p - digits) : -1;
}

/* RFC 3986 section 2.1. */
static struct err decode(struct str s, struct buf *out) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '%') {
            int hi = s.len - i > 2 ? digit(s.p[i + 1]) : -1;
            int lo = hi >= 0 ? digit(s.p[i + 2]) : -1;
            c = lo >= 0 ? (char)(hi * 16 + lo) : '\0';
            i += 2;
            if ((unsigned char)c < ' ')
                return err_new(ERR_INVALID, "import: bad user name or password in the URL");
        }
        buf_addc(out, c);
    }
    return OK;
}

/* Takes "user:password@" out of the URL's authority. */
static struct err take_user(struct buf *url, struct buf *basic) {
    struct str s = buf_str(url);
    size_t begin = (size_t)str_find_str(s, STR("://")) + 3, end = begin;
    while (end < s.len && !strchr("/?#", s.p[end]))
        end++;
    ssize_t at = str_rfind(str_sub(s, begin, end), '@');
    if (at < 0)
        return OK;
    CLEAN_BUF struct buf rest = {0};
    struct str user, word, both = str_sub(s, begin, begin + (size_t)at);
    if (!str_cut(both, ':', &user, &word))
        word = STR("");
    TRY(decode(user, basic));
    buf_addc(basic, ':');
    TRY(decode(word, basic));
    buf_add_str(&rest, str_sub(s, 0, begin));
    buf_add_str(&rest, str_from(s, begin + (size_t)at + 1));
    buf_clear(url);
    buf_add_str(url, buf_str(&rest));
    return OK;
}

struct err import_url_parse(struct str text, struct import_url *ret) {
    CLEAN_BUF struct buf url = {0}, basic = {0};
    struct str scheme, authority;
    if (text.len > IMPORT_URL_MAX || str_has_nul(text))
        return err_new(ERR_INVALID, "import: the URL is longer than %d bytes", IMPORT_URL_MAX);
    if (str_find_str(text, STR("://")) < 0)
        buf_adds(&url, "http://");
    buf_add_str(&url, text);
    TRY(take_user(&url, &basic));
    if (!url_split(buf_str(&url), &scheme, &authority) || authority_host(authority).len == 0)
        return err_new(ERR_INVALID, "import: '%s' is no URL", buf_cstr(&url));
    if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
        return err_new(ERR_INVALID, "import: unsupported protocol scheme \"%.*s\"",
                       STR_ARG(scheme));
    ret->url = str_dup(buf_str(&url));
    ret->basic = basic.len ? str_dup(buf_str(&basic)) : NULL;
    return OK;
}
