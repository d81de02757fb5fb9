/* The row of a container: its configuration as one JSON document that never changes, its state as
 * another that is rewritten. */
#include "container/private.h"
#include "spec/corten_build.h"
#include <stdlib.h>

/* --- documents
 * ----------------------------------------------------------------------------------------- */

static const struct field mount_rows[] = {
    FIELD(struct container_mount, type, "Type", F_STR),
    FIELD(struct container_mount, name, "Name", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct container_mount, source, "Source", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct container_mount, destination, "Destination", F_STR),
    FIELD(struct container_mount, mode, "Mode", F_STR),
    FIELD(struct container_mount, propagation, "Propagation", F_STR),
    FIELD(struct container_mount, tmpfs_options, "TmpfsOptions", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct container_mount, rw, "RW", F_BOOL),
    FIELD(struct container_mount, no_copy, "NoCopy", F_BOOL),
    FIELD(struct container_mount, anonymous, "Anonymous", F_BOOL),
    FIELD(struct container_mount, flat, "Flat", F_BOOL),
    FIELD(struct container_mount, ro_top, "ReadOnlyTop", F_BOOL, .flags = OMIT_EMPTY),
    FIELD(struct container_mount, subpath, "Subpath", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct container_mount, image_id, "ImageID", F_STR, .flags = OMIT_EMPTY),
};
static const struct fields mount_fields = {"mount", sizeof(struct container_mount), mount_rows,
                                           ARRAY_LEN(mount_rows)};

static const struct field record_rows[] = {
    FIELD(struct container_record, config, "Config", F_OBJPTR, .sub = &api_config_fields),
    FIELD(struct container_record, host, "HostConfig", F_OBJPTR, .sub = &api_host_config_fields),
    FIELD(struct container_record, networking, "NetworkingConfig", F_OBJPTR,
          .sub = &api_networking_config_fields, .flags = OMIT_EMPTY),
    FIELD(struct container_record, image_ref, "ImageRef", F_STR),
    FIELD(struct container_record, image_id, "ImageID", F_STR),
    FIELD(struct container_record, mounts, "Mounts", F_ARRAY, .sub = &mount_fields),
};
static const struct fields record_fields = {"container", sizeof(struct container_record),
                                            record_rows, ARRAY_LEN(record_rows)};

struct state_record {
    char *status, *error, *hook;
    bool oom_killed, stopped_by_user;
    int32_t exit_code;
    int64_t started_at, finished_at, restart_count, first_started_at, deployed_by;
    int64_t log_dropped, log_removed_files, log_removed_bytes;
};
static const struct field state_rows[] = {
    FIELD(struct state_record, status, "Status", F_STR),
    FIELD(struct state_record, error, "Error", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct state_record, hook, "Webhook", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct state_record, oom_killed, "OOMKilled", F_BOOL),
    FIELD(struct state_record, stopped_by_user, "StoppedByUser", F_BOOL),
    FIELD(struct state_record, exit_code, "ExitCode", F_I32),
    FIELD(struct state_record, started_at, "StartedAt", F_I64),
    FIELD(struct state_record, finished_at, "FinishedAt", F_I64),
    FIELD(struct state_record, restart_count, "RestartCount", F_I64),
    FIELD(struct state_record, first_started_at, "FirstStartedAt", F_I64, .flags = OMIT_EMPTY),
    FIELD(struct state_record, deployed_by, "DeployedBy", F_I64, .flags = OMIT_EMPTY),
    FIELD(struct state_record, log_dropped, "LogDropped", F_I64, .flags = OMIT_EMPTY),
    FIELD(struct state_record, log_removed_files, "LogRemovedFiles", F_I64, .flags = OMIT_EMPTY),
    FIELD(struct state_record, log_removed_bytes, "LogRemovedBytes", F_I64, .flags = OMIT_EMPTY),
};
static const struct fields state_fields = {"state", sizeof(struct state_record), state_rows,
                                           ARRAY_LEN(state_rows)};

void container_record_print(const struct container_record *r, struct buf *out) {
    fields_print_sparse(&record_fields, r, out);
}

struct err container_record_apply(struct container *c, struct str text) {
    struct container_record r;
    TRY(fields_decode(&record_fields, text, &c->arena, &r));
    if (!r.config || !r.host || !r.image_id)
        return err_new(ERR_SYSTEM, "the record lacks Config, HostConfig or ImageID");
    c->config = r.config;
    c->host = r.host;
    c->networking = r.networking;
    c->image_ref = r.image_ref ? r.image_ref : arena_strz(&c->arena, r.image_id);
    c->image_id = r.image_id;
    c->mounts = r.mounts.items;
    c->mounts_n = r.mounts.n;
    c->auto_remove = c->host->auto_remove;
    c->brief = c->auto_remove || strmap_get(&c->config->labels, BUILD_LABEL);
    return OK;
}

void container_set_directory(struct container *c, const char *boot_id) {
    const char *root = c->all->config.data_root;
    c->directory = c->brief ? arena_printf(&c->arena, "%s/ephemeral/%s/%s", root, boot_id, c->id)
                            : arena_printf(&c->arena, "%s/container/%s", root, c->id);
}

/* --- rows
 * ---------------------------------------------------------------------------------------------- */

