/* archive, export, changes: each gives the client's socket to a worker. */
#include "api/handlers.h"
#include <string.h>

static bool find(struct api_call *c, struct container **ret) {
    struct err e = container_find(c->api->containers, c->arg[0], ret);
    if (err_failed(e))
        api_reply_err(c, e);
    return *ret != NULL;
}

static void archive(struct api_call *c, enum container_archive what) {
    struct container *k = NULL;
    struct http_taken taken;
    const char *path = api_query(c, "path");
    if (!path || !*path) {
        api_reply_err(c, err_new(ERR_INVALID, "bad parameter: path cannot be empty"));
        return;
    }
    if (!find(c, &k))
        return;
    struct container_files o = {
        .name = c->arg[0],
        .path = path,
        .keep_kind = api_query_bool(c, "noOverwriteDirNonDir", false),
        .own = api_query_bool(c, "copyUIDGID", false),
    };
    CLEAN_ARENA struct arena kept = c->arena; /* the texts outlive the call */
    c->arena = (struct arena){0};
    if (api_take_socket(c, &taken))
        container_archive(k, what, &o, &taken);
}

void api_container_archive_stat(struct api_call *c) {
    archive(c, CONTAINER_ARCHIVE_STAT);
}

void api_container_archive_get(struct api_call *c) {
    archive(c, CONTAINER_ARCHIVE_GET);
}

void api_container_archive_put(struct api_call *c) {
    archive(c, CONTAINER_ARCHIVE_PUT);
}

void api_container_export(struct api_call *c) {
    struct container *k = NULL;
    struct http_taken taken;
    if (find(c, &k) && api_take_socket(c, &taken))
        container_export(k, &taken);
}

void api_container_changes(struct api_call *c) {
    struct container *k = NULL;
    struct http_taken taken;
    if (find(c, &k) && api_take_socket(c, &taken))
        container_changes(k, &taken);
}
