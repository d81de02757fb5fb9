/* Whether a container gets an init of ours: the call says it, or the label corten.init (of the
 * image or of the call), or the daemon's setting. "auto": unless its program is one already, or
 * something else is PID 1 for it. A program that is PID 1 without being made for it leaves zombies,
 * and is deaf to signals that it has no handler for: it stops only after the grace period. */
#include "base/path.h"
#include "container/private.h"

static bool is_init(const char *program) {
    static const char *const known[] = {"init",        "systemd",     "tini",       "tini-static",
                                        "dumb-init",   "catatonit",   "my_init",    "docker-init",
                                        "corten-init", "s6-svscan",   "runsvdir",   "runit-init",
                                        "supervisord", "podman-init", "openrc-init"};
    const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static bool wants_init(const struct api_config *config, const char *pid_mode) {
    bool joins = pid_mode && *pid_mode && strcmp(pid_mode, "private") != 0;
    const char *program = config->entrypoint.n ? config->entrypoint.items[0]
                          : config->cmd.n      ? config->cmd.items[0]
                                               : "";
    return !joins && !is_init(program);
}

struct err container_init_choose(const struct api_config *config, bool available, struct arena *a,
                                 struct api_host_config *h) {
    const char *label = strmap_get(&config->labels, CONTAINER_LABEL_INIT);
    if (!label)
        return OK;
    bool on = strcmp(label, "true") == 0, automatic = strcmp(label, "auto") == 0;
    if (!on && !automatic && strcmp(label, "false") != 0)
        return err_new(ERR_INVALID, "label %s: '%s' is none of true, false and auto",
                       CONTAINER_LABEL_INIT, label);
    h->init = arena_alloc(a, sizeof(*h->init));
    *h->init = on || (automatic && available && wants_init(config, h->pid_mode));
    return OK;
}
