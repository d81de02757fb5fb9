/* build/reference.h - names of images while a build uses them for something else. Private to
 * build/. Tests: test/e2e/t6020-build-cache-from.sh. */
#pragma once
#include "build/execute.h"

/* "host:5000/a/b:tag" → repository and tag (default "latest"). */
void split_tag(const char *name, struct str *ret_repo, struct str *ret_tag);

/* A name that is borrowed: afterwards it belongs to whom it belonged before, or to nobody. */
struct loan {
    char *repo, *tag, *name;
    const char *owner; /* image id; NULL: none */
};
struct err loan_take(struct build *b, const char *name, struct loan *ret);
struct err loan_return(struct build *b, const struct loan *l);

/* Removes an image that has no name; its layers stay as far as steps have them. */
struct err image_forget(struct build *b, const char *image);
