/* defaults: what the daemon's settings say for containers that leave it open. Taken at create, so
 * that inspect shows it and a later setting changes no container that exists. */
#include "container/private.h"

static bool has_option(const struct strs *opts, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < opts->n; i++)
        if (!strncmp(opts->items[i], name, n) && strchr("=:", opts->items[i][n]))
            return true;
    return false;
}

static void take_ulimits(struct objs *own, const struct objs *given, struct arena *a) {
    const struct api_ulimit *from = given->items;
    struct objs all = {.present = true};
    for (size_t i = 0; i < own->n; i++)
        *(struct api_ulimit *)objs_add(&all, a,
                                       sizeof *from) = ((const struct api_ulimit *)own->items)[i];
    for (size_t i = 0; i < given->n; i++) {
        bool said = false;
        for (size_t k = 0; k < own->n; k++) {
            const char *name = ((const struct api_ulimit *)own->items)[k].name;
            said |= name && !strcmp(name, from[i].name);
        }
        if (!said)
            *(struct api_ulimit *)objs_add(&all, a, sizeof *from) = from[i];
    }
    *own = all;
}

/* Options go with their driver only. */
static void take_log(struct api_log_config *own, const struct api_log_config *given,
                     struct arena *a) {
    const char *driver = given->type ? given->type : "json-file";
    if (!own->type || !*own->type)
        own->type = arena_strz(a, driver);
    if (strcmp(own->type, driver) != 0)
        return;
    struct strmap all = {.present = true};
    for (size_t i = 0; i < given->config.n; i++)
        strmap_set(&all, a, given->config.items[i].key, given->config.items[i].value);
    for (size_t i = 0; i < own->config.n; i++)
        strmap_set(&all, a, own->config.items[i].key, own->config.items[i].value);
    if (all.n)
        own->config = all;
}

static void take_list(struct strs *own, const struct strs *given) {
    if (own->n == 0 && given->n)
        *own = *given;
}

static void take_text(char **own, char *given) {
    if ((!*own || !**own) && given)
        *own = given;
}

void container_defaults_apply(const struct container_defaults *d, struct arena *a,
                              struct api_host_config *h) {
    const struct api_host_config *from = &d->host;
    if (from->resources.ulimits.n)
        take_ulimits(&h->resources.ulimits, &from->resources.ulimits, a);
    if (h->shm_size == 0)
        h->shm_size = from->shm_size;
    take_log(&h->log_config, &from->log_config, a);
    if (!h->init)
        h->init = from->init;
    take_text(&h->ipc_mode, from->ipc_mode);
    take_text(&h->cgroupns_mode, from->cgroupns_mode);
    take_text(&h->resources.cgroup_parent, from->resources.cgroup_parent);
    if (!h->network_mode || !container_joins(h->network_mode)) {
        take_list(&h->dns, &from->dns);
        take_list(&h->dns_options, &from->dns_options);
        take_list(&h->dns_search, &from->dns_search);
    }
    struct strs security = {.present = h->security_opt.present};
    for (size_t i = 0; i < h->security_opt.n; i++)
        strs_add(&security, a, h->security_opt.items[i]);
    for (size_t i = 0; i < from->security_opt.n; i++) {
        const char *opt = from->security_opt.items[i];
        CLEAN_FREE char *name = str_dup(str_n(opt, strcspn(opt, "=")));
        if (!has_option(&security, name))
            strs_add(&security, a, opt);
    }
    h->security_opt = security;
}

struct err container_defaults_check(const struct container_defaults *d) {
    CLEAN_ARENA struct arena a = {0};
    struct strs warnings = {0};
    struct api_host_config host = d->host;
    struct api_container_create doc = {.host = &host};
    const char *ipc = host.ipc_mode;
    if (ipc && strcmp(ipc, "private") != 0 && strcmp(ipc, "shareable") != 0)
        return err_new(ERR_INVALID, "default-ipc-mode: '%s' is neither private nor shareable", ipc);
    container_defaults_apply(d, &a, &host);
    if (d->seccomp)
        strs_add(&host.security_opt, &a, arena_printf(&a, "seccomp=%s", d->seccomp));
    return container_validate(&doc, &a, &warnings);
}
