/* host.h - what this host is and can do, read once at the start. Private to api/.
 * Sources: uname(2), os-release(5), proc_meminfo(5), runtime_detect. Loop thread: the files are
 * small and in memory. Tests: test/unit/api/filter.c. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "runtime/runtime.h"

struct host {
    const char *kernel, *machine, *name; /* "6.1.0-18-amd64", "x86_64", the host's name */
    const char *arch;                    /* as in image configs: "amd64" */
    const char *system, *system_version; /* "Debian GNU/Linux 12 (bookworm)", "12" */
    int64_t cpus, memory;                /* bytes */
    struct runtime_features features;
    bool features_known;
    struct arena arena; /* of the texts */
};
/* Never fails: what cannot be read is "" or 0, and logged. */
struct host *host_new(void);
struct host *host_free(struct host *h); /* NULL allowed; returns NULL */
bool host_forwards_ipv4(void);          /* changes with time */
/* The value of a key in the text of os-release; "" when it is not there. */
const char *host_release_value(struct str text, const char *key, struct arena *a);
