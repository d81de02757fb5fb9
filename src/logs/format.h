/* format.h - text into records; private to logs/. No allocation, no system call.
 *
 * The escaping is that of Go's encoding/json with HTML escaping, in the variant of the peer's log
 * driver: \" \\ \n \r, \u00xx for other controls and for < > &, \u2028 \u2029, \ufffd for each byte
 * that is not UTF-8; all else as it is. */
#pragma once
#include "logs/logs.h"

/* What follows the text: `\n","stream":"…","attrs":{…},"time":"…"}` and a newline; made once per
 * read. text has FORMAT_TAIL_ROOM bytes. */
struct format_tail {
    char *text;
    size_t len;
};
#define FORMAT_TAIL_ROOM(attrs_len) ((attrs_len) + 128)
void format_tail_set(struct format_tail *t, enum logs_stream s, struct str attrs, int64_t time);

/* Bytes that a record of n bytes of text may need at most, with slack for wide stores. */
#define FORMAT_RECORD_ROOM(n, t) ((n)*6 + 8 + (t)->len + 16)
/* Writes the record at dst and returns its end. */
char *format_record(char *dst, const unsigned char *p, size_t n, bool newline,
                    const struct format_tail *t);
/* Length of the valid UTF-8 sequence at p (RFC 3629), 0 when there is none. */
size_t format_utf8_length(const unsigned char *p, size_t n);
