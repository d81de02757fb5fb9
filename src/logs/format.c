/* format.c - text into records of the peer's json-file format. */
#include "logs/format.h"
#include "base/time.h"
#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char stream_names[2][7] = {"stdout", "stderr"};

void format_tail_set(struct format_tail *t, enum logs_stream s, struct str attrs, int64_t time) {
    char text[TIME_TEXT_MAX];
    time_format(time, text);
    int n = snprintf(t->text, FORMAT_TAIL_ROOM(attrs.len),
                     "\\n\",\"stream\":\"%s\"%s%.*s,\"time\":\"%s\"}\n", stream_names[s],
                     attrs.len ? ",\"attrs\":" : "", STR_ARG(attrs), text);
    t->len = (size_t)n;
}

/* Bytes that go into a JSON string as they are. '<', '>' and '&' are escaped as Go does by default.
 */
static inline bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Copies plain bytes and returns how many. dst has room for n + 16 bytes. */
static inline size_t copy_plain(char *dst, const unsigned char *p, size_t n) {
    size_t i = 0;
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(0x20), quote = _mm_set1_epi8('"');
    const __m128i back = _mm_set1_epi8('\\'), amp = _mm_set1_epi8('&');
    const __m128i angle = _mm_set1_epi8('<'), two = _mm_set1_epi8(2);
    for (; n - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(p + i));
        _mm_storeu_si128((__m128i *)(dst + i), v);
        /* signed compare: below 0x20 catches 0x80 and above as well; '<' | 2 == '>' */
        __m128i odd = _mm_or_si128(_mm_cmplt_epi8(v, space), _mm_cmpeq_epi8(v, quote));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, back));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, amp));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(_mm_andnot_si128(two, v), angle));
        unsigned mask = (unsigned)_mm_movemask_epi8(odd);
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i < n && is_plain(p[i]); i++)
        dst[i] = (char)p[i];
    return i;
}

size_t format_utf8_length(const unsigned char *p, size_t n) {
    if (n == 0)
        return 0;
    unsigned char a = p[0];
    if (a < 0x80)
        return 1;
    size_t len = a >= 0xf0 ? 4 : a >= 0xe0 ? 3 : 2;
    if (a < 0xc2 || a > 0xf4 || n < len)
        return 0;
    unsigned char low = 0x80, high = 0xbf; /* range of the second byte: RFC 3629 section 4 */
    if (a == 0xe0)
        low = 0xa0;
    else if (a == 0xed)
        high = 0x9f;
    else if (a == 0xf0)
        low = 0x90;
    else if (a == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static char *put_u4(char *dst, unsigned c) {
    static const char hex[] = "0123456789abcdef";
    *dst++ = '\\';
    *dst++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *dst++ = hex[c >> shift & 15];
    return dst;
}

/* One byte or sequence that is not plain; *i moves past it. */
static char *put_special(char *dst, const unsigned char *p, size_t n, size_t *i) {
    unsigned char c = p[*i];
    if (c < 0x80) {
        ++*i;
        if (c != '"' && c != '\\' && c != '\n' && c != '\r')
            return put_u4(dst, c);
        *dst++ = '\\';
        *dst++ = c == '\n' ? 'n' : c == '\r' ? 'r' : (char)c;
        return dst;
    }
    size_t len = format_utf8_length(p + *i, n - *i);
    if (len == 0) {
        ++*i;
        return put_u4(dst, 0xfffd);
    }
    const unsigned char *q = p + *i;
    *i += len;
    /* U+2028 and U+2029 end lines in JavaScript: escaped, as Go does */
    if (len == 3 && q[0] == 0xe2 && q[1] == 0x80 && (q[2] == 0xa8 || q[2] == 0xa9))
        return put_u4(dst, 0x2000u | (q[2] & 0x3fu));
    memcpy(dst, q, len);
    return dst + len;
}

char *format_record(char *dst, const unsigned char *p, size_t n, bool newline,
                    const struct format_tail *t) {
    if (n > 0 || newline) { /* the peer leaves an empty text out */
        memcpy(dst, "{\"log\":\"", 8);
        dst += 8;
    }
    for (size_t i = 0; i < n;) {
        size_t plain = copy_plain(dst, p + i, n - i);
        dst += plain;
        i += plain;
        if (i < n)
            dst = put_special(dst, p, n, &i);
    }
    size_t skip = newline ? 0 : 2; /* the escaped \n in front of the tail */
    memcpy(dst, t->text + skip, t->len - skip);
    return dst + (t->len - skip);
}

void logs_format(struct buf *out, enum logs_stream s, struct str text, bool newline, int64_t time) {
    char room[FORMAT_TAIL_ROOM(0)];
    struct format_tail t = {.text = room};
    format_tail_set(&t, s, STR_NONE, time);
    char *dst = buf_room(out, FORMAT_RECORD_ROOM(text.len, &t));
    char *end = format_record(dst, (const unsigned char *)text.p, text.len, newline, &t);
    buf_added(out, (size_t)(end - dst));
}
