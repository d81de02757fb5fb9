/* build/instruction.h - what an instruction says: flags and arguments checked, nothing expanded.
 *
 * Grammar of the Dockerfile reference; where the classic builder and BuildKit differ, BuildKit is
 * followed. What this builder does not execute is refused here by name and with its position.
 * All memory is the arena's. Tests: test/unit/build/instruction.c.
 */
#pragma once
#include "build/dockerfile.h"

struct pair {
    char *key, *value; /* value NULL: none was given (ARG NAME) */
    bool legacy;       /* ENV k v */
};
struct pairs_list {
    struct pair *items;
    size_t n;
};
/* A command in shell or exec form. */
struct command {
    char **words; /* shell form: one word, the line */
    size_t n;
    bool shell;
};
struct source_doc { /* COPY <<EOF */
    char *name, *content;
    bool expand;
};
struct copy_spec {
    char **sources;
    size_t sources_n;
    struct source_doc *docs;
    size_t docs_n;
    char *dest, *from, *chown, *chmod; /* NULL: not given, dest is never NULL */
};
struct health_spec {
    bool none;
    struct command test;
    int64_t interval, timeout, start_period, start_interval; /* ns, 0: default */
    int64_t retries;
};
struct instr {
    enum instruction kind;
    const struct node *node;
    bool on_build; /* came from the base image's triggers */
    union {
        struct { /* FROM */
            char *image, *stage, *platform;
        } from;
        struct command command;  /* RUN CMD ENTRYPOINT SHELL */
        struct copy_spec copy;   /* ADD COPY */
        struct pairs_list pairs; /* ENV LABEL ARG */
        struct health_spec health;
        struct { /* EXPOSE VOLUME, and one word: MAINTAINER USER WORKDIR STOPSIGNAL ONBUILD */
            char **items;
            size_t n;
        } list;
    };
};

/* Checks one node. A node that is not an instruction is an error that suggests the one that was
 * meant. */
struct err instruction_parse(const struct dockerfile *f, const struct node *n, struct arena *a,
                             struct instr *ret);

/* Flags: "--name=value". */
enum flag_kind { FLAG_TEXT, FLAG_BOOL, FLAG_REFUSED };
struct flag {
    const char *name;
    enum flag_kind kind;
    char **text; /* FLAG_TEXT: where the value goes */
    bool *on;    /* FLAG_BOOL */
    bool used;
};
/* Reads the node's flags into the n known ones. FLAG_REFUSED gives ERR_UNSUPPORTED by name. */
struct err flags_read(const struct dockerfile *f, const struct node *node, struct flag *flags,
                      size_t n);

/* The candidate nearest to word (edit distance of at most a third of it), or NULL. */
const char *suggest(struct str word, const char *const *candidates, size_t n);