static void print_state(const struct container *c, struct buf *out) {
    struct state_record s = {
        .status = (char *)container_state_name(c->state),
        .error = c->error,
        .hook = (char *)(uintptr_t)c->hook,
        .oom_killed = c->oom_killed,
        .stopped_by_user = c->stopped_by_user,
        .exit_code = c->exit_code,
        .started_at = c->started_at,
        .finished_at = c->finished_at,
        .restart_count = c->restart_count,
        .first_started_at = c->first_started_at,
        .deployed_by = c->deployed_by,
        .log_dropped = (int64_t)c->log_before.dropped,
        .log_removed_files = (int64_t)c->log_before.removed_files,
        .log_removed_bytes = (int64_t)c->log_before.removed_bytes,
    };
    fields_print_sparse(&state_fields, &s, out);
}

void container_record_insert(struct container *c, struct str config, struct store_txn *t) {
    CLEAN_BUF struct buf state = {0};
    print_state(c, &state);
    store_add(t,
              "INSERT INTO container (id, name, created, image, config, state, auto_remove, boot) "
              "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
              "ssisttis", c->id, c->name, c->created, c->image_id, config, buf_str(&state),
              (int64_t)c->brief, c->all->boot_id);
}

void container_record_state(struct container *c, struct store_txn *t) {
    CLEAN_BUF struct buf state = {0};
    print_state(c, &state);
    store_add(t, "UPDATE container SET state = ? WHERE id = ?", "ts", buf_str(&state), c->id);
}

void container_record_config(struct container *c, struct store_txn *t) {
    struct container_record record = {c->config,    c->host,     c->networking,
                                      c->image_ref, c->image_id, {c->mounts, c->mounts_n, true}};
    CLEAN_BUF struct buf text = {0};
    container_record_print(&record, &text);
    store_add(t, "UPDATE container SET config = ? WHERE id = ?", "ts", buf_str(&text), c->id);
}

void container_record_unname(struct container *c, struct store_txn *t) {
    store_add(t, "UPDATE container SET name = id WHERE id = ?", "s", c->id);
}

void container_record_delete(const char *id, struct store_txn *t) {
    store_add(t, "DELETE FROM container WHERE id = ?", "s", id);
}

void container_save_lazy(struct container *c) {
    struct store_txn *t = store_txn_new();
    container_record_state(c, t);
    store_commit(c->all->config.store, t, STORE_LAZY, NULL, NULL);
}

/* --- load
 * ---------------------------------------------------------------------------------------------- */

static struct err load_state(struct container *c, struct str text) {
    struct state_record s;
    CLEAN_ARENA struct arena a = {0};
    TRY(fields_decode(&state_fields, text, &a, &s));
    if (!container_state_from_name(s.status, &c->state))
        return err_new(ERR_SYSTEM, "unknown state '%s'", s.status ? s.status : "");
    free(c->error);
    c->error = mem_strdup(s.error ? s.error : "");
    if (s.hook && strlen(s.hook) == 64)
        memcpy(c->hook, s.hook, sizeof c->hook);
    c->oom_killed = s.oom_killed;
    c->stopped_by_user = s.stopped_by_user;
    c->exit_code = s.exit_code;
    c->started_at = s.started_at;
    c->finished_at = s.finished_at;
    c->restart_count = s.restart_count;
    c->first_started_at = s.first_started_at;
    c->deployed_by = s.deployed_by;
    c->log_before = (struct logs_missing){(uint64_t)s.log_dropped, (uint64_t)s.log_removed_files,
                                          (uint64_t)s.log_removed_bytes};
    return OK;
}

static void hold_all(struct container *c) {
    struct image *image = image_by_id(c->all->config.images, str_of(c->image_id));
    c->hold.container_id = c->id;
    if (image)
        image_hold(image, &c->hold);
    else
        log_warn("container %s: its image %s is gone", c->id, c->image_id);
    container_hold_images(c);
    for (size_t i = 0; i < c->mounts_n; i++) {
        struct container_mount *m = &c->mounts[i];
        if (strcmp(m->type, "volume") != 0)
            continue;
        struct err e = volume_hold(c->all->config.volumes, m->name, c->id);
        m->held = !err_failed(e);
        log_err(LOG_WARN, e, "container %s: volume '%s'", c->id, m->name);
    }
}

static struct err load_parts(struct container *c, struct store_row *r) {
    TRY(container_record_apply(c, row_blob(r, 3)));
    TRY(load_state(c, row_blob(r, 4)));
    const char *boot = row_text(r, 5);
    c->other_boot = !boot || strcmp(boot, c->all->boot_id) != 0;
    container_set_directory(c, boot ? boot : c->all->boot_id);
    return OK;
}

/* A row that cannot be read is set aside with a clear message; the others work. */
static struct err load_row(void *arg, struct store_row *r) {
    struct containers *cs = arg;
    struct container *c = container_new(cs);
    const char *id = row_text(r, 0), *name = row_text(r, 1);
    struct err e = OK;
    if (!id || strlen(id) != 64 || !name)
        e = err_new(ERR_SYSTEM, "bad id or name");
    if (!err_failed(e)) {
        memcpy(c->id, id, 65);
        c->created = row_int(r, 2);
        e = load_parts(c, r);
    }
    if (!err_failed(e))
        e = container_reserve(cs, c, name);
    if (err_failed(e)) {
        log_err(LOG_ERROR, e, "container %s: its row cannot be read and is left alone",
                id ? id : "?");
        container_free(c);
        return OK;
    }
    hold_all(c);
    return OK;
}

struct err container_load_all(struct containers *cs) {
    return store_load(
        cs->config.store,
        "SELECT id, name, created, config, state, boot FROM container ORDER BY created", load_row,
        cs);
}
