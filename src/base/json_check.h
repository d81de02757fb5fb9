/* json_check.h - is this text exactly one RFC 8259 value? Private to base/json.c.
 *
 * One pass, no recursion, no allocation: nesting is a bit stack (JSON_DEPTH_MAX is 64). Refuses
 * malformed UTF-8, more than JSON_DEPTH_MAX levels, integers that fit neither int64 nor uint64, and
 * keys with an escaped NUL, which a C string would cut short. Errors are ERR_INVALID with the
 * offset. Tests: test/unit/base/json.c. */
#pragma once
#include "base/str.h"

/* *ret_values: how many values there are, containers among them. */
struct err json_check(struct str text, size_t *ret_values);
