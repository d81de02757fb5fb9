/* str.h - borrowed bytes: pointer + length, not NUL-terminated, never owned.
 *
 * The three shapes of bytes in corten: `char *` owned and NUL-terminated, `struct str` borrowed,
 * `struct buf` growing. There is no fourth.
 * All functions accept an empty str with p == NULL. Comparison is bytewise.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include <string.h>
#include <sys/types.h>

struct str {
    const char *p;
    size_t len;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) ((int)MIN((s).len, (size_t)INT32_MAX)), ((s).p ? (s).p : "")

static inline struct str str_of(const char *z) {
    return (struct str){z, z ? strlen(z) : 0};
}
static inline struct str str_n(const void *p, size_t len) {
    return (struct str){p, len};
}
bool str_eq(struct str a, struct str b);
bool str_eqz(struct str a, const char *z);
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first/last c, or -1. */
ssize_t str_find(struct str s, char c);
ssize_t str_rfind(struct str s, char c);
/* Index of needle, or -1. */
ssize_t str_find_str(struct str s, struct str needle);
/* Bytes [from, to); clamped to the string. */
struct str str_sub(struct str s, size_t from, size_t to);
struct str str_from(struct str s, size_t from);
/* Strips ASCII white space at both ends. */
struct str str_trim(struct str s);
/* Splits at the first c: head is what is before, tail what follows. Without c: head = s, tail
 * empty, returns false. */
bool str_cut(struct str s, char c, struct str *ret_head, struct str *ret_tail);
/* Iterates over fields separated by c: `while (str_next(&rest, ',', &field))`. "" gives no field,
 * "a," gives "a" and "". */
bool str_next(struct str *rest, char c, struct str *ret_field);
/* Owned, NUL-terminated copy (bytes after an embedded NUL are invisible to C: check str_has_nul).
 */
char *str_dup(struct str s);
bool str_has_nul(struct str s);
bool str_is_utf8(struct str s);
/* Bytes of the well-formed UTF-8 sequence that s begins with; 0: malformed or empty. */
size_t str_utf8_len(struct str s);
uint64_t str_hash(struct str s);

/* Strict numbers: the whole string, decimal digits only (and one leading '-' for i64), no blanks,
 * no '+', range checked. The error names the value, the caller wraps the field's name. */
struct err str_to_u64(struct str s, uint64_t max, uint64_t *ret);
struct err str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret);
