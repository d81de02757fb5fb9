/* build/owner.h - --chown and --chmod. Private to build/. Tests: test/unit/build/owner.c. */
#pragma once
#include "build/daemon.h"

struct owner {
    uint32_t uid, gid;
};
/* "user", "user:group", "1000", "1000:50", ":group". Names are looked up in the image's /etc/passwd
 * and /etc/group; a number alone is the group, too. */
struct err owner_resolve(struct client *c, const char *image, const char *text, struct owner *ret);
/* The same with the files' text at hand (tests). */
struct err owner_parse(const char *text, struct str passwd, struct str group, struct owner *ret);
/* Does resolving need the files? */
bool owner_has_names(const char *text);

/* --chmod: octal ("755"), or symbolic as chmod(1) without umask ("u=rwX,go-w", "a+x"). */
struct mode_change {
    bool octal;
    uint32_t mode;    /* octal */
    const char *text; /* symbolic */
};
struct err mode_parse(const char *text, struct mode_change *ret);
uint32_t mode_apply(const struct mode_change *m, uint32_t mode, bool dir);
