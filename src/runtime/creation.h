/* runtime/creation.h - a container that is being made by a command: create and run
 * (command_create.c), restore (command_restore.c). Private to runtime/.
 */
#pragma once
#include "runtime/commands.h"
#include "runtime/systemd.h"

struct create {
    const char *id, *bundle, *config, *console_socket, *pid_file;
    unsigned preserve_fds, listen_fds;
    bool systemd; /* the cgroup is a scope of systemd's */
    struct standin standin;
    bool detach, keep, no_subreaper, no_new_keyring, no_pivot;
    struct record record;
    struct runtime_box *box; /* NULL: a restored container's */
    struct runtime_process init;
};
#define CREATE_INIT                                                                              \
    {                                                                                            \
        .init = {.pidfd = -1, .pty_master = -1}, .record = {.root = -1, .dir = -1}, .standin = { \
            .pidfd = -1                                                                          \
        }                                                                                        \
    }
void create_done(struct create *c);

/* The bundle's configuration is read, and the id is taken. */
struct err create_prepare(struct call *c, struct create *o);
/* waits: for a start; nobody is there to be its terminal's other end. */
struct err create_check_terminal(const struct create *o, bool waits);
/* systemd makes the cgroup; the container gets a place in it. */
struct err create_scope(struct create *o);
/* After this the container is complete: status, pid file, terminal handed over. */
struct err create_publish(struct create *o, bool waits);
/* Nothing is left of a create that failed. */
void create_unmake(struct create *o);
/* The foreground, until its end; then it is deleted, unless it is to be kept. */
struct err create_attend(struct create *o, int notify, int *ret_status);
