/* pack.c - a program that compresses the log's older files, one after the other.
 *
 * It is a child of ours without rights over our names: it writes one file, we rename (see
 * logs/rotate_pack.c). It dies with us. */
#include "base/file.h"
#include "base/log.h"
#include "kernel/spawn.h"
#include "monitor/keeper.h"
#include <signal.h>
#include <sys/wait.h>

static void on_packed(void *arg, int status) {
    struct keeper *k = arg;
    k->packer_child = NULL; /* freed itself */
    k->packer.pidfd = fd_close(k->packer.pidfd);
    logs_writer_packed(k->log, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    log_pump(k);
    exit_log_moved(k);
}

static struct err pack_start(struct keeper *k, const struct logs_pack *p) {
    char *argv[] = {(char *)"corten-compress", (char *)p->name, NULL};
    struct spawn_fd fds[] = {{.source = 2, .target = 2},
                             {.source = p->source_fd, .target = 3},
                             {.source = p->dir_fd, .target = 4}};
    struct spawn s = {.program = k->log_packer,
                      .argv = argv,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds),
                      .cwd = "/",
                      .new_session = true,
                      .death_signal = SIGKILL};
    return spawn(&s, &k->packer);
}

void pack_look(struct keeper *k) {
    struct logs_pack p;
    if (k->log_packer == NULL || k->packer_child || k->exited || !logs_writer_pack(k->log, &p))
        return;
    struct err e = pack_start(k, &p);
    fd_close(p.source_fd);
    if (err_failed(e)) {
        log_err(LOG_WARN, e, "container %s: compress its log", k->id);
        logs_writer_packed(k->log, false);
        return;
    }
    k->packer_child = child_watch(k->loop, k->packer.pid, k->packer.pidfd, on_packed, k);
}

bool pack_is(const struct keeper *k, pid_t pid) {
    return k->packer_child && k->packer.pid == pid;
}
