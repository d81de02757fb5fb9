/* runtime/listener.h - seccomp's SCMP_ACT_NOTIFY: the descriptor on which a supervisor is asked
 * about system calls (seccomp_unotify(2)) goes to linux.seccomp.listenerPath with the container's
 * process state (runtime specification, config-linux.md, "The Container Process State"). Private to
 * runtime/.
 *
 * From the moment the filter is on, every call of the process may wait for the supervisor, which
 * has no descriptor yet: so the process makes none. It shares a page with the parent (the memory
 * file comes with SYNC_LISTENER, sent before), writes there which number the descriptor has, and
 * turns in user space until the parent, which fetches it by pidfd_getfd(2), has handed it over.
 * Tests: test/kernel/runtime-listener.c.
 */
#pragma once
#include "kernel/seccomp.h"
#include "runtime/runtime.h"

/* What is told with the descriptor; copied, because a box outlives the configuration. */
struct listener {
    char *path, *metadata;
    char *oci_version, *id, *bundle;
    char *annotations; /* JSON */
};
/* NULL when no filter of the configuration notifies. ERR_INVALID: it does, and there is no
 * listenerPath. */
struct err listener_new(const struct runtime_create_options *o, struct listener **ret);
/* One of the actions is SCMP_ACT_NOTIFY. */
bool listener_wanted(const struct oci_seccomp *s);
struct listener *listener_free(struct listener *l);

/* Child: loads the filter; returns when the parent has the descriptor. open_up: the parent has no
 * rights of its own. */
struct err listener_install(int sync, const struct seccomp_program *p, unsigned flags,
                            bool open_up);
/* Parent: after SYNC_LISTENER; page is the descriptor that came with it. On error the process must
 * be killed: it would turn for ever (and gives up by itself after a minute or two). */
struct err listener_serve(const struct listener *l, int page, pid_t pid, int pidfd,
                          const char *status);
