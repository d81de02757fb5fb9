/* daemon/home.h - inside of daemon/: the cgroup of what outlives the daemon.
 *
 * Under a service manager the daemon lives in a cgroup of the manager's, and whoever is born there
 * shares its fate: a memory limit of the service reaches them, a stop may. So monitors, corten-dns
 * and corten-relay are born in "/<instance>/monitors", in every hierarchy that confines the daemon;
 * where none does there is no such cgroup. Workers stay with the daemon: they end with their job,
 * and what they take is the service's to account for. Loop thread, at start and end.
 * Tests: test/e2e/t0321-own-cgroup.sh, test/e2e/t0322-package-vm.sh.
 */
#pragma once
#include "kernel/cgroup.h"

struct home {
    struct cgroup cgroup;
    bool made;
};
/* What goes wrong is logged: monitors then live with the daemon. */
void home_make(struct home *h, const char *instance);
/* Where they are born; NULL: with the daemon. */
const struct cgroup *home_cgroup(const struct home *h);
/* Takes the directory away, also an earlier daemon's. False: somebody lives there. */
bool home_leave(const char *instance);
