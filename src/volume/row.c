/* Volumes in the store: table `volume`, one row each. */
#include "volume/private.h"

struct volume_row {
    struct strmap labels, options;
    bool unfinished, removing;
    char *was, *mount_id;
};

FIELDS(volume_row_fields, struct volume_row,
       FIELD(struct volume_row, labels, "labels", F_STRMAP, OMIT_EMPTY),
       FIELD(struct volume_row, options, "options", F_STRMAP, OMIT_EMPTY),
       FIELD(struct volume_row, unfinished, "unfinished", F_BOOL, OMIT_EMPTY),
       FIELD(struct volume_row, removing, "removing", F_BOOL, OMIT_EMPTY),
       FIELD(struct volume_row, was, "was", F_STR, OMIT_EMPTY),
       FIELD(struct volume_row, mount_id, "mount", F_STR, OMIT_EMPTY));

void volume_row_put(struct store_txn *t, const struct volume *x) {
    struct volume_row r = {.labels = x->labels,
                           .options = x->options,
                           .unfinished = x->own->unfinished,
                           .removing = x->own->removing,
                           .was = x->own->was,
                           .mount_id = x->own->mount_id};
    CLEAN_BUF struct buf data = {0};
    fields_print(&volume_row_fields, &r, &data);
    store_add(t,
              "INSERT OR REPLACE INTO volume(name, driver, created, anonymous, data)"
              " VALUES(?, ?, ?, ?, ?)",
              "ssiit", x->name, x->driver, x->created, (int64_t)x->anonymous, buf_str(&data));
}

void volume_row_delete(struct store_txn *t, const char *name) {
    store_add(t, "DELETE FROM volume WHERE name = ?", "s", name);
}

static struct err load_row(void *arg, struct store_row *row) {
    struct volumes *v = arg;
    const char *name = row_text(row, 0);
    if (!name)
        return err_new(ERR_SYSTEM, "volume row without a name in the store");
    /* The name becomes a path: what came from a file is looked at as if it came from outside. */
    TRYF(volume_name_check(name), "volume row in the store");
    struct volume *x = volume_new(v, name);
    x->created = row_int(row, 1);
    x->anonymous = row_int(row, 2) != 0;
    x->state = VOLUME_READY;
    struct volume_row r;
    struct err e = fields_decode(&volume_row_fields, str_of(row_text(row, 3)), &x->own->arena, &r);
    if (err_failed(e)) {
        volume_free(x);
        return err_wrap(e, "volume '%s'", name);
    }
    x->labels = r.labels;
    x->options = r.options;
    x->own->unfinished = r.unfinished;
    x->own->removing = r.removing;
    x->own->was = r.was;
    x->own->mount_id = r.mount_id;
    if (r.was)
        TRYF(volume_name_check(r.was), "volume row in the store");
    if (row_text(row, 4))
        x->driver = arena_strz(&x->own->arena, row_text(row, 4));
    volumes_insert(v, x);
    return OK;
}

struct err volume_rows_load(struct volumes *v) {
    return store_load(v->store,
                      "SELECT name, created, anonymous, data, driver FROM volume ORDER BY name",
                      load_row, v);
}
