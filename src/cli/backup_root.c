/* backup_root.c - what corten-backup does: a copy of a data root while its daemon runs.
 *
 * First the state, as one moment has it (SQLite copies it beside a writer), then the files. What is
 * made meanwhile is in the copy as files that the state does not know, which the copy's daemon
 * removes; what is removed meanwhile may be missing, which it says. Nothing in a data root holds
 * the root's own path, so the copy works wherever it lies. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/cli.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 10000

static struct err copy_state(const char *from, const char *to) {
    CLEAN_FREE char *source = mem_printf("%s/store/corten.db", from);
    CLEAN_FREE char *copy = mem_printf("%s/store/corten.db", to);
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    if (access(source, R_OK) != 0)
        return err_errno(errno, "'%s' is no data root: '%s'", from, source);
    int rc = sqlite3_open_v2(source, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 1, copy, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    struct err e = rc == SQLITE_DONE
                       ? OK
                       : err_new(ERR_SYSTEM, "copy '%s': %s", source, sqlite3_errmsg(db));
    (void)sqlite3_finalize(s); /* repeats the error */
    (void)sqlite3_close(db);
    return e;
}

static struct err start(const char *program, char *const *argv, int in, int out,
                        struct spawned *ret) {
    CLEAN_FREE char *path = path_find_program(program);
    if (!path)
        return err_new(ERR_NOT_FOUND, "'%s' is not in $PATH", program);
    struct spawn_fd fds[] = {{out, 1}, {2, 2}, {in, 0}};
    struct spawn s = {
        .program = path, .argv = argv, .env = environ, .fds = fds, .fds_n = in < 0 ? 2 : 3};
    return err_wrap(spawn(&s, ret), "start %s", program);
}

static struct err end(struct spawned *p, int allowed) {
    struct pidfd_exit x = {0};
    struct err e = pidfd_reap(p->pidfd, &x);
    fd_close(p->pidfd);
    TRY(e);
    return x.code >= 0 && x.code <= allowed
               ? OK
               : err_new(ERR_SYSTEM, "tar failed with status %d", x.code);
}

/* GNU tar to GNU tar: owners as numbers, all attributes (the overlay's too), holes, devices. */
static struct err copy_files(const char *from, const char *to) {
    char *read_argv[] = {(char *)"tar",
                         (char *)"--create",
                         (char *)"--file=-",
                         (char *)"--format=pax",
                         (char *)"--numeric-owner",
                         (char *)"--xattrs",
                         (char *)"--xattrs-include=*",
                         (char *)"--sparse",
                         (char *)"--warning=no-file-changed",
                         (char *)"--warning=no-file-removed",
                         (char *)"--warning=no-file-ignored",
                         (char *)"--ignore-failed-read",
                         (char *)"--exclude=./store",
                         (char *)"--exclude=./lock",
                         (char *)"--exclude=./ephemeral",
                         (char *)"-C",
                         (char *)(uintptr_t)from,
                         (char *)".",
                         NULL};
    char *write_argv[] = {(char *)"tar",
                          (char *)"--extract",
                          (char *)"--file=-",
                          (char *)"--numeric-owner",
                          (char *)"--same-owner",
                          (char *)"--preserve-permissions",
                          (char *)"--xattrs",
                          (char *)"--xattrs-include=*",
                          (char *)"-C",
                          (char *)(uintptr_t)to,
                          NULL};
    struct spawned reader, writer;
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    CLEAN_FD int out = pipes[0];
    CLEAN_FD int in = pipes[1];
    TRY(start("tar", read_argv, -1, in, &reader));
    struct err e = start("tar", write_argv, out, STDERR_FILENO, &writer);
    bool writes = !err_failed(e);
    in = fd_close(in);
    out = fd_close(out);
    struct err read_end = end(&reader, 1); /* 1: a file changed or went while it was read */
    if (writes)
        e = end(&writer, 0);
    if (err_failed(e)) {
        err_free(read_end);
        return e;
    }
    return read_end;
}

static struct err backup(const char *from, const char *to) {
    CLEAN_FREE char *store = mem_printf("%s/store", to);
    if (mkdir(to, 0710) != 0)
        return err_errno(errno, "make '%s', which must not be there yet", to);
    if (mkdir(store, 0700) != 0)
        return err_errno(errno, "make '%s'", store);
    TRY(copy_state(from, to));
    return copy_files(from, to);
}

static void say(const char *path, bool as_json) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    if (as_json) {
        jo_obj(&jo);
        jo_kstr(&jo, "path", path);
        jo_obj_end(&jo);
    }
    printf("%s\n", as_json ? buf_cstr(&text) : path);
}

int backup_main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "corten-backup is started by: corten system backup\n");
        return 2;
    }
    struct err e = backup(argv[1], argv[2]);
    bool failed = err_failed(e);
    if (failed)
        fprintf(stderr, "corten: %s\n", err_msg(e));
    else
        say(argv[2], argc == 4);
    err_free(e);
    return failed;
}
