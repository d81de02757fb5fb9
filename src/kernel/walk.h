/* kernel/walk.h - the fallback of kernel/beneath.h for kernels and filters without openat2: a path
 * is walked by hand. Private to beneath.c and its test, which forces it. */
#pragma once
#include <sys/types.h>

/* As openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS. Descriptor or -errno. */
int walk_open(int root, const char *path, int flags, mode_t mode);
