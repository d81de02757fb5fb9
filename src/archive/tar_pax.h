/* tar_pax.h - records of a pax extended header. Private to archive/. */
#pragma once
#include "archive/tar_read.h"
#include "archive/tar_sparse.h"

/* What a pax header overrides in the next entry. Strings live in the arena. */
struct tar_pax {
    const char *path, *target; /* NULL: not given */
    bool has_size, has_uid, has_gid, has_mtime;
    uint64_t size;
    uint32_t uid, gid;
    int64_t mtime;
    struct tar_xattrs xattrs;
    struct tar_sparse sparse;
};
/* Parses "%d key=value\n" records; later ones win, an empty value takes a record back. */
struct err tar_pax_parse(struct str records, struct arena *a, struct tar_pax *pax);
