/* rename: the new name is reserved, made durable, then it counts. */
#include "container/private.h"
#include <stdlib.h>

struct rename_job {
    struct container *c;
    char *to;
    container_done *done;
    void *arg;
    struct op_run *run;
};

static struct err rename_prepare(void *job) {
    struct rename_job *j = job;
    TRY(container_check_name(j->to));
    if (!strcmp(j->to, j->c->name))
        return err_new(ERR_INVALID, "Renaming a container with the same name as its current name");
    struct container *holder = map_getz(&j->c->all->by_name, j->to);
    if (holder)
        return err_new(
            ERR_CONFLICT,
            "Conflict. The container name \"/%s\" is already in use by container \"%s\". "
            "You have to remove (or rename) that container to be able to reuse that name.",
            j->to, holder->id);
    map_set(&j->c->all->by_name, str_of(j->to), j->c);
    return OK;
}

static void rename_end(struct rename_job *j, struct err e) {
    j->done(j->arg, e);
    op_end(j->run);
    free(j->to);
    free(j);
}

static void rename_recorded(void *arg, struct err e) {
    struct rename_job *j = arg;
    struct map *names = &j->c->all->by_name;
    if (err_failed(e)) {
        map_del(names, str_of(j->to));
    } else {
        map_del(names, str_of(j->c->name));
        CLEAN_FREE char *old = mem_printf("/%s", j->c->name);
        free(j->c->name);
        j->c->name = TAKE(j->to);
        container_publish(j->c, "rename", "oldName", old);
        endpoint_renamed(j->c->all->config.networks, j->c->id, j->c->name);
        container_names_tell(j->c, j->c->endpoints.items, j->c->endpoints.n, true);
    }
    rename_end(j, e);
}

static void rename_finish(void *job, struct err e, struct op_run *run) {
    struct rename_job *j = job;
    j->run = run;
    if (err_failed(e)) {
        rename_end(j, e);
        return;
    }
    struct store_txn *t = store_txn_new();
    store_add(t, "UPDATE container SET name = ? WHERE id = ?", "ss", j->to, j->c->id);
    store_commit(j->c->all->config.store, t, j->c->brief ? STORE_LAZY : STORE_DURABLE,
                 rename_recorded, j);
}

static const struct op rename_op = {"container rename", rename_prepare, NULL, rename_finish};

void container_rename(struct container *c, const char *name, container_done *done, void *arg) {
    struct rename_job *j = NEW(struct rename_job);
    *j = (struct rename_job){
        .c = c, .to = mem_strdup(name + (name[0] == '/')), .done = done, .arg = arg};
    op_start(c->all->config.loop, &c->queue, &rename_op, j);
}
