/* parse.c - one record of a json-file log. The layout that every writer of this format produces is
 * read in one pass that copies while it scans; anything else goes through the JSON reader. */
#include "base/json.h"
#include "base/mem.h"
#include "logs/logs.h"
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Copies the bytes before the first quote, backslash or control. dst has room for n + 16 bytes. */
static inline size_t copy_string(char *dst, const char *p, size_t n) {
    size_t i = 0;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    for (; n - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(p + i));
        _mm_storeu_si128((__m128i *)(dst + i), v);
        __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, back));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
        unsigned mask = (unsigned)_mm_movemask_epi8(odd);
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i < n && p[i] != '"' && p[i] != '\\' && (unsigned char)p[i] >= 0x20; i++)
        dst[i] = p[i];
    return i;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX at p (n bytes left): the unit, or -1. */
static int unit_at(const char *p, size_t n) {
    if (n < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int unit = 0;
    for (int i = 2; i < 6; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return -1;
        unit = unit << 4 | d;
    }
    return unit;
}

static char *put_utf8(char *dst, unsigned c) {
    if (c < 0x80) {
        *dst++ = (char)c;
    } else if (c < 0x800) {
        *dst++ = (char)(0xc0 | c >> 6);
        *dst++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *dst++ = (char)(0xe0 | c >> 12);
        *dst++ = (char)(0x80 | (c >> 6 & 63));
        *dst++ = (char)(0x80 | (c & 63));
    } else {
        *dst++ = (char)(0xf0 | c >> 18);
        *dst++ = (char)(0x80 | (c >> 12 & 63));
        *dst++ = (char)(0x80 | (c >> 6 & 63));
        *dst++ = (char)(0x80 | (c & 63));
    }
    return dst;
}

/* The escape at p: returns its length, 0 when it is none. */
static size_t unescape(const char *p, size_t n, char **dst) {
    if (n < 2)
        return 0;
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p[1] != 'u') {
        const char *at = p[1] ? strchr(from, p[1]) : NULL;
        if (at == NULL)
            return 0;
        *(*dst)++ = to[at - from];
        return 2;
    }
    int unit = unit_at(p, n);
    if (unit < 0)
        return 0;
    if (unit < 0xd800 || unit > 0xdfff) {
        *dst = put_utf8(*dst, (unsigned)unit);
        return 6;
    }
    int low = unit < 0xdc00 ? unit_at(p + 6, n - 6) : -1;
    if (low >= 0xdc00 && low <= 0xdfff) {
        *dst = put_utf8(*dst,
                        0x10000u + (((unsigned)unit & 0x3ff) << 10) + ((unsigned)low & 0x3ff));
        return 12;
    }
    *dst = put_utf8(*dst, 0xfffd); /* half a pair: as Go reads it */
    return 6;
}

/* The string whose first byte is at *i: unescaped to dst; *i ends past the closing quote. NULL when
 * the text ends before or the string is malformed. */
static char *parse_string(struct str text, size_t *i, char *dst) {
    for (;;) {
        size_t plain = copy_string(dst, text.p + *i, text.len - *i);
        dst += plain;
        *i += plain;
        if (*i == text.len)
            return NULL;
        if (text.p[*i] == '"') {
            ++*i;
            return dst;
        }
        if (text.p[*i] != '\\')
            return NULL;
        size_t used = unescape(text.p + *i, text.len - *i, &dst);
        if (used == 0)
            return NULL;
        *i += used;
    }
}

static bool eat(struct str text, size_t *i, struct str word) {
    if (text.len - *i < word.len || memcmp(text.p + *i, word.p, word.len) != 0)
        return false;
    *i += word.len;
    return true;
}

static ssize_t parse_fast(struct str text, struct logs_record *ret, struct buf *out) {
    size_t i = 0;
    if (!eat(text, &i, STR("{\"log\":\"")))
        return 0;
    char *start = out->data + out->len;
    char *end = parse_string(text, &i, start);
    if (end == NULL || !eat(text, &i, STR(",\"stream\":\"std")))
        return 0;
    enum logs_stream stream = LOGS_STDOUT;
    if (!eat(text, &i, STR("out\""))) {
        if (!eat(text, &i, STR("err\"")))
            return 0;
        stream = LOGS_STDERR;
    }
    bool attrs = eat(text, &i, STR(",\"attrs\":"));
    if (attrs && (ret->raw_attrs.len == 0 || !eat(text, &i, buf_str(&ret->raw_attrs))))
        return 0; /* others than the last record had */
    if (!eat(text, &i, STR(",\"time\":\"")))
        return 0;
    const char *time = text.p + i;
    size_t left = MIN(text.len - i, sizeof(ret->time_text));
    const char *quote = memchr(time, '"', left);
    if (quote == NULL || memchr(time, '\\', (size_t)(quote - time)) != NULL)
        return 0;
    i += (size_t)(quote - time);
    if (!eat(text, &i, STR("\"}\n")))
        return 0;
    ret->stream = stream;
    ret->time = str_n(time, (size_t)(quote - time));
    if (!attrs && ret->attrs.len > 0) {
        buf_clear(&ret->attrs);
        buf_clear(&ret->raw_attrs);
    }
    buf_added(out, (size_t)(end - start));
    return (ssize_t)i;
}

