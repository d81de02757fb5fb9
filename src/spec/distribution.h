/* spec/distribution.h - documents of the distribution protocol. Source: OCI distribution-spec 1.1,
 * and the token protocol that registries use ("token authentication specification").
 */
#pragma once
#include "spec/fields.h"

/* token or access_token; expires_in in seconds, 0: 60. */
struct dist_token {
    char *token;
    char *access_token;
    char *refresh_token;
    int64_t expires_in;
    char *issued_at;
};
extern const struct fields dist_token_fields;

struct dist_error {
    char *code;
    char *message;
    struct str detail;
};
extern const struct fields dist_error_fields;

struct dist_errors {
    struct objs errors; /* struct dist_error */
};
extern const struct fields dist_errors_fields;

struct dist_tags {
    char *name;
    struct strs tags;
};
extern const struct fields dist_tags_fields;

struct dist_catalog {
    struct strs repositories;
};
extern const struct fields dist_catalog_fields;

/* GET /v1/search?q=…&n=…: no part of the protocol, but what `docker search` is made of. */
struct dist_search_result {
    char *name;
    char *description;
    bool is_official;
    int64_t star_count;
};
struct dist_search {
    struct objs results; /* struct dist_search_result */
};
extern const struct fields dist_search_fields;
