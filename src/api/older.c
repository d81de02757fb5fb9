#include "api/older.h"
#include <string.h>

/* --- create
 * ---------------------------------------------------------------------------------------- */

static struct err older_mount(struct api_mount *m, int minor) {
    if (m->bind_options && minor < 40)
        m->bind_options->non_recursive = false;
    if (m->bind_options && minor < 44)
        m->bind_options->read_only_non_recursive = m->bind_options->read_only_force_recursive =
            false;
    if (m->bind_options && minor < 42)
        m->bind_options->create_mountpoint = false;
    if (minor < 45 && m->volume_options && m->volume_options->subpath &&
        *m->volume_options->subpath)
        return err_new(ERR_INVALID, "VolumeOptions.Subpath needs API version 1.45 or newer");
    if (minor < 46 && m->tmpfs_options && m->tmpfs_options->options.n)
        return err_new(ERR_INVALID, "TmpfsOptions.Options needs API version 1.46 or newer");
    return OK;
}

static struct err older_host(struct api_host_config *h, int minor, struct arena *a) {
    struct api_mount *m = h->mounts.items;
    if (minor < 25) /* the client removes it */
        h->auto_remove = false;
    if (minor < 40 && (!h->ipc_mode || !*h->ipc_mode))
        h->ipc_mode = arena_strz(a, "shareable");
    if (minor < 41)
        h->cgroupns_mode = NULL;
    if (minor < 42)
        h->console_size[0] = h->console_size[1] = 0;
    if (minor < 43)
        h->annotations = (struct strmap){0};
    for (size_t i = 0; i < h->mounts.n; i++)
        TRY(older_mount(&m[i], minor));
    return OK;
}

static struct err one_endpoint(const struct api_networking_config *n) {
    CLEAN_BUF struct buf names = {0};
    if (!n || n->endpoints.n < 2)
        return OK;
    for (size_t i = 0; i < n->endpoints.n; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", n->endpoints.items[i].key);
    return err_new(ERR_INVALID, "Container cannot be connected to network endpoints: %s",
                   buf_cstr(&names));
}

struct err older_container_create(struct api_container_create *doc, int minor, struct arena *a) {
    if (minor < 44)
        TRY(one_endpoint(doc->networking));
    if (minor < 44 && doc->config.healthcheck)
        doc->config.healthcheck->start_interval = 0;
    return doc->host ? older_host(doc->host, minor, a) : OK;
}

struct err older_remove(struct err e, const char *id, int minor) {
    static const char mark[] = "\": container is ", end[] = ": stop the container";
    const char *state = strstr(err_msg(e), mark);
    const char *after = state ? strstr(state, end) : NULL;
    if (minor >= 44 || err_kind(e) != ERR_CONFLICT || !after)
        return e;
    state += sizeof(mark) - 1;
    bool paused = str_eqz(str_n(state, (size_t)(after - state)), "paused");
    struct err older = err_new(ERR_CONFLICT,
                               "You cannot remove a %.*s container %s. %s the container before "
                               "attempting removal or force remove",
                               (int)(after - state), state, id,
                               paused ? "Unpause and then stop" : "Stop");
    err_free(e);
    return older;
}

void older_exec_create(struct api_exec_create *doc, int minor) {
    if (minor < 42)
        doc->console_size[0] = doc->console_size[1] = 0;
}

/* --- inspect
 * --------------------------------------------------------------------------------------- */

void older_container(struct api_container *doc, int minor, struct arena *a) {
    const char *mode = doc->host->network_mode;
    if (minor < 44) { /* it was the container's, not its endpoint's */
        const struct api_endpoint *e = objmap_get(&doc->network.networks, mode);
        struct api_config *config = arena_alloc(a, sizeof *config);
        *config = *doc->config;
        if (e && e->mac_address && *e->mac_address)
            config->mac_address = e->mac_address;
        doc->config = config;
    }
    for (size_t i = 0; minor < 45 && i < doc->network.networks.n; i++) {
        struct api_endpoint *e = doc->network.networks.items[i].value;
        char *id = arena_str(a, str_n(doc->id, 12));
        if (!strcmp(doc->network.networks.items[i].key, "bridge") || strs_has(&e->aliases, id))
            continue;
        struct strs aliases = {.present = true};
        for (size_t k = 0; k < e->aliases.n; k++)
            strs_add(&aliases, a, e->aliases.items[k]);
        strs_add(&aliases, a, id);
        e->aliases = aliases;
    }
}
