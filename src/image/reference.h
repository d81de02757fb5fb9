/* reference.h - names of images: the reference grammar of the distribution project, with the
 * defaults of the docker CLI ("busybox" is docker.io/library/busybox:latest).
 *
 *   reference := name [ ":" tag ] [ "@" digest ]
 *   name      := [ domain "/" ] path-component { "/" path-component }
 *   domain    := host [ ":" port ]; the first component is one when it holds '.' or ':', has an
 *                upper-case letter, or is "localhost"; otherwise the domain is docker.io
 * A lone component below docker.io gets "library/" in front.
 *
 * Values, not objects: no memory is owned, copies are free. Any thread.
 * Source: distribution/reference (grammar in reference.go, defaults in normalize.go).
 * Tests: test/unit/image/reference.c; fuzz target: test/fuzz/reference.c.
 */
#pragma once
#include "base/buf.h"
#include "base/sha256.h"

#define REFERENCE_NAME_MAX 255 /* domain, '/' and path together */
#define REFERENCE_TAG_MAX 128
/* domain/path:tag@sha256:… and a NUL, each part at its largest */
#define REFERENCE_TEXT_MAX \
    (2 * (REFERENCE_NAME_MAX + 1) + 1 + REFERENCE_TAG_MAX + 1 + DIGEST_TEXT_MAX)

struct reference {
    char domain[REFERENCE_NAME_MAX + 1]; /* "docker.io", "localhost:5000" */
    char path[REFERENCE_NAME_MAX + 1];   /* "library/busybox" */
    char tag[REFERENCE_TAG_MAX + 1];     /* "" when absent */
    bool has_digest;
    struct digest digest;
};

/* Parses and fills in domain and "library/"; not the tag. ERR_INVALID "invalid reference format…"
 * with the peer's words; also for 64 hex digits, which are an id and never a name. */
struct err reference_parse(struct str text, struct reference *ret);
/* As the peer's `repo` and `tag` parameters: tag may be "", a tag, or a digest ("sha256:…"). */
struct err reference_parse_with_tag(struct str name, struct str tag, struct reference *ret);
/* Gives it the tag "latest" when it has neither tag nor digest. */
void reference_default_tag(struct reference *r);
bool reference_tag_valid(struct str tag);
bool reference_domain_valid(struct str domain); /* "host", "host:port", "[::1]:port" */

/* "docker.io/library/busybox" and "busybox"; always NUL-terminated, returns out. */
char *reference_name(const struct reference *r, char out[REFERENCE_TEXT_MAX]);
char *reference_familiar_name(const struct reference *r, char out[REFERENCE_TEXT_MAX]);
/* With tag and digest as far as they are set. */
char *reference_text(const struct reference *r, char out[REFERENCE_TEXT_MAX]);
char *reference_familiar(const struct reference *r, char out[REFERENCE_TEXT_MAX]);

/* An id given by hand: 64 hex digits with or without "sha256:". */
bool reference_is_id(struct str text, struct digest *ret);
