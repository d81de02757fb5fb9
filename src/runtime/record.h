/* runtime/record.h - what corten-runtime remembers of a container between two calls: a directory
 * <root>/<id> (0700) with "status" (spec/runtime_state.h), "config.json" (the bytes that the
 * container was made from) and, until it is started, the socket "start". Private to runtime/.
 *
 * The directory is the name's reservation: mkdir decides between two creates. Whoever changes a
 * container (start, delete) holds a lock on its file "lock" (fcntl), which dies with the process.
 * Whether a container runs is never written down: the kernel is asked, by pid and start time.
 */
#pragma once
#include "base/vec.h"
#include "runtime/runtime.h"
#include "spec/runtime_state.h"

enum record_status {
    RECORD_CREATING,
    RECORD_CREATED,
    RECORD_RUNNING,
    RECORD_PAUSED,
    RECORD_STOPPED
};

struct record {
    struct arena arena;
    int root; /* directory of all containers */
    int dir;
    int lock; /* -1: not locked */
    const char *id;
    struct str config_text;
    struct oci_config config;
    struct oci_kept kept;
    bool has_kept; /* false: a create is under way, or died */
};
#define RECORD_NONE \
    { .root = -1, .dir = -1, .lock = -1 }
void record_done(struct record *r);
#define CLEAN_RECORD OWN(record_done)

/* 1 to 255 of [A-Za-z0-9_.+-], not "." or "..": ERR_INVALID. */
struct err record_check_id(const char *id);
/* Makes the directory: ERR_CONFLICT when the id is taken. config_text is copied and decoded. */
struct err record_new(const char *root, const char *id, struct str config_text, struct record *ret);
/* ERR_NOT_FOUND: no such container. */
struct err record_open(const char *root, const char *id, struct record *ret);
/* Only one process at a time changes a container. Waits. */
struct err record_lock(struct record *r);
/* Sources of bind mounts are relative to the bundle; afterwards they are absolute. */
void record_resolve_sources(struct record *r, const char *bundle);
struct err record_save(const struct record *r);
/* A listening socket "start" in the directory, or a connection to it. */
struct err record_listen(const struct record *r, int *ret_fd);
struct err record_dial(const struct record *r, int *ret_fd);
void record_unlisten(const struct record *r);
/* The container's directory is gone. */
struct err record_remove(struct record *r);

enum record_status record_status(const struct record *r);
const char *record_status_name(enum record_status s);
/* Fills the specification's state. Borrows from r. */
void record_state(const struct record *r, struct oci_state *ret);
/* Names of all containers, sorted. A root that does not exist has none. */
struct err record_list(const char *root, struct strv *ret);
/* The options that runtime_open takes. */
struct runtime_create_options record_options(const struct record *r);
