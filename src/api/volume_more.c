/* /corten/volumes: files in and out, rename, snapshot, labels. Not the peer's. */
#include "api/handlers.h"
#include "api/view.h"
#include "spec/api_volume.h"
#include <string.h>

static void files(struct api_call *c, enum container_archive what) {
    struct volume *v = NULL;
    struct http_taken taken;
    struct err e = volume_get(c->api->volumes, c->arg[0], &v);
    const char *path = api_query(c, "path");
    if (!err_failed(e) && what != CONTAINER_ARCHIVE_ALL && (!path || !*path))
        e = err_new(ERR_INVALID, "bad parameter: path cannot be empty");
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct container_files o = {
        .path = path,
        .keep_kind = api_query_bool(c, "noOverwriteDirNonDir", false),
    };
    struct containers *cs = c->api->containers;
    CLEAN_ARENA struct arena kept = c->arena; /* the texts outlive the call */
    c->arena = (struct arena){0};
    if (api_take_socket(c, &taken))
        container_volume_files(cs, v, what, &o, &taken);
}

void api_volume_stat(struct api_call *c) {
    files(c, CONTAINER_ARCHIVE_STAT);
}

void api_volume_get(struct api_call *c) {
    files(c, CONTAINER_ARCHIVE_GET);
}

void api_volume_put(struct api_call *c) {
    files(c, CONTAINER_ARCHIVE_PUT);
}

void api_volume_export(struct api_call *c) {
    files(c, CONTAINER_ARCHIVE_ALL);
}

static void changed(void *arg, struct err e, struct volume *v) {
    struct api_call *c = arg;
    struct api_volume doc;
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    view_volume(v, &c->arena, &doc);
    api_reply_doc(c, 200, &api_volume_fields, &doc);
}

void api_volume_rename(struct api_call *c) {
    const char *to = api_query(c, "name");
    volume_rename(c->api->volumes, c->arg[0], to ? to : "", changed, c);
}

void api_volume_snapshot(struct api_call *c) {
    const char *to = api_query(c, "name");
    volume_snapshot(c->api->volumes, c->arg[0], to ? to : "", changed, c);
}

static void labels(struct api_call *c, void *arg) {
    const struct api_volume_labels *doc = arg;
    volume_relabel(c->api->volumes, c->arg[0], &doc->labels, changed, c);
}

void api_volume_relabel(struct api_call *c) {
    api_read_json(c, &api_volume_labels_fields, labels);
}
