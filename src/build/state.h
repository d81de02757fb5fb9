/* build/state.h - what a stage is, while its instructions are executed: the image config so far,
 * the variables, and the step image with the file system so far. Private to build/.
 *
 * The config and the history are those that BuildKit makes for the same Dockerfile. One arena for
 * the whole build. Tests: test/unit/build/state.c. */
#pragma once
#include "build/instruction.h"
#include "build/request.h"
#include "spec/oci_image.h"

#define BUILD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct state {
    struct arena *arena;
    const struct dockerfile *file;
    struct request *request;
    const struct strmap *globals;  /* ARGs before the first FROM, and the platform's */
    struct oci_image_config image; /* rootfs is not kept here */
    char *layers;                  /* step image */
    struct strmap vars; /* ENV and ARG, the image's env first: expansion, and env of RUN */
    struct strmap args; /* declared ARGs in order; history of RUN shows them */
    char **onbuild;     /* triggers that the base image brought */
    size_t onbuild_n;
    size_t history_from; /* the first entry of image.history that this build made */
    bool cmd_set;
    const char *base_name, *base_id; /* the image at the bottom; NULL: scratch */
    const char *base_created;
    const char *base_layers;   /* its step image */
    struct strmap base_labels; /* as they were there */
    struct strmap labelled;    /* labels that this build's LABEL and --label have set */
};

/* An empty image for the platform, as FROM scratch gives it. */
void state_scratch(struct state *s, const char *os, const char *architecture);
/* From the config blob of a base image. */
struct err state_base(struct state *s, struct str config);
/* From a stage that is done, its ARGs included. */
void state_stage(struct state *s, const struct state *from);

/* Expands one argument of an instruction (quotes are removed). Errors have the position. */
struct err state_expand(struct state *s, const struct instr *in, const char *text, char **ret);
/* The body of COPY <<EOF: variables only. */
struct err state_expand_doc(struct state *s, const struct instr *in, const char *text, char **ret);
/* Entries get their time at the end (state_times), so that the same build gives the same key.
 * created_by with " # buildkit" when it is a step that ran. */
void state_history(struct state *s, const char *created_by, bool ran, bool layer);
/* The instructions that only change the config: ENV LABEL CMD ENTRYPOINT HEALTHCHECK EXPOSE USER
 * VOLUME STOPSIGNAL SHELL MAINTAINER ONBUILD ARG. */
struct err state_apply(struct state *s, const struct instr *in);
/* A command as it is executed: shell form is put behind the shell. */
struct strs state_command(struct state *s, const struct command *c);
/* WORKDIR's absolute path. */
char *state_workdir(struct state *s, const char *path);
/* The time of the image and of this build's history entries. */
void state_times(struct state *s, int64_t now);
/* A label of the user's. */
void state_label(struct state *s, const char *key, const char *value);
/* Puts --label's labels on. */
void state_labels(struct state *s);
/* "80", "80-90/udp" → "80/tcp" … */
struct err expose_ports(struct str spec, struct arena *a, struct strs *ret);
/* Is it a signal's name or number? */
bool signal_known(const char *text);
