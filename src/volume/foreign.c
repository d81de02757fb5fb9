/* Volumes that plugins have and nobody here has made: what each plugin answers to List. The
 * directories are read on the pool; each plugin is asked by a worker of its own, all at once. */
#include "base/path.h"
#include "spec/volume_plugin.h"
#include "volume/private.h"
#include <dirent.h>

#define PLUGINS_MAX 64
#define VOLUMES_MAX 100000
#define LIST_TIMEOUT (10 * NSEC_PER_SEC)

struct listing {
    struct volumes *volumes;
    struct volume_foreign result; /* and the arena of it all */
    struct strs dirs, drivers;
    size_t waiting;
    void (*done)(void *arg, const struct volume_foreign *f);
    void *arg;
};

/* One plugin. */
struct listed {
    struct listing *listing;
    char *driver;
    struct worker *worker;
    struct timer *deadline;
    bool late;
};

static void listing_end(struct listing *l) {
    l->done(l->arg, &l->result);
    arena_done(&l->result.arena);
    free(l);
}

/* --- which plugins there are: pool --------------------------------------------------------------
 */

static void note(struct listing *l, struct str name) {
    char *z = arena_str(&l->result.arena, name);
    struct err e = volume_plugin_name_check(z);
    bool right = !err_failed(e);
    err_ignore(e); /* a file that is no plugin's */
    if (right && l->drivers.n < PLUGINS_MAX && !strs_has(&l->drivers, z))
        strs_add(&l->drivers, &l->result.arena, z);
}

static void note_file(struct listing *l, const char *file) {
    static const char *const ends[] = {".sock", ".spec", ".json"};
    struct str name = str_of(file);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(name, str_of(ends[i])))
            note(l, str_sub(name, 0, name.len - strlen(ends[i])));
}

static struct err look(void *arg) {
    struct listing *l = arg;
    for (size_t i = 0; i < l->dirs.n; i++) {
        DIR *d = opendir(l->dirs.items[i]);
        if (!d)
            continue; /* most hosts have none of them */
        for (struct dirent *entry; (entry = readdir(d));) {
            if (entry->d_name[0] == '.')
                continue;
            if (entry->d_type == DT_DIR)
                note(l, str_of(entry->d_name)); /* NAME/NAME.sock, or nothing */
            else
                note_file(l, entry->d_name);
        }
        closedir(d);
    }
    return OK;
}

/* --- what they have -----------------------------------------------------------------------------
 */

struct err volume_list_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds UNUSED,
                           size_t fds_n UNUSED, struct buf *ret_result) {
    CLEAN_ARENA struct arena a = {0};
    struct plugin_call call;
    TRY(fields_decode(&plugin_call_fields, args, &a, &call));
    return volume_plugin_text(&call, ret_result);
}

static void take(struct listed *p, struct str text) {
    struct listing *l = p->listing;
    struct arena *a = &l->result.arena;
    struct volume_plugin_list doc;
    struct err e = fields_decode(&volume_plugin_list_fields, text, a, &doc);
    if (!err_failed(e) && doc.error && *doc.error)
        e = err_new(ERR_SYSTEM, "%s", doc.error);
    if (err_failed(e)) {
        strs_add(&l->result.warnings, a,
                 arena_printf(a, "plugin \"%s\": VolumeDriver.List: %s", p->driver, err_msg(e)));
        err_free(e);
        return;
    }
    const struct volume_plugin_volume *v = doc.volumes.items;
    for (size_t i = 0; i < doc.volumes.n && l->result.items.n < VOLUMES_MAX; i++) {
        if (!v[i].name || !*v[i].name)
            continue;
        struct volume_plugged *to = objs_add(&l->result.items, a, sizeof(*to));
        *to = (struct volume_plugged){p->driver, v[i].name, v[i].mountpoint ? v[i].mountpoint : ""};
    }
}

static void answered(void *arg, struct str result, struct err e) {
    struct listed *p = arg;
    struct listing *l = p->listing;
    struct arena *a = &l->result.arena;
    timer_free(p->deadline);
    if (!err_failed(e))
        take(p, result);
    else if (p->late)
        strs_add(&l->result.warnings, a,
                 arena_printf(a, "plugin \"%s\": VolumeDriver.List: no answer", p->driver));
    else if (err_kind(e) != ERR_INVALID && err_kind(e) != ERR_NOT_FOUND) /* not one for volumes */
        strs_add(&l->result.warnings, a, arena_strz(a, err_msg(e)));
    err_ignore(e); /* it is among the warnings */
    free(p);
    if (--l->waiting == 0)
        listing_end(l);
}

static void too_late(void *arg) {
    struct listed *p = arg;
    p->late = true;
    worker_cancel(p->worker);
}

static void ask(struct listing *l, char *driver) {
    struct volumes *v = l->volumes;
    CLEAN_BUF struct buf args = {0};
    struct plugin_call doc = {
        .dirs = v->plugin_dirs, .driver = driver, .call = (char *)(uintptr_t) "List"};
    fields_print(&plugin_call_fields, &doc, &args);
    struct listed *p = NEW(struct listed);
    *p = (struct listed){.listing = l, .driver = driver};
    struct worker_start s = {.program = v->worker,
                             .job = "volume-list",
                             .args = buf_str(&args),
                             .done = answered,
                             .arg = p};
    p->deadline = timer_new(v->loop, LIST_TIMEOUT, 0, too_late, p);
    p->worker = worker_start(v->loop, &s);
}

static void looked(void *arg, struct err e) {
    struct listing *l = arg;
    err_ignore(e); /* look has none */
    l->waiting = l->drivers.n;
    if (!l->waiting) {
        listing_end(l);
        return;
    }
    for (size_t i = 0, n = l->drivers.n; i < n; i++) /* the answers come later */
        ask(l, l->drivers.items[i]);
}

void volumes_foreign(struct volumes *v, void (*done)(void *arg, const struct volume_foreign *f),
                     void *arg) {
    struct listing *l = NEW(struct listing);
    l->volumes = v;
    l->done = done;
    l->arg = arg;
    if (v->worker)
        l->dirs = v->plugin_dirs;
    job_submit(v->loop, look, looked, l);
}
