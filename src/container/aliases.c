/* Names of a container on a network change, also while it runs: the record under /run first, then
 * the facts and what corten-dns knows, then the row. */
#include "container/private.h"
#include "spec/api_aliases.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define ALIAS_LEN_MAX 253 /* RFC 1035 */

struct alias_job {
    struct container *c;
    struct arena arena;
    struct api_aliases_change *doc; /* in the arena */
    struct network *w;
    struct strs after;           /* the names as they will be; in the arena */
    struct endpoint_plans plans; /* copies of all endpoints; empty: it does not run */
    struct endpoint_plan *plan;  /* the one that changes */
    container_done *done;
    void *arg;
    struct op_run *run;
};

/* --- prepare -------------------------------------------------------------------------------------
 */

static struct err find_network(struct alias_job *j, const struct api_endpoint **ret) {
    struct container *c = j->c;
    const char *named = j->doc->network;
    TRY(network_get(container_networks(c), named && *named ? named : c->host->network_mode, &j->w));
    *ret = container_endpoint_settings(c, j->w->name);
    if (!*ret)
        return err_new(ERR_FORBIDDEN, "container %s is not connected to network %s", c->name,
                       j->w->name);
    if (j->w->predefined)
        return err_new(ERR_INVALID, "network-scoped alias is supported only for containers in user "
                                    "defined networks");
    return OK;
}

static struct err change(struct alias_job *j, const struct strs *now) {
    const struct strs *add = &j->doc->add, *remove = &j->doc->remove;
    for (size_t i = 0; i < remove->n; i++)
        if (!strs_has(now, remove->items[i]))
            return err_new(ERR_NOT_FOUND, "container %s has no alias '%s' on network %s",
                           j->c->name, remove->items[i], j->w->name);
    for (size_t i = 0; i < now->n; i++)
        if (!strs_has(remove, now->items[i]))
            strs_add(&j->after, &j->arena, now->items[i]);
    for (size_t i = 0; i < add->n; i++) {
        size_t len = strlen(add->items[i]);
        if (!len || len > ALIAS_LEN_MAX || strpbrk(add->items[i], " \t\n/"))
            return err_new(ERR_INVALID, "invalid alias '%s'", add->items[i]);
        if (!strs_has(&j->after, add->items[i]))
            strs_add(&j->after, &j->arena, add->items[i]);
    }
    if (j->after.n > NETWORK_NAMES_MAX)
        return err_new(ERR_INVALID, "more than %d aliases", NETWORK_NAMES_MAX);
    return OK;
}

static void prepare_live(struct alias_job *j) {
    struct container *c = j->c;
    for (size_t i = 0; i < c->endpoints.n; i++) {
        struct endpoint_plan *copy = container_plan_copy(c->endpoints.items[i]);
        vec_push(&j->plans, copy);
        if (strcmp(copy->network_id, j->w->id) == 0)
            j->plan = copy;
    }
    if (!j->plan)
        return;
    strv_done(&j->plan->aliases);
    for (size_t i = 0; i < j->after.n; i++)
        strv_add(&j->plan->aliases, j->after.items[i]);
}

static struct err prepare(void *job) {
    struct alias_job *j = job;
    struct container *c = j->c;
    const struct api_endpoint *settings = NULL;
    if (c->gone || c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD)
        return err_new(ERR_CONFLICT, "container %s is marked for removal", c->id);
    TRY(find_network(j, &settings));
    TRY(change(j, &settings->aliases));
    if (container_is_alive(c))
        prepare_live(j);
    return OK;
}

/* --- work, finish --------------------------------------------------------------------------------
 */

static struct err work(void *job) {
    struct alias_job *j = job;
    struct container *c = j->c;
    if (!j->plan)
        return OK;
    CLEAN_FD int run_dir = openat(c->all->run_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run_dir < 0)
        return err_errno(errno, "open the run directory");
    return container_net_write(&j->plans, run_dir);
}

static void end(void *arg, struct err e) {
    struct alias_job *j = arg;
    struct op_run *run = j->run;
    j->done(j->arg, e);
    for (size_t i = 0; i < j->plans.n; i++)
        endpoint_plan_free(j->plans.items[i]);
    vec_done(&j->plans);
    arena_done(&j->arena);
    free(j);
    op_end(run);
}

static void take_over(struct alias_job *j) {
    struct container *c = j->c;
    struct api_endpoint *to = objmap_get(&c->networking->endpoints, j->w->name);
    to->aliases = (struct strs){.present = true};
    for (size_t i = 0; i < j->after.n; i++)
        strs_add(&to->aliases, &c->arena, arena_strz(&c->arena, j->after.items[i]));
    if (!j->plan)
        return;
    endpoint_aliases_set(container_networks(c), j->plan);
    container_net_take(c, &j->plans);
    container_names_tell(c, c->endpoints.items, c->endpoints.n, true);
}

static void finish(void *job, struct err e, struct op_run *run) {
    struct alias_job *j = job;
    j->run = run;
    if (err_failed(e)) {
        end(j, e);
        return;
    }
    take_over(j);
    struct store_txn *t = store_txn_new();
    container_record_config(j->c, t);
    store_commit(j->c->all->config.store, t, j->c->brief ? STORE_LAZY : STORE_DURABLE, end, j);
}

static const struct op aliases_op = {"container aliases", prepare, work, finish};

void container_aliases_change(struct container *c, const struct api_aliases_change *doc,
                              container_done *done, void *arg) {
    struct alias_job *j = NEW(struct alias_job);
    CLEAN_BUF struct buf text = {0};
    j->c = c;
    j->done = done;
    j->arg = arg;
    fields_print(&api_aliases_change_fields, doc, &text);
    j->doc = arena_alloc(&j->arena, sizeof *j->doc);
    struct err e = fields_decode(&api_aliases_change_fields, buf_str(&text), &j->arena, j->doc);
    assert(!err_failed(e)); /* it was printed from the same table */
    op_start(c->all->config.loop, &c->queue, &aliases_op, j);
}
