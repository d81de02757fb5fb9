/* build/instruction.h - what an instruction says: flags and arguments checked, nothing expanded.
 *
 * Grammar of the Dockerfile reference; where the classic builder and BuildKit differ, BuildKit is
 * followed. What this builder does not execute is refused here by name and with its position.
 * All memory is the arena's. Tests: test/unit/build/instruction.c.
 */
#pragma once
#include "build/dockerfile.h"
#include "spec/fields.h"

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
    char *checksum;
    struct strs exclude;
    bool link, parents;
    bool keep_git_dir, unpack, unpack_given;
};
enum mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };
/* RUN --mount: after mount_read. */
struct run_mount {
    enum mount_kind kind;
    enum mount_sharing sharing;
    char *from, *source, *target, *id, *env; /* NULL: not given */
    bool read_only, required;
    bool mode_given, uid_given, gid_given;
    uint32_t mode, uid, gid;
    int64_t size; /* tmpfs; 0: no limit */
};
enum run_network { NETWORK_DEFAULT, NETWORK_NONE, NETWORK_HOST };
struct run_spec {
    struct strs mounts; /* as written; mount_read reads them */
    char **froms;       /* the stages and images that the mounts name */
    size_t froms_n;
    enum run_network network;
    bool insecure;
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
    unsigned number;        /* of the step, from 1; 0: none of its own */
    bool on_build;          /* came from the base image's triggers */
    struct command command; /* RUN CMD ENTRYPOINT SHELL */
    union {
        struct { /* FROM */
            char *image, *stage, *platform;
        } from;
        struct run_spec run;
        struct copy_spec copy;   /* ADD COPY */
        struct pairs_list pairs; /* ENV LABEL ARG */
        struct health_spec health;
        struct { /* EXPOSE VOLUME, and one word: MAINTAINER USER WORKDIR STOPSIGNAL ONBUILD */
            char **items;
            size_t n;
        } list;
    };
};

/* The stages and images that --from and from= name. Borrowed. */
size_t instr_sources(const struct instr *in, char *const **ret);
/* Checks one node. A node that is not an instruction is an error that suggests the one that was
 * meant. */
struct err instruction_parse(const struct dockerfile *f, const struct node *n, struct arena *a,
                             struct instr *ret);

/* "git://…", "git@…", "ssh://…", "https://….git[#ref]"; a URL that is no git repository. */
bool source_is_git(const char *source);
bool source_is_url(const char *source);

/* The value of one --mount ("type=cache,target=/x"). expand NULL: values with variables are not
 * looked at yet. Errors are without a place. Source: Dockerfile reference, "RUN --mount". */
struct err mount_read(const char *text, struct err (*expand)(void *arg, const char *in, char **ret),
                      void *arg, struct arena *a, struct run_mount *ret);
/* RUN --mount --network --security. Private to instruction.c. */
struct err run_flags(const struct dockerfile *f, const struct node *node, struct arena *a,
                     struct run_spec *ret);

/* Flags: "--name=value". */
enum flag_kind { FLAG_TEXT, FLAG_BOOL, FLAG_LIST, FLAG_REFUSED };
struct flag {
    const char *name;
    enum flag_kind kind;
    char **text;       /* FLAG_TEXT: where the value goes */
    bool *on;          /* FLAG_BOOL */
    struct strs *list; /* FLAG_LIST: may be given more than once */
    bool used;
};
/* Reads the node's flags into the n known ones. FLAG_REFUSED gives ERR_UNSUPPORTED by name. */
struct err flags_read(const struct dockerfile *f, const struct node *node, struct arena *a,
                      struct flag *flags, size_t n);

/* The candidate nearest to word (edit distance of at most a third of it), or NULL. */
const char *suggest(struct str word, const char *const *candidates, size_t n);
