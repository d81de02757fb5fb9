/* runtime/hooks.h - the programs that config.json wants run at points of a container's life
 * (OCI runtime specification, config.md "POSIX-platform Hooks"). Private to runtime/.
 *
 * A hook is executed directly (no shell), with the container's state on its standard input, our
 * standard output and error, and our environment unless it names one. It has to end within its
 * timeout (default: ten minutes) or is killed; one that fails, fails what it was a part of, except
 * poststart and poststop, whose failures are warnings. Only corten-runtime's own callers can name
 * hooks: the daemon composes its configurations without any.
 */
#pragma once
#include "runtime/runtime.h"

/* pid 0: read from /proc/self, for a child that has a pid namespace of its own. */
struct err hooks_run(const struct objs *hooks, const char *kind,
                     const struct runtime_create_options *o, const char *status, pid_t pid);
