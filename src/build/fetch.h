/* build/fetch.h - files and repositories from elsewhere: ADD of URLs and git, remote contexts.
 * Private to build/.
 *
 * URLs by libcurl, which is loaded when the first one is met (a build without any does not pay for
 * it); git repositories by the program `git` of this machine, without its user's configuration and
 * without asking for passwords. Both end with the build: a download when the client is gone.
 * Tests: test/e2e/t6006-add-remote.sh. */
#pragma once
#include "build/execute.h"

#define FETCH_MAX (UINT64_C(64) << 30) /* bytes of a download */

/* The URL's content as a file `name` in a new directory *ret_root. mtime from Last-Modified. */
struct err fetch_url(struct build *b, const char *url, int *ret_root, const char **ret_name);

/* Is the file's content of this digest ("sha256:…")? ERR_INVALID when not. */
struct err fetch_check(int root, const char *name, const char *checksum);

/* "https://host/r.git#ref:dir", "git@host:r.git", "git://…?ref=…&subdir=…". */
struct git_source {
    const char *remote, *ref, *subdir; /* NULL: not given */
    const char *checksum;              /* commit that must come out; NULL */
    bool keep_git_dir;
};
struct err git_source_parse(const char *text, struct arena *a, struct git_source *ret);
/* A checkout in a new directory: *ret_root is the wanted subdirectory. *ret_commit: 40 hex. */
struct err fetch_git(struct build *b, const struct git_source *s, int *ret_root,
                     const char **ret_commit);
/* A new directory below the builder's own; *ret_path: its absolute path. */
struct err fetch_dir(struct build *b, int *ret_fd, const char **ret_path);
