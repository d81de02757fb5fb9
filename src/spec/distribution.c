#include "spec/distribution.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct dist_token, member, name, kind, ##__VA_ARGS__)
FIELDS(dist_token_fields, struct dist_token,
       F(token, "token", F_STR, .flags = OMIT_EMPTY),
       F(access_token, "access_token", F_STR, .flags = OMIT_EMPTY),
       F(refresh_token, "refresh_token", F_STR, .flags = OMIT_EMPTY),
       F(expires_in, "expires_in", F_I64, .flags = OMIT_EMPTY),
       F(issued_at, "issued_at", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct dist_error, member, name, kind, ##__VA_ARGS__)
FIELDS(dist_error_fields, struct dist_error,
       F(code, "code", F_STR),
       F(message, "message", F_STR),
       F(detail, "detail", F_RAW, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct dist_errors, member, name, kind, ##__VA_ARGS__)
FIELDS(dist_errors_fields, struct dist_errors,
       F(errors, "errors", F_ARRAY, .sub = &dist_error_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct dist_tags, member, name, kind, ##__VA_ARGS__)
FIELDS(dist_tags_fields, struct dist_tags,
       F(name, "name", F_STR),
       F(tags, "tags", F_STRS));
#undef F

#define F(member, name, kind, ...) FIELD(struct dist_catalog, member, name, kind, ##__VA_ARGS__)
FIELDS(dist_catalog_fields, struct dist_catalog,
       F(repositories, "repositories", F_STRS));
#undef F

#define F(member, name, kind, ...) FIELD(struct dist_search_result, member, name, kind, ##__VA_ARGS__)
FIELDS(dist_search_result_fields, struct dist_search_result,
       F(name, "name", F_STR),
       F(description, "description", F_STR),
       F(is_official, "is_official", F_BOOL),
       F(star_count, "star_count", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct dist_search, member, name, kind, ##__VA_ARGS__)
FIELDS(dist_search_fields, struct dist_search,
       F(results, "results", F_ARRAY, .sub = &dist_search_result_fields));
#undef F
