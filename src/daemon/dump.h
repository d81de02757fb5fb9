/* daemon/dump.h - what the daemon is at, for whoever wonders (SIGUSR1). Private to daemon/. */
#pragma once
#include "api/api.h"

/* Writes <run-root>/dump-<unix seconds>.txt (mode 0600): the threads and what they wait for, every
 * container with the operations that are under way for it, the open descriptors, all figures of the
 * metrics. On the loop: a few milliseconds, no disk (the run root is in memory). Logs the path, or
 * why there is none. Test: test/e2e/t0310-metrics.sh. */
void dump_write(const struct api *api);
