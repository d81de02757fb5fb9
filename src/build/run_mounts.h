/* build/run_mounts.h - RUN --mount: what a container of a step sees besides its image. Private to
 * build/.
 *
 * bind    a tree of the context, of a stage or of an image: copied to the builder's directory and
 *         mounted from there (the context itself when nothing may change it and nothing is left
 *         out), so that writes are discarded
 * cache   a named volume of the daemon with the label BUILD_CACHE_LABEL; its data directory is
 * locked (flock(2)) for the time of the step as `sharing` says tmpfs   the daemon's secret  a file
 * in memory (/dev/shm), gone with the step; or a variable ssh     the agent's socket
 *
 * Trees count in the step's key by their content or their image; the others by what the flag says.
 * Tests: test/e2e/t6005-run-mounts.sh. */
#pragma once
#include "build/execute.h"
#include "build/key.h"

struct step_mount {
    struct run_mount m;
    char *target;                   /* absolute, cleaned */
    const char *source;             /* "/…", in the tree */
    const char *image;              /* full id of the tree's image; NULL: of root */
    const struct source_root *root; /* the context, or one with a name */
};
struct step_mounts {
    struct step_mount *items;
    size_t n;
    struct fds locks;    /* of caches */
    struct strs secrets; /* names of files that the daemon has made */
};
/* Secrets are gone before the next step begins. */
struct err step_mounts_end(struct build *b, struct step_mounts *m);
void step_mounts_done(struct step_mounts *m);
#define CLEAN_STEP_MOUNTS OWN(step_mounts_done)
/* Reads the flags with the stage's variables and adds them to the key. Stages that they name run.
 */
struct err step_mounts_find(struct build *b, struct stage *stage, const struct instr *in,
                            struct key *k, struct step_mounts *ret);
/* Makes them: entries for the container. Waits for locked caches. */
struct err step_mounts_make(struct build *b, const struct instr *in, struct step_mounts *m,
                            struct api_host_config *host, struct strs *env);
/* A cache: the volume's name and options. */
struct err cache_mount(struct build *b, struct step_mounts *all, const struct step_mount *s,
                       struct api_mount *out);
/* The value of a secret; ERR_NOT_FOUND when the caller gave none of this name. */
struct err secret_read(const struct build_job *job, const char *id, struct buf *ret);
