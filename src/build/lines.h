/* build/lines.h - physical lines of a Dockerfile to logical ones. Private to build/dockerfile.c.
 *
 * A logical line is one instruction: lines that end in the escape character are joined, comment
 * lines and empty lines in between are dropped, leading white space of the first line is stripped
 * (that of continuation lines is kept, as the peer does). Parser directives are read on the way. */
#pragma once
#include "base/vec.h"
#include "build/dockerfile.h"

struct pieces VEC_BODY(struct piece);
struct lines {
    const struct dockerfile *file; /* for messages */
    struct arena *arena;
    struct str rest; /* not read yet */
    unsigned line;   /* number of the line read last */
    char escape;
    const char *syntax, *check;
    unsigned directives_seen; /* bit per directive */
    bool directives_done;
};
/* One logical line; in the arena. */
struct logical {
    struct str text;
    struct piece *pieces;
    size_t pieces_n;
    unsigned line, last_line;
};

void lines_init(struct lines *l, const struct dockerfile *f, struct arena *a);
/* *ret_more is false at the end of the file. */
struct err lines_next(struct lines *l, struct logical *ret, bool *ret_more);
/* The next physical line with its line ending (heredoc bodies). false at the end of the file. */
bool lines_raw(struct lines *l, struct str *ret);
/* An error that points at a whole line. */
struct err lines_error(const struct dockerfile *f, unsigned line, unsigned column, const char *fmt,
                       ...) PRINTF(4, 5);
