/* build_view.h - what a build looks like while it runs. Private to cli/.
 *
 * Reads the builder's events (spec/corten_build.h), one JSON document a line, and writes to stderr:
 * plain (a line per thing that happens), tty (the running steps stay at the bottom with their times
 * and last lines), raw JSON (the events themselves), or nothing. Tests: test/unit/cli/build_view.c.
 */
#pragma once
#include "base/vec.h"
#include "spec/corten_build.h"

enum view_mode { VIEW_PLAIN, VIEW_TTY, VIEW_JSON, VIEW_QUIET };
struct view_step {
    unsigned number, total;
    char *stage, *name;
    struct buf line; /* output that is not a whole line yet */
    char *last;      /* last whole line */
    int64_t began;
    bool running, cached;
};
struct build_view {
    enum view_mode mode;
    void (*write)(void *arg, struct str text);
    void *arg;
    unsigned columns;
    struct buf pending; /* of the stream of events */
    VEC(struct view_step) steps;
    unsigned drawn; /* lines at the bottom that belong to running steps */
    char *image;    /* the result, NULL until it is there */
    struct strv tags;
};
void build_view_done(struct build_view *v);
#define CLEAN_BUILD_VIEW OWN(build_view_done)
/* More bytes of the stream. ERR_INVALID for a line that is no event. */
struct err build_view_feed(struct build_view *v, struct str bytes);
/* tty: times move on. Called now and then. */
void build_view_tick(struct build_view *v);
/* The stream is over: nothing stays drawn. */
void build_view_end(struct build_view *v);
