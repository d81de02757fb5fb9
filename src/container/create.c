/* create: validate and reserve on the loop, make the volumes, make the row durable, make the
 * directories, answer. Until the row is durable nobody else sees more than a reserved name. */
#include "base/random.h"
#include "container/private.h"
#include "spec/corten_build.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct create_job {
    struct containers *cs;
    struct container *c;
    struct arena arena;
    struct strs warnings;
    struct buf record;
    size_t next_mount;
    struct rootfs root;
    void (*done)(void *arg, struct err e, struct container *c, const struct strs *warnings);
    void *arg;
};

static void create_end(struct create_job *j, struct err e) {
    struct container *c = j->c;
    if (err_failed(e)) {
        for (size_t i = 0; i < c->mounts_n; i++)
            if (c->mounts[i].held)
                volume_unhold(j->cs->config.volumes, c->mounts[i].name, c->id);
        container_unhold_images(c);
        if (c->hold.image)
            image_unhold(j->cs->config.images, &c->hold);
        if (c->name)
            container_unreserve(c);
        container_free(c);
        c = NULL;
    } else {
        container_publish(c, "create", NULL, NULL);
    }
    j->done(j->arg, e, c, &j->warnings);
    buf_done(&j->record);
    arena_done(&j->arena);
    free(j);
}

/* --- merging with the image
 * ------------------------------------------------------------------------------ */

static bool same_variable(const char *a, const char *b) {
    size_t n = strcspn(a, "=");
    return n == strcspn(b, "=") && !memcmp(a, b, n);
}

/* Image's variables first, in order, each replaced by the caller's; "NAME" alone
 * stays, as the peer shows it, and unsets. */
static void merge_env(struct api_config *c, const struct api_config *image, struct arena *a) {
    struct strs env = {.present = true};
    for (size_t i = 0; i < image->env.n; i++) {
        const char *value = image->env.items[i];
        bool replaced = false;
        for (size_t k = 0; k < c->env.n; k++)
            replaced |= same_variable(value, c->env.items[k]);
        if (!replaced)
            strs_add(&env, a, value);
    }
    for (size_t i = 0; i < c->env.n; i++)
        strs_add(&env, a, c->env.items[i]);
    c->env = env;
}

static void merge_set(struct strs *set, const struct strs *image, struct arena *a) {
    for (size_t i = 0; i < image->n; i++)
        if (!strs_has(set, image->items[i]))
            strs_add(set, a, image->items[i]);
}

static void merge_text(char **text, char *image) {
    if (!*text || !**text)
        *text = image;
}

/* What the engine believes of the create call alone: whose build a container belongs to, and with
 * whose end it is removed; who deployed it, and why; which project it is of, by which listeners
 * see it; whether its execs end with their clients. An image does not say that. */
static bool is_callers(const char *label) {
    static const char *const labels[] = {BUILD_LABEL, CONTAINER_LABEL_CAUSE, CONTAINER_LABEL_BY,
                                         CONTAINER_LABEL_PROJECT, CONTAINER_LABEL_EXEC_KILL};
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        if (!strcmp(label, labels[i]))
            return true;
    return false;
}

void container_merge_config(struct api_config *c, const struct api_config *image, struct arena *a) {
    if (c->entrypoint.n == 0) {
        if (c->cmd.n == 0)
            c->cmd = image->cmd;
        if (!c->entrypoint.present)
            c->entrypoint = image->entrypoint;
    }
    if (c->entrypoint.n == 1 && !c->entrypoint.items[0][0])
        c->entrypoint = (struct strs){0};
    merge_env(c, image, a);
    merge_set(&c->exposed_ports, &image->exposed_ports, a);
    merge_set(&c->volumes, &image->volumes, a);
    merge_text(&c->working_dir, image->working_dir);
    merge_text(&c->user, image->user);
    merge_text(&c->stop_signal, image->stop_signal);
    container_health_merge(c, image, a);
    for (size_t i = 0; i < image->labels.n; i++)
        if (!strmap_get(&c->labels, image->labels.items[i].key) &&
            !is_callers(image->labels.items[i].key))
            strmap_set(&c->labels, a, image->labels.items[i].key, image->labels.items[i].value);
}

/* --- steps
 * ------------------------------------------------------------------------------------------------
 */

static struct err find_image(struct create_job *j, const char *ref, struct image **ret) {
    if (!ref || !*ref)
        return err_new(ERR_INVALID, "no image specified: the body needs 'Image'");
    TRY(image_find_rootfs(j->cs->config.images, str_of(ref), ret));
    return OK;
}

/* What the peers say of an image for another machine: whether it runs is the kernel's to know
 * (binfmt_misc). */
