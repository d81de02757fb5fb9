/* build/build.h - the builder: a Dockerfile and a context in, an image out. The folder's door.
 *
 * Runs as the program corten-build, one process per build, one thread per stage. It owns nothing
 * durable: images, cache records and containers are the daemon's, reached over its API socket; how
 * the process is started and what the extension routes do is in spec/corten_build.h. Its own state
 * is one directory (TempDir/<Id>: what was sent, brought or
 * unpacked for it), removed at the end.
 *
 * What it does, in this order:
 *   request    the job and its parameters             build/request.h
 *   context    the context's files and ignore rules   build/context.h
 *   dockerfile text → nodes → instructions            build/dockerfile.h, build/instruction.h
 *   plan       stages, and which of them are needed    build/plan.h
 *   execute    stages side by side, step by step      build/lane.h, build/execute.h
 *
 * A step that changes the file system (RUN, COPY, ADD, WORKDIR) has a key: the digest of the step
 * image that it starts from and of everything that it depends on (build/key.h). A record for the
 * key replaces the step. The other instructions only change the config, which is put on at the end.
 * Stages that the target does not need do not run.
 *
 * Limits: Dockerfile 4 MiB, context and layers as archive/extract.h says, stages STAGES_MAX.
 * Tests: test/unit/build, test/fuzz/{dockerfile,expand,ignore}.c, test/e2e/t6*.sh.
 */
#pragma once
#include "base/buf.h"

/* The program: reads the job from descriptor 3, builds, answers. Exit status. */
int build_main(int argc, char **argv);

/* The parsed Dockerfile as text, in the notation of BuildKit's parser tests. name: for messages. */
struct err build_print_tree(struct str dockerfile, const char *name, struct buf *ret);

/* Of the steps that the last builds from a context had to make: which, and why, a line each.
 * digests: as in the job (struct build_job). Nothing when nothing is known. */
void build_misses(const char *digests, struct buf *out);

/* Checks without building: a line per finding, as errors are shown. The peer's rules (build checks
 * of the Dockerfile reference) are warnings, what the field has learnt besides is advice and does
 * not count. The directive check= is honoured. An error of the file itself is returned. */
struct build_check_how {
    const char *directive; /* instead of the file's own; NULL: that */
    int context_fd;        /* a directory whose ignore rules count, or -1 */
};
struct err build_check(struct str dockerfile, const char *name, const struct build_check_how *how,
                       struct buf *out, size_t *ret_warnings);
