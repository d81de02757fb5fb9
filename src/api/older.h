/* older.h - what clients of older API versions mean and expect. Private to api/. Field tables say
 * which members a version has (SINCE, UNTIL in src/spec); this is what tables cannot say.
 * Source: the version history of the Engine API, 1.24 to 1.51. Tests: test/unit/api/older.c,
 * test/e2e/t2050-versions.sh. */
#pragma once
#include "api/call.h"

/* Members that did not exist in the client's version are taken out or refused, as the peer does,
 * and defaults are those of that version. Memory in a. */
struct err older_container_create(struct api_container_create *doc, int minor, struct arena *a);
/* An error of a removal in the words of before 1.44, for clients that look for them. */
struct err older_remove(struct err e, const char *id, int minor);
void older_exec_create(struct api_exec_create *doc, int minor);
/* Members that the client's version had elsewhere. */
void older_container(struct api_container *doc, int minor, struct arena *a);
