/* buf.h - growing bytes.
 *
 * Invariants: data is NULL or has cap > len bytes; data[len] is always '\0' when data != NULL, so
 * buf.data is usable as a C string when it holds no NUL. A zeroed struct is a valid empty buf.
 * `max` (0: none) bounds len: appends past it set `overflow` and drop the bytes, they never abort;
 * code that reads foreign data sets max and checks overflow once at the end.
 */
#pragma once
#include "base/str.h"
#include <stdarg.h>

struct buf {
    char *data;
    size_t len, cap, max;
    bool overflow;
};

#define CLEAN_BUF OWN(buf_done)
void buf_done(struct buf *b);  /* frees, leaves a valid empty buf */
void buf_clear(struct buf *b); /* keeps the memory */
static inline struct str buf_str(const struct buf *b) {
    return (struct str){b->data, b->len};
}
/* Always a NUL-terminated string, "" when empty; borrowed. */
const char *buf_cstr(const struct buf *b);
/* Hands the bytes over as an owned NUL-terminated char* (never NULL) and empties b. */
char *buf_take(struct buf *b);
/* Room for n more bytes; returns where to write; commit with buf_added. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_adds(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
/* Lower-case hex of n bytes. */
void buf_add_hex(struct buf *b, const void *p, size_t n);
/* Removes n bytes from the front. */
void buf_drop(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t len);