static int by_key(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As Go's url.QueryEscape, which is what the peer shows. */
static void escape_query(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter || c == '-' || c == '_' || c == '.' || c == '~')
            buf_addc(out, c);
        else if (c == ' ')
            buf_addc(out, '+');
        else
            buf_addf(out, "%%%02X", (unsigned char)c);
    }
}

/* Attributes as `details` shows them. */
static void show_attrs(const struct json *attrs, struct buf *out) {
    size_t n = json_len(attrs), used = 0;
    if (n == 0)
        return;
    char **pairs = NEW_ARRAY(n, char *);
    struct json_iter it = {0};
    while (used < n && json_each(attrs, &it)) {
        CLEAN_BUF struct buf pair = {0};
        escape_query(&pair, it.key);
        buf_addc(&pair, '=');
        escape_query(&pair, json_str(it.value));
        pairs[used++] = buf_take(&pair);
    }
    qsort(pairs, used, sizeof(*pairs), by_key);
    for (size_t i = 0; i < used; i++) {
        if (i > 0)
            buf_addc(out, ',');
        buf_adds(out, pairs[i]);
        free(pairs[i]);
    }
    free(pairs);
}

/* The next record most likely has the same attributes, byte by byte: then the fast way knows them.
 */
static void keep_raw(struct str line, struct logs_record *ret) {
    const struct str before = STR(",\"attrs\":"), after = STR("},\"time\":");
    /* Neither can be inside of a JSON string, where quotes are escaped. */
    buf_clear(&ret->raw_attrs);
    ssize_t end = str_find_str(line, after);
    ssize_t start = str_find_str(line, before);
    if (ret->attrs.len > 0 && start >= 0 && end > start)
        buf_add_str(&ret->raw_attrs, str_sub(line, (size_t)start + before.len, (size_t)end + 1));
}

void logs_record_done(struct logs_record *r) {
    buf_done(&r->attrs);
    buf_done(&r->raw_attrs);
}

static bool parse_slow(struct str line, struct logs_record *ret, struct buf *out) {
    CLEAN_JSON struct json *j = NULL;
    struct err e = json_parse(line, &j);
    if (err_failed(e)) {
        err_ignore(e); /* a torn or foreign line: the caller skips it */
        return false;
    }
    struct str stream = json_str(json_get(j, "stream")), time = json_str(json_get(j, "time"));
    if (json_type(j) != JSON_OBJECT || time.len >= sizeof(ret->time_text))
        return false;
    if (!str_eqz(stream, "stdout") && !str_eqz(stream, "stderr"))
        return false;
    ret->stream = str_eqz(stream, "stderr") ? LOGS_STDERR : LOGS_STDOUT;
    if (time.len > 0)
        memcpy(ret->time_text, time.p, time.len);
    ret->time = str_n(ret->time_text, time.len);
    buf_clear(&ret->attrs);
    show_attrs(json_get(j, "attrs"), &ret->attrs);
    keep_raw(line, ret);
    buf_add_str(out, json_str(json_get(j, "log")));
    return true;
}

ssize_t logs_parse(struct str text, struct logs_record *ret, struct buf *out) {
    if (text.len == 0)
        return 0;
    buf_room(out, MIN(text.len, (size_t)LOGS_RECORD_MAX) + 32);
    /* A window keeps a line without an end from being scanned over and over. */
    struct str window = str_sub(text, 0, LOGS_RECORD_MAX);
    ssize_t used = parse_fast(window, ret, out);
    if (used > 0)
        return used;
    const char *end = memchr(window.p, '\n', window.len);
    if (end == NULL)
        return window.len < LOGS_RECORD_MAX ? 0 : -(ssize_t)window.len;
    size_t line = (size_t)(end - window.p) + 1;
    if (parse_slow(str_n(window.p, line - 1), ret, out))
        return (ssize_t)line;
    return -(ssize_t)line;
}
