/* build/dockerfile.h - a Dockerfile's text as a tree: one node per instruction.
 *
 * This layer knows lines (continuations, comments, parser directives), words, JSON forms, flags and
 * heredocs, and where each of them stands in the file. It does not know what an instruction means:
 * that is build/instruction.h. Whatever BuildKit's parser accepts is accepted here with the same
 * tree (Dockerfile reference, "Format", "Parser directives", "Here-documents").
 *
 * Everything is allocated in the caller's arena and lives as long as it; the source text must live
 * as long, too. Foreign input: sizes below. No thread, no system call.
 * Tests: test/unit/build/dockerfile.c, test/fuzz/dockerfile.c.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

#define DOCKERFILE_SIZE_MAX (4u << 20) /* bytes of the whole file */
#define DOCKERFILE_LINE_MAX 65535u     /* bytes of one physical line, as the peer's limit */

enum instruction {
    I_UNKNOWN,
    I_ADD,
    I_ARG,
    I_CMD,
    I_COPY,
    I_ENTRYPOINT,
    I_ENV,
    I_EXPOSE,
    I_FROM,
    I_HEALTHCHECK,
    I_LABEL,
    I_MAINTAINER,
    I_ONBUILD,
    I_RUN,
    I_SHELL,
    I_STOPSIGNAL,
    I_USER,
    I_VOLUME,
    I_WORKDIR,
    I_COUNT
};
/* "RUN"; "" for I_UNKNOWN. */
const char *instruction_name(enum instruction kind);
/* Case-insensitive; I_UNKNOWN when there is no such instruction. */
enum instruction instruction_find(struct str word);

/* A word and the offset in its node's text where it starts. A JSON string may hold NUL ("\u0000"):
 * then len is more than strlen(text), and instruction_parse refuses the word. */
struct word {
    char *text;
    size_t at, len;
};
struct words {
    struct word *items;
    size_t n;
};
struct heredoc {
    char *name;
    char *content; /* whole lines, as in the file; tabs still there (heredoc_text strips them) */
    unsigned fd;
    bool expand; /* the name was not quoted */
    bool chomp;  /* <<- */
    bool whole;  /* the instruction's body is this heredoc and nothing else */
};

/* One fragment of a logical line: text from offset `at` on comes from line:column. */
struct piece {
    size_t at;
    unsigned line, column;
};
struct node {
    enum instruction kind;
    char *name;       /* the instruction's word as written */
    struct str text;  /* the logical line: continuations joined, comments gone */
    size_t text_base; /* ONBUILD's inner node: offset of text in the outer text */
    struct piece *pieces;
    size_t pieces_n;
    struct words flags; /* "--name=value", quotes removed */
    struct words args;
    bool json;        /* args came from a JSON array */
    struct node *sub; /* ONBUILD: the instruction inside */
    struct heredoc *heredocs;
    size_t heredocs_n;
    unsigned line, last_line; /* from 1, heredoc bodies included */
};
struct dockerfile {
    const char *name; /* for messages: "Dockerfile" */
    struct str source;
    struct node **nodes;
    size_t n;
    char escape;        /* '\\' or '`' */
    const char *syntax; /* value of the directive or NULL */
    const char *check;  /* value of the directive or NULL */
};

/* Parses; ERR_INVALID with position. name is borrowed. */
struct err dockerfile_parse(struct str source, const char *name, struct arena *a,
                            struct dockerfile **ret);
/* The tree in the notation of BuildKit's parser tests: one "(word "arg" …)" line per instruction.
 */
void dockerfile_print_tree(const struct dockerfile *f, struct buf *out);

/* An ERR_INVALID (or other kind) error at offset `at` of the node's text, as a compiler says it:
 *
 *     Dockerfile:3:6: unknown flag: --form (did you mean --from?)
 *        3 | COPY --form=x . .
 *          |      ^
 */
struct err dockerfile_error(const struct dockerfile *f, const struct node *n, size_t at,
                            const char *fmt, ...) PRINTF(4, 5);
/* Puts the position of the node (its first word) around an error from below; success passes. */
struct err dockerfile_locate(const struct dockerfile *f, const struct node *n, struct err e);
/* The same for an offset in the node's text. */
struct err dockerfile_locate_at(const struct dockerfile *f, const struct node *n, size_t at,
                                struct err e);

/* The body of a heredoc as the instruction uses it: leading tabs removed for <<-. In the arena. */
char *heredoc_text(const struct heredoc *h, struct arena *a);
/* Is this argument a heredoc word ("<<EOF")? Fills name, fd, expand and chomp. */
bool heredoc_word(struct str word, struct arena *a, struct heredoc *ret);
