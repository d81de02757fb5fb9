/* filter.h - what values of the `filters` parameter mean, beyond call.h. Private to api/.
 * Source: Engine API 1.51; names are matched as text, with '^' and '$' as anchors: the peer's
 * regular expressions beyond that are taken literally. Tests: test/unit/api/filter.c. */
#pragma once
#include "api/call.h"

/* Any of the wanted is found in text; true when nothing is wanted. */
bool api_filter_match(const struct strs *wanted, const char *text);
/* ERR_INVALID "invalid filter 'x=[y]'" unless absent or one of true, 1, false, 0 (each at most
 * once). */
struct err api_filter_check_bool(const struct api_filters *f, const char *name);
bool api_filter_bool(const struct strs *value); /* false when absent */
/* For "label!": any of the wanted matches. */
bool api_filter_any_label(const struct strs *wanted, const struct strmap *labels);
/* Shell pattern in which '*' does not match '/' against "name:tag" and "name" (filter reference).
 * check: is it one? */
struct err api_filter_check_patterns(const struct strs *wanted);
bool api_filter_reference(const struct strs *wanted, const struct reference *ref);
/* `until`: unix seconds, RFC 3339, or a duration before now ("10m"). Absent: *ret untouched. */
struct err api_filter_until(const struct api_filters *f, int64_t *ret);
/* The same of a filter with another name. */
struct err api_filter_time(const struct api_filters *f, const char *name, int64_t *ret);
/* `platform` parameter, "linux/amd64" or the JSON object; NULL: absent or empty. In the arena. */
struct platform;
struct err api_platform(struct api_call *c, struct platform **ret);
/* Does the image fit it? ERR_NOT_FOUND in the peer's words. shown: as the client named it. */
struct image;
struct err api_platform_fits(struct api_call *c, struct image *i, const char *shown);
