/* rollback.h - what a container wrote, kept before an update and put back after one that failed.
 * Private to container/.
 *
 * A worker copies the container's upper directory (and chosen volumes) to <directory>/update/. To
 * put it back under a running service nothing is stopped and no mount is exchanged: the worker
 * makes a read-only overlay of the image's layers and the copy, compares it with the container's
 * root as the container sees it (/proc/PID/root, after a check that PID is still the same process),
 * and writes what differs through that: a file is made beside and renamed into place, so that a
 * reader sees the old one or the new one. Only directories that either side has touched are looked
 * at, and what is mounted into the root is left alone. The container is frozen meanwhile.
 *
 * Both trees are the container's, hostile: every step is one name below an open directory, never
 * followed; at most ROLLBACK_DEPTH_MAX levels. Hard links come back as files of their own.
 * A whole root (btrfs, vfs; image/rootfs.h) is kept and compared as a whole, its data shared with
 * the copy where the file system can. While something is put back a directory of a random name is
 * in the root; after a crash it goes as any other that was not there.
 * Tests: test/e2e/t9320-update.sh, t9321-update-drivers.sh. */
#pragma once
#include "spec/fields.h"

#define ROLLBACK_DEPTH_MAX 256
#define ROLLBACK_DIR "update"  /* below the container's directory */
#define ROLLBACK_WHOLE "whole" /* in it, once everything is there: struct rollback_args of KEEP */
#define ROLLBACK_WHOLE_MAX (1u << 20)

enum rollback_what { ROLLBACK_KEEP, ROLLBACK_RESTORE, ROLLBACK_DROP };
/* Arguments of the job "container-update"; its descriptor: the layers' directory. */
struct rollback_args {
    uint32_t what;       /* enum rollback_what */
    char *directory;     /* of the container, absolute */
    char *copy;          /* the same way to <directory>/update/upper as layers go */
    struct strs layers;  /* top first */
    struct strs volumes; /* host paths; of KEEP: RESTORE finds them with what was kept */
    int64_t pid;
    uint64_t start_time;
    int64_t kept_at; /* wall ns, of KEEP */
};
extern const struct fields rollback_args_fields;
/* Its result. */
struct rollback_result {
    int64_t changed;   /* objects that were put back or taken away */
    struct strs paths; /* the first ROLLBACK_PATHS_MAX of them */
};
#define ROLLBACK_PATHS_MAX 20
extern const struct fields rollback_result_fields;
