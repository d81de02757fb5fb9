#include "daemon/home.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define HOME_PATH "/%s/monitors"

static struct err make(struct home *h, const char *instance) {
    char path[CGROUP_PATH_MAX];
    struct cgroup_host host;
    TRY(cgroup_detect(&host));
    TRY(cgroup_keep_confining(&host));
    if (!host.trees_n)
        return OK;
    snprintf(path, sizeof(path), HOME_PATH, instance);
    TRY(cgroup_adopt(&host, path, &h->cgroup));
    h->made = true;
    return OK;
}

void home_make(struct home *h, const char *instance) {
    log_err(LOG_WARN, err_wrap(make(h, instance), "a cgroup for the monitors"), "daemon");
}

const struct cgroup *home_cgroup(const struct home *h) {
    return h->made ? &h->cgroup : NULL;
}

bool home_leave(const char *instance) {
    struct cgroup_host host;
    struct err e = cgroup_detect(&host);
    if (err_failed(e)) {
        err_ignore(e); /* then there is none to be taken away either */
        return true;
    }
    bool gone = true;
    for (size_t i = 0; i < host.trees_n; i++) {
        char full[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
        snprintf(full, sizeof(full), "%s" HOME_PATH, host.trees[i].mount, instance);
        gone &= rmdir(full) == 0 || errno == ENOENT;
    }
    return gone;
}
