/* build/execute.h - running the plan. Private to build/. */
#pragma once
#include "build/check.h"
#include "build/context.h"
#include "build/copy.h"
#include "build/plan.h"
#include "build/report.h"

struct build {
    struct arena *arena;
    const struct build_job *job;
    struct request *request;
    const struct dockerfile *file;
    struct plan *plan;
    const struct platform *platform; /* of the images that are pulled; NULL: the build's */
    struct client *client;
    struct client *lease; /* open as long as the build runs */
    struct report *report;
    struct context *context;
    struct check_options checks;
    bool made;                         /* the result was not there before */
    int64_t began;                     /* wall ns */
    struct lanes *all_lanes;           /* of the build; build/lane.h */
    struct lanes *lanes;               /* the same in a lane's own view, else NULL */
    struct lane *lane;                 /* in a lane's own view */
    const struct client *first_client; /* to open a lane's client like it */
};

/* Runs what the target needs, makes the image, tags it. */
struct err execute(struct build *b, char **ret_image);
/* A stage that this one needs: waits until it is done. build/lane.c */
struct err execute_stage(struct build *b, struct stage *s);
/* All steps of a stage, in its own lane. */
struct err stage_run(struct build *b, struct stage *s);

/* --- steps that change the file system: build/run.c, build/steps.c ------------------------------
 */
struct err step_run(struct build *b, struct stage *stage, const struct instr *in);
struct err step_copy(struct build *b, struct stage *stage, const struct instr *in);
/* FROM of a directory context: its files on nothing. */
struct err stage_directory(struct build *b, struct stage *stage);
struct err step_workdir(struct build *b, struct stage *stage, const struct instr *in);

/* Is the stage of this lane one that shall not use the cache? */
bool step_fresh(const struct build *b);
/* Looks the key up (unless nocache) and says so; *ret_image NULL: not there. */
struct err step_cached(struct build *b, const char *key, char **ret_image);
/* The result of a step: says " ---> id", adds the history entry, moves the state on. */
struct err step_done(struct build *b, struct state *s, const char *image, const char *created_by,
                     bool ran);

/* --- images: build/base.c --------------------------------------------------------------------- */
/* The image of this name, pulled when it is not here or when pull is asked for. */
struct err base_find(struct build *b, const char *name, struct build_base *ret);
/* Brings the image of this name, or what is new of it. */
struct err base_pull(struct build *b, const char *name);
/* The step image with the layers of an image, or without any for "scratch". */
struct err base_layers(struct build *b, const char *image, char **ret_step);
/* The step image with all layers above the base as one, and the history to it: build/squash.c. The
 * image that is given is the caller's to forget. */
struct err squash(struct build *b, struct state *s, char **ret_layers);
/* --- the result: build/output.c ----------------------------------------------------------------
 */
/* What the job wants of it besides: files, archives, the metadata file. */
struct err output_all(struct build *b, const char *image);
/* Says which steps have made very large layers: build/advice.c. */
struct err advise(struct build *b, const char *image);
/* First twelve digits. */
struct str image_short(const char *id);
