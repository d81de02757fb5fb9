/* daemon/defaults.h - inside of daemon/: what the settings say for containers that leave it open
 * (default-ulimit, default-shm-size, dns, log-driver, init, seccomp-profile, …), as container/
 * takes it. The profile's file is read here, once.
 */
#pragma once
#include "container/container.h"
#include "daemon/daemon.h"

/* All memory is a's. Errors name the setting. */
struct err defaults_read(const struct daemon_config *c, struct arena *a,
                         struct container_defaults *ret);
