/* bolt.h - reading a bbolt database: where another engine keeps its networks and volumes. Private
 * to cli/.
 *
 * The file is somebody else's and is only read, as a whole, from memory: every offset is checked,
 * depth and the number of pages are bounded. Source: bbolt's file format (page.go, bucket.go):
 * version 2, little-endian. Tests: test/unit/cli/bolt.c.
 */
#pragma once
#include "base/err.h"
#include "base/str.h"

#define BOLT_FILE_MAX (64u << 20)

typedef struct err bolt_fn(void *arg, struct str key, struct str value);
/* Calls fn for every pair of a bucket at the top, in the order of keys. A bucket that is not there
 * has none. ERR_INVALID: the file is no such database, or damaged. */
struct err bolt_each(struct str file, const char *bucket, bolt_fn *fn, void *arg);
