/* runtime/commands.h - the commands of corten-runtime. Private to runtime/.
 *
 * One function per command; options are read by getopt_long, so they may be abbreviated and come
 * after the id as well, except where a program and its own options follow (exec). Output goes to
 * stdout; an error is returned, and commands.c writes it to stderr and, with --log, to the log in
 * the asked-for format. Exit status: 0; 1 for an error; what the program returned for run and exec.
 */
#pragma once
#include "runtime/record.h"
#include <getopt.h>

struct call {
    char **all_argv; /* as main got it, for runtime_protect */
    const char *root;
    const char *log;
    bool log_json;
    bool systemd; /* cgroups are systemd's scopes */
    int argc;     /* of the command: argv[0] is its name */
    char **argv;
    char *const *env;
    int status; /* exit status when no error is returned */
};

#define OPTIONS_END \
    { NULL, 0, NULL, 0 }
#define OPTION_FLAG(name, value) \
    { (name), no_argument, NULL, (value) }
#define OPTION_TEXT(name, value) \
    { (name), required_argument, NULL, (value) }
/* The next option's value; -1 after the last one; '?' became the error. */
struct err call_option(struct call *c, const char *brief, const struct option *options,
                       int *ret_value);
/* The single argument that is left: the id. */
struct err call_id(struct call *c, const char **ret);

/* An executable file of that name in $PATH, owned by the caller. ERR_UNSUPPORTED: not installed. */
struct err call_find_program(const char *name, char **ret_path);

struct err command_create(struct call *c);
struct err command_run(struct call *c);
struct err command_start(struct call *c);
struct err command_exec(struct call *c);
struct err command_state(struct call *c);
struct err command_list(struct call *c);
struct err command_ps(struct call *c);
struct err command_kill(struct call *c);
struct err command_delete(struct call *c);
struct err command_pause(struct call *c);
struct err command_resume(struct call *c);
struct err command_update(struct call *c);
struct err command_events(struct call *c);
struct err command_checkpoint(struct call *c);
struct err command_restore(struct call *c);
struct err command_features(struct call *c);
struct err command_spec(struct call *c);

/* Hooks of the end points, whose failures are warnings. */
void container_hooks(const struct record *r, bool after_start);
/* Kills what is left of a container, runs its poststop hooks, removes its cgroup and its record. */
struct err container_destroy(struct record *r);
/* Its last part, for a container whose processes and cgroup are gone. */
struct err container_forget(struct record *r);

/* --- streams and terminal (console.c) --------------------------------------------------------- */

/* Sends the terminal's master to the AF_UNIX stream socket at path, as runc(8) does. */
struct err console_send(const char *path, int master);
/* Numbers 3 to 2+n that are free are taken by a CLOEXEC descriptor, so that none of ours gets such
 * a number and goes into the container with it. Before anything else is opened. */
struct err preserve_reserve(unsigned n);
struct err pid_file_write(const char *path, pid_t pid);

/* --- sd_notify(3) (notify.c) -------------------------------------------------------------------
 */

/* create: a place for the socket, in the container as well. Without NOTIFY_SOCKET: nothing. */
struct err notify_prepare(struct record *r, const char *root);
/* Where that place is in the container; owned, NULL: there is none. */
char *notify_inside(const struct record *r);
/* start and run: *ret_fd -1: nobody wants to know. */
struct err notify_listen(const struct record *r, int *ret_fd);
/* One message; *ret_ready becomes true when it says that the service is up. */
struct err notify_pass(int fd, pid_t pid, bool *ret_ready);
/* Until READY=1, or the process ends. */
struct err notify_await_ready(int fd, pid_t pid, int pidfd);

/* --- being the parent of a process in the foreground (attend.c) ------------------------------- */

/* Before the process is made: signals are held back from now on, and orphans come to us. */
struct err attend_begin(bool subreaper);
/* Forwards signals to the process and, with a terminal, bytes both ways, until it ends;
 * *ret_status as a shell says it. Takes p's descriptors. notify: of notify_listen, borrowed; -1:
 * none. */
struct err attend(struct runtime_process *p, int notify, int *ret_status);
