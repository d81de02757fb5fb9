/* upload_memory.h - uploads that were not ended, so that the next push goes on with them: one file
 * image/upload/<digest of registry, repository and blob> with the upload's Location each, for a
 * day. Whether the registry still knows it, and how far it came, it is asked. Best effort: what
 * cannot be kept is begun anew. Private to registry/; worker only. Tests:
 * test/e2e/t1203-registry-push.sh. */
#pragma once
#include "registry/client.h"

#define UPLOAD_KEEP (24 * 3600) /* s */

/* Opens the directory and forgets what is too old. -1: nothing is kept. */
int upload_memory_open(int root_fd);
void upload_remember(int dir_fd, const struct registry *r, const char *digest,
                     const char *location);
/* NULL: no upload is known. Owned. */
char *upload_recall(int dir_fd, const struct registry *r, const char *digest);
void upload_forget(int dir_fd, const struct registry *r, const char *digest);
