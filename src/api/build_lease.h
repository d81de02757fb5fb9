/* build_lease.h - what builds own, and its end. Private to api/. Loop thread. Test: test/e2e/t6011.
 */
#pragma once
#include "api/api.h"

#define BUILD_TEMP "tmp" /* below the data root: directories of builders that the daemon started \
                          */
#define BUILD_TEMP_DEAD "tmp.dead"

/* Removes the containers of a build's steps; id NULL: of all builds. */
void build_sweep_containers(const struct api *api, const char *id);
/* When the daemon starts: no build outlives the daemon, so what is there is left behind. */
void build_restore(const struct api *api);
