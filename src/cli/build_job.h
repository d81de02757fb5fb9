/* build_job.h - options of `build` to the builder's job. Private to cli/. */
#pragma once
#include "cli/command.h"
#include "spec/corten_build.h"

struct build_options {
    bool no_cache, pull, quiet, check, explain, verify, load, compress, rm, force_rm, squash,
        disable_trust, validate, push;
    const char *file, *target, *network, *iidfile, *platform, *progress, *metadata, *cgroup_parent,
        *cpuset_cpus, *cpuset_mems, *isolation, *provenance, *sbom;
    int64_t memory, memory_swap, shm_size, cpu_shares, cpu_period, cpu_quota;
    struct strv tags, build_args, labels, secrets, ssh, allow, outputs, contexts, fresh, add_hosts,
        ulimits, annotations, attest, cache_from, cache_to, security;
};
/* build.c: the command. */
int build_run(struct invocation *in);

/* A path as the builder will open it, whatever its working directory. */
struct err build_path(struct arena *a, const char *path, char **ret);
/* Where this user's builds of a context (absolute, real path) remember its files; with build_misses
 * (build/build.h) also what they had to make. "": nowhere. */
char *build_digests_file(struct arena *a, const char *context);
/* build_cache.c */
struct err build_cache_options(const struct build_options *o, struct arena *a,
                               struct build_job *job);
/* build_attest.c: what goes with the image beside its files. *ret_labels: those of build_origin are
 * wanted. */
struct err build_attest_options(const struct build_options *o, struct arena *a,
                                struct build_job *job, bool *ret_labels);
/* build_origin.c: labels. url: of a remote context; dir: a context directory; NULL: it is none. */
struct err build_origin(const struct build_options *o, const char *url, const char *dir,
                        const char *dockerfile, struct arena *a, struct strmap *ret);

/* build_validate.c: runs the image, has it validated, then names it. */
struct err build_validate(struct invocation *in, const char *image, const struct strv *tags);

/* Does an --output ask for a push (type=registry, type=image,push=true)? */
bool build_output_pushes(const char *text);
/* Everything in the arena; context is args[0]. *ret_stdout: an output goes to stdout. */
struct err build_job_make(struct invocation *in, struct build_job *ret, bool *ret_stdout);