static struct err check_platform(struct create_job *j, struct image *image,
                                 const struct api_container_create *given) {
    const struct oci_image_config *c = image_config(image);
    char has[PLATFORM_TEXT_MAX], host[PLATFORM_TEXT_MAX];
    struct platform here;
    if (given->platform)
        return image_platform_check(image, given->platform, given->config.image);
    platform_host(&here);
    if (platform_distance(&here, c->os, c->architecture, c->variant) < 0)
        strs_add(&j->warnings, &j->arena,
                 arena_printf(&j->arena,
                              "The requested image's platform (%s) does not match the detected "
                              "host platform (%s) and no specific platform was requested",
                              platform_format(c->os, c->architecture, c->variant, has),
                              platform_text(&here, host)));
    return OK;
}

/* Whether it is there is the start's question (see compose): NULL when it is not. */
static struct container *joined(struct create_job *j, const char *mode) {
    struct container *other = NULL;
    err_ignore(container_find(j->cs, container_joined_ref(mode), &other));
    return other;
}

static struct err host_name(struct create_job *j, struct api_container_create *doc) {
    struct container *c = j->c;
    if (doc->config.hostname && *doc->config.hostname) {
        size_t n = strlen(doc->config.hostname);
        if (n > 63 ||
            strspn(doc->config.hostname,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != n)
            return err_new(ERR_INVALID, "invalid hostname: %s", doc->config.hostname);
        return OK;
    }
    char name[65] = "";
    const char *mode = doc->host->network_mode, *uts = doc->host->uts_mode;
    if (container_joins(mode)) {
        struct container *other = joined(j, mode);
        doc->config.hostname = arena_strz(&j->arena, other ? other->config->hostname : c->id);
        return OK;
    }
    bool of_host = (mode && !strcmp(mode, "host")) || (uts && !strcmp(uts, "host"));
    if (!of_host || gethostname(name, sizeof name - 1) != 0)
        memcpy(name, c->id, 12);
    doc->config.hostname = arena_strz(&j->arena, name);
    return OK;
}

/* Fills j->c from the document; the name is not reserved yet. */
static struct err compose(struct create_job *j, const struct api_container_create *given) {
    struct container *c = j->c;
    struct api_container_create doc = *given;
    struct api_host_config no_host = {0};
    struct image *image = NULL;
    if (!doc.host)
        doc.host = &no_host;
    TRY(find_image(j, doc.config.image, &image));
    TRY(check_platform(j, image, given));
    struct api_host_config host = *doc.host;
    if (j->cs->config.defaults)
        container_defaults_apply(j->cs->config.defaults, &j->arena, &host);
    doc.host = &host;
    TRY(container_validate(&doc, &j->arena, &j->warnings));
    TRY(container_size_check(j->cs, doc.host));
    container_merge_config(&doc.config, &image_config(image)->config, &j->arena);
    container_start_method(&doc.config, &given->config, &j->arena);
    if (!given->host || !given->host->init)
        TRY(container_init_choose(&doc.config, j->cs->init_fd >= 0, &j->arena, &host));
    if (host.init && *host.init && j->cs->init_fd < 0)
        return err_new(ERR_UNSUPPORTED, "HostConfig.Init: corten-init is not installed beside %s",
                       j->cs->config.monitor_program);
    TRY(container_health_check(&doc, &j->arena));
    if (doc.config.entrypoint.n + doc.config.cmd.n == 0)
        return err_new(ERR_INVALID, "no command specified");
    TRY(host_name(j, &doc));
    if (!host.log_config.type || !*host.log_config.type)
        host.log_config.type = arena_strz(&j->arena, "json-file");
    if (!host.network_mode || !*host.network_mode || !strcmp(host.network_mode, "default"))
        host.network_mode = arena_strz(&j->arena, "bridge");
    if (container_joins(host.network_mode)) { /* by id: names change */
        struct container *other = joined(j, host.network_mode);
        if (other)
            host.network_mode = arena_printf(&j->arena, "container:%s", other->id);
    }
    if (doc.config.network_disabled)
        host.network_mode = arena_strz(&j->arena, "none");
    TRY(container_links_resolve(j->cs, &doc.host->links, &j->arena, &host.links));
    container_discard(&host, &j->arena, &j->warnings);
    struct api_resources *r = &host.resources;
    if (r->memory > 0 && r->memory_swap == 0)
        r->memory_swap = r->memory * 2;
    /* Whether the network exists is the start's question, as with the peer: to a 404 here the stock
     * CLI answers by pulling the image. */
    struct api_networking_config networking;
    container_networking_complete(j->cs->config.networks, host.network_mode, doc.networking,
                                  &j->arena, &networking);
    container_ports_warn(j->cs->config.networks, &host, &networking, &j->arena, &j->warnings);
    struct container_record record = {
        .config = &doc.config,
        .host = &host,
        .networking = &networking,
        .image_ref = doc.config.image,
        .image_id = image->id_text,
    };
    CLEAN_BUF struct buf text = {0};
    container_record_print(&record, &text);
    TRY(container_record_apply(c, buf_str(&text)));
    container_set_directory(c, c->all->boot_id);
    c->deployed_by = given->caller;
    TRY(container_plan_mounts(c));
    c->hold.container_id = c->id;
    image_hold(image, &c->hold);
    container_hold_images(c);
    return container_root(c, &j->arena, &j->root);
}

static void make_row(struct create_job *j);

static void volume_made(void *arg, struct err e, struct volume *v) {
    struct create_job *j = arg;
    struct container_mount *m = &j->c->mounts[j->next_mount - 1];
    if (!err_failed(e)) {
        m->source = arena_strz(&j->c->arena, v->mountpoint);
        e = volume_hold(j->cs->config.volumes, m->name, j->c->id);
    }
    if (err_failed(e)) {
        create_end(j, e);
        return;
    }
    m->held = true;
    make_row(j);
}

static struct err directories_work(void *arg) {
    struct create_job *j = arg;
    struct err e = container_root_make(j->c, &j->root);
    if (err_failed(e))
        err_ignore(rootfs_remove(j->c->brief ? j->cs->ephemeral_fd : j->cs->data_fd, j->c->id));
    return e;
}

static void directories_done(void *arg, struct err e) {
    struct create_job *j = arg;
    if (err_failed(e)) {
        struct store_txn *t = store_txn_new();
        container_record_delete(j->c->id, t);
        store_commit(j->cs->config.store, t, STORE_LAZY, NULL, NULL);
    }
    create_end(j, e);
}

static void row_made(void *arg, struct err e) {
    struct create_job *j = arg;
    if (err_failed(e))
        create_end(j, e);
    else
        job_submit(j->cs->config.loop, directories_work, directories_done, j);
}

/* What the mount object says about a volume that is made for it. */
static void volume_settings(const struct container *c, const struct container_mount *m,
                            struct volume_request *r) {
    const struct api_mount *given = c->host->mounts.items;
    for (size_t i = 0; i < c->host->mounts.n; i++) {
        const struct api_volume_options *v = given[i].volume_options;
        if (!v || !given[i].target || strcmp(given[i].target, m->destination) != 0)
            continue;
        r->labels = v->labels;
        if (v->driver_config) {
            r->driver = v->driver_config->name;
            r->options = v->driver_config->options;
        }
    }
}

/* Makes the next missing volume, or, when all are there, the row. */
static void make_row(struct create_job *j) {
    struct container *c = j->c;
    while (j->next_mount < c->mounts_n) {
        struct container_mount *m = &c->mounts[j->next_mount++];
        if (strcmp(m->type, "volume") != 0)
            continue;
        struct volume_request r = {
            .name = m->name, .driver = c->host->volume_driver, .lazy = c->brief};
        volume_settings(c, m, &r);
        if (m->anonymous)
            strmap_set(&r.labels, &j->arena, "com.docker.volume.anonymous", "");
        volume_create(j->cs->config.volumes, &r, volume_made, j);
        return;
    }
    struct container_record record = {c->config,    c->host,     c->networking,
                                      c->image_ref, c->image_id, {c->mounts, c->mounts_n, true}};
    container_record_print(&record, &j->record);
    struct store_txn *t = store_txn_new();
    container_record_insert(c, buf_str(&j->record), t);
    store_commit(j->cs->config.store, t, c->brief ? STORE_LAZY : STORE_DURABLE, row_made, j);
}

void container_create(struct containers *cs, const char *name,
                      const struct api_container_create *doc,
                      void (*done)(void *arg, struct err e, struct container *c,
                                   const struct strs *warnings),
                      void *arg) {
    struct create_job *j = NEW(struct create_job);
    j->cs = cs;
    j->done = done;
    j->arg = arg;
    j->c = container_new(cs);
    random_id(j->c->id);
    j->c->created = time_now();
    CLEAN_FREE char *made_up = NULL;
    if (!name || !*name)
        name = made_up = container_make_name(cs);
    else if (*name == '/')
        name++;
    struct err e = container_check_name(name);
    if (!err_failed(e))
        e = container_reserve(cs, j->c, name);
    if (!err_failed(e))
        e = compose(j, doc);
    if (err_failed(e))
        create_end(j, e);
    else
        make_row(j);
}
