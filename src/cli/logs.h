/* logs.h - the bytes of a log on their way to the terminal. Private to cli/. */
#pragma once
#include "cli/command.h"
#include <regex.h>

struct logs_options {
    bool follow, timestamps, details, ignore_case;
    const char *tail, *since, *until, *grep;
};

/* One container's log. Its answer is no hijack: the body is the (framed) stream. */
struct log_source {
    struct client *client;
    const char *name; /* as it was asked for */
    char *id;
    bool tty, ended;
    unsigned char head[8]; /* of a frame that has begun */
    size_t have, left;
    int stream; /* 1 or 2, of the frame */
    struct buf partial[3];
};

/* What is done with lines. */
struct log_view {
    struct invocation *in;
    regex_t *pattern;   /* NULL: every line */
    bool whole_lines;   /* they are looked at, or marked: bytes are not passed on as they come */
    bool colour, named; /* names in front of lines */
    size_t width;       /* of names */
    struct strv *keep;  /* lines are not printed but kept here, "TIME LINE\tSTREAM NAME" */
};

/* Takes bytes of the answer's body. 0 or -errno of a write. */
int log_feed(struct log_view *v, struct log_source *s, const char *bytes, size_t n);
/* The last line, which nothing ended. */
int log_end(struct log_view *v, struct log_source *s);
/* Prints what was kept, in the order of time. 0 or -errno. */
int log_print_kept(const struct log_view *v, struct strv *lines);
