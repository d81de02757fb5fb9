/* life.h - what the commands of the life cycle share. Private to cli/. */
#pragma once
#include "cli/command.h"
#include "spec/method_result.h"

/* The result of a method's run. */
struct err life_result(struct client *c, const char *container, const char *id, struct arena *a,
                       struct method_result *ret);
/* On stderr in words, or with --json on stdout. */
void life_say(const struct invocation *in, const char *container, const struct method_result *r);
int life_status(const struct method_result *r); /* exit status */
/* GET of a container's document, or else of an image's of that name: before and after as
 * client_path. */
struct err life_get(struct client *c, const char *name, const char *after, struct buf *ret);
/* `update` without limits: by the containers' own method. The status. */
int life_update(struct invocation *in, const struct strv *volumes, bool dry_run);
