/* The tables of all nouns, as numbered migrations. A migration is never edited once it was
 * released: a change is a new one at the end. Times are wall nanoseconds, digests are 32 bytes
 * unless noted. */
#include "store/db.h"
#include <inttypes.h>

/* PRAGMA application_id: "cort". Tells our database from any other SQLite file. */
#define APPLICATION_ID 0x636f7274

static const char *const migrations[] = {
    /* 1: the first tables */
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"

    /* image/: what is on disk. state: 0 reserved by a job, 1 there, 2 being removed. unsynced: id
     * of the boot in which the layer was written without fsync; NULL: synced. */
    "CREATE TABLE layer (id INTEGER PRIMARY KEY AUTOINCREMENT, diff_id BLOB NOT NULL,"
    " size INTEGER NOT NULL, state INTEGER NOT NULL, unsynced TEXT);"
    "CREATE TABLE blob (digest BLOB PRIMARY KEY, diff_id BLOB NOT NULL, size INTEGER NOT NULL,"
    " compression INTEGER NOT NULL, state INTEGER NOT NULL, source TEXT) WITHOUT ROWID;"
    /* layers: the diff ids one after the other, lowest first. */
    "CREATE TABLE image (id BLOB PRIMARY KEY, config BLOB NOT NULL, layers BLOB,"
    " created INTEGER NOT NULL, parent BLOB, tagged_at INTEGER NOT NULL,"
    " removed INTEGER NOT NULL);"
    "CREATE TABLE image_tag (ref TEXT PRIMARY KEY, image BLOB NOT NULL,"
    " tagged_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE build_cache (key TEXT PRIMARY KEY, image BLOB NOT NULL,"
    " used_at INTEGER NOT NULL) WITHOUT ROWID;"

    /* data, config, state: JSON by the noun's own field tables. */
    "CREATE TABLE volume (name TEXT PRIMARY KEY, driver TEXT NOT NULL, created INTEGER NOT NULL,"
    " anonymous INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE network (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,"
    " predefined INTEGER NOT NULL, created INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE container (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " created INTEGER NOT NULL, image TEXT, config TEXT NOT NULL, state TEXT NOT NULL,"
    " auto_remove INTEGER NOT NULL, boot TEXT);",

    /* 2: api/: the last events, a ring of rows; slot is seq modulo its size. doc: JSON as sent. */
    "CREATE TABLE event (slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, doc TEXT NOT NULL);",

    /* 3: image/: used_at: when the last container or build that used the image let go of it. tree:
     * digest of the tar that layer_tar makes of a directory that its blob has proved. */
    "ALTER TABLE image ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE layer ADD COLUMN tree BLOB;",

    /* 4: image/: manifests, indexes and attestations as they came; digest names a blob, kind is
     * enum document_kind, a larger id came later. */
    "CREATE TABLE image_document (id INTEGER PRIMARY KEY, image BLOB NOT NULL,"
    " digest BLOB NOT NULL, kind INTEGER NOT NULL, UNIQUE (image, digest));"
    "CREATE TRIGGER image_gone AFTER DELETE ON image BEGIN"
    " DELETE FROM image_document WHERE image = old.id; END;",

    /* 5: image/: blob.state 3: a part of it is there, since then (partial.c). */
    "ALTER TABLE blob ADD COLUMN since INTEGER NOT NULL DEFAULT 0;",

    /* 6: container/: results of methods; doc: struct method_result as JSON. */
    "CREATE TABLE method_result (id TEXT PRIMARY KEY, container TEXT NOT NULL,"
    " ended INTEGER NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX method_result_container ON method_result (container);"
    "CREATE TRIGGER container_gone AFTER DELETE ON container BEGIN"
    " DELETE FROM method_result WHERE container = old.id; END;",

    /* 7: image/: the type of an artifact, whose config is its manifest; NULL: an image. */
    "ALTER TABLE image ADD COLUMN artifact TEXT;",

    /* 8: image/: what its manifest and index said, JSON of spec/oci_annotations.h. */
    "ALTER TABLE image ADD COLUMN annotations TEXT;",

    /* 9: image/: stacked layers. base: diff id of the layer whose directory lies below this one's;
     * own: bytes of the files in its own, then; stream: of the tar that is kept of it. */
    "ALTER TABLE layer ADD COLUMN base BLOB;"
    "ALTER TABLE layer ADD COLUMN own INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE layer ADD COLUMN stream INTEGER NOT NULL DEFAULT 0;",
};

static struct err pragma_int(struct store *s, const char *sql, int64_t *ret) {
    sqlite3_stmt *stmt = NULL;
    TRY(store_prepare(s, sql, &stmt));
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt); /* repeats the error of the step */
    return rc == SQLITE_ROW ? OK : store_error(s, rc, "open");
}

/* All that are missing in one transaction, which waits for the disk once. */
static struct err migrate(struct store *s, int64_t from) {
    CLEAN_BUF struct buf sql = {0};
    buf_adds(&sql, "BEGIN IMMEDIATE;");
    for (size_t i = (size_t)from; i < ARRAY_LEN(migrations); i++)
        buf_adds(&sql, migrations[i]);
    buf_addf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %zu; COMMIT;", APPLICATION_ID,
             ARRAY_LEN(migrations));
    struct err e = store_exec(s, buf_cstr(&sql));
    if (err_failed(e) && !sqlite3_get_autocommit(s->db))
        err_ignore(store_exec(s, "ROLLBACK")); /* the first error is the one to tell */
    return e;
}

struct err store_migrate(struct store *s) {
    int64_t version = 0, application = 0, tables = 0, newest = (int64_t)ARRAY_LEN(migrations);
    TRY(pragma_int(s, "PRAGMA application_id", &application));
    TRY(pragma_int(s, "PRAGMA user_version", &version));
    TRY(pragma_int(s, "SELECT count(*) FROM sqlite_schema", &tables));
    if (application != APPLICATION_ID && tables > 0)
        return err_new(ERR_INVALID, "state database %s: belongs to another program", s->path);
    if (version > newest)
        return err_new(ERR_UNSUPPORTED,
                       "state database %s: its version %" PRId64 " is newer than %" PRId64
                       ", the newest that corten %s knows",
                       s->path, version, newest, CORTEN_VERSION);
    if (version == newest)
        return OK;
    return err_wrap(migrate(s, version), "migrate from version %" PRId64 " to %" PRId64, version,
                    newest);
}
