/* runtime/checkpoint.h - what checkpoint and restore have to agree on: directories, the container's
 * ties to the host and how they are named towards criu. Private to runtime/.
 *
 * Ties are bind mounts (named by their destination), the cgroup mount, network and pid namespaces
 * that were joined by path (extRootNetNS, extRootPidNS, as runc names them), and the standard
 * streams (descriptors.json in the image directory, as runc writes it: an array of criu's names, ""
 * where the container has the file itself). Everything else of a container lives in the container.
 * What cannot be carried over is refused by name before criu is asked: a user namespace of its own,
 * joined namespaces of other kinds, a cgroup mount of version 1.
 */
#pragma once
#include "runtime/criu.h"
#include "runtime/record.h"
#include <limits.h>

#define CHECKPOINT_STREAMS "descriptors.json"

struct checkpoint {
    const char *image_path, *work_path;
    char *program; /* criu, owned */
    struct criu_request request;
    struct strv keys; /* what request.inherit points into */
    int joined[2];    /* namespaces, owned; -1 */
};
void checkpoint_init(struct checkpoint *c);
void checkpoint_done(struct checkpoint *c);
#define CLEAN_CHECKPOINT OWN(checkpoint_done)

/* Options that both commands have, by the names that both peers use. False: not one of them. */
enum { CHECKPOINT_OPTION = 512 };
#define CHECKPOINT_OPTIONS                                                                         \
    OPTION_TEXT("image-path", CHECKPOINT_OPTION), OPTION_TEXT("work-path", CHECKPOINT_OPTION + 1), \
        OPTION_FLAG("tcp-established", CHECKPOINT_OPTION + 2),                                     \
        OPTION_FLAG("ext-unix-sk", CHECKPOINT_OPTION + 3),                                         \
        OPTION_FLAG("shell-job", CHECKPOINT_OPTION + 4),                                           \
        OPTION_FLAG("file-locks", CHECKPOINT_OPTION + 5),                                          \
        OPTION_FLAG("auto-dedup", CHECKPOINT_OPTION + 6),                                          \
        OPTION_TEXT("manage-cgroups-mode", CHECKPOINT_OPTION + 7),                                 \
        OPTION_FLAG("lazy-pages", CHECKPOINT_OPTION + 8),                                          \
        OPTION_TEXT("empty-ns", CHECKPOINT_OPTION + 9)
struct err checkpoint_option(struct checkpoint *c, int option, const char *value);

/* Opens (and with make makes) the directories. */
struct err checkpoint_open(struct checkpoint *c, bool make);
/* Ties that the configuration tells of. pid: of a running container, to look at; 0: a restore. */
struct err checkpoint_ties(struct checkpoint *c, const struct record *r, pid_t pid);
/* The standard streams of a running container, written to the image directory. */
struct err checkpoint_streams_keep(struct checkpoint *c, pid_t pid);
/* Ours take their places. */
struct err checkpoint_streams_give(struct checkpoint *c);
