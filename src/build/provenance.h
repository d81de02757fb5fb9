/* build/provenance.h - labels that say where an image comes from and what it is built on
 * (docs/lifecycle.md, "Provenance" and "Ancestry"). Private to build/.
 * What the Dockerfile or the command line set by LABEL wins.
 * Tests: test/unit/build/provenance.c, test/e2e/t6021-provenance.sh. */
#pragma once
#include "spec/fields.h"

struct build;
/* Puts them on the target's config, but for the time: nothing when the job has no provenance. */
struct err provenance_labels(struct build *b);
/* The time of the build, once it is known: no part of the image's key. */
void provenance_time(struct build *b, int64_t now);

/* An image that another is built on. */
struct ancestor {
    const char *name, *id, *digest, *created; /* NULL: not known */
    bool copied;                              /* files of it were taken over by another stage */
    const struct strmap *labels;              /* all of them; its own ancestry is in there */
    const struct strmap *annotations;         /* of its manifest; NULL: none */
};
/* The label of an image on these, the last is its base: what the base says about its own ancestors
 * comes first. In the arena. */
char *ancestry_text(const struct ancestor *all, size_t n, struct arena *a);
/* The short form: "NAME@ID …". NULL: none. */
char *ancestors_text(const struct ancestor *base, struct arena *a);
