#include "daemon/defaults.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "logs/logs.h"
#include <string.h>

#define PROFILE_MAX (1u << 20)

static struct err read_list(const char *text, struct arena *a, struct strs *ret) {
    CLEAN_JSON struct json *list = NULL;
    if (!text)
        return OK;
    TRY(json_parse(str_of(text), &list));
    for (size_t i = 0; i < json_len(list); i++)
        strs_add(ret, a, arena_str(a, json_str(json_at(list, i))));
    return OK;
}

static struct err read_map(const char *text, struct arena *a, struct strmap *ret) {
    CLEAN_JSON struct json *map = NULL;
    struct json_iter it = {0};
    if (!text)
        return OK;
    TRY(json_parse(str_of(text), &map));
    while (json_each(map, &it))
        strmap_set(ret, a, arena_str(a, it.key), arena_str(a, json_str(it.value)));
    return OK;
}

/* --- ulimits -----------------------------------------------------------------------------------
 */

static struct err read_number(struct str text, int64_t *ret) {
    if (str_eqz(text, "unlimited")) {
        *ret = -1;
        return OK;
    }
    return str_to_i64(text, -1, INT64_MAX, ret);
}

/* "nofile=1024:2048", "nproc=100" */
static struct err add_limit(struct str text, struct arena *a, struct objs *ret) {
    struct str name, numbers, soft, hard;
    if (!str_cut(text, '=', &name, &numbers) || name.len == 0)
        return err_new(ERR_INVALID, "'%.*s' is not NAME=SOFT[:HARD]", STR_ARG(text));
    bool two = str_cut(numbers, ':', &soft, &hard);
    struct api_ulimit u = {.name = arena_str(a, name)};
    TRYF(read_number(soft, &u.soft), "%.*s", STR_ARG(text));
    u.hard = u.soft;
    if (two)
        TRYF(read_number(hard, &u.hard), "%.*s", STR_ARG(text));
    *(struct api_ulimit *)objs_add(ret, a, sizeof u) = u;
    return OK;
}

/* {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}, as dockerd's file has it. */
static struct err read_limits(const char *text, struct arena *a, struct objs *ret) {
    CLEAN_JSON struct json *map = NULL;
    struct json_iter it = {0};
    if (!text)
        return OK;
    TRY(json_parse(str_of(text), &map));
    if (json_type(map) != JSON_OBJECT)
        return err_new(ERR_INVALID, "expected an object");
    while (json_each(map, &it)) {
        struct api_ulimit u = {.name = arena_str(a, it.key)};
        struct json_iter members = {0};
        while (json_each(it.value, &members)) {
            bool ok = (str_eqz(members.key, "Name") && str_eq(json_str(members.value), it.key)) ||
                      (str_eqz(members.key, "Soft") && json_i64(members.value, &u.soft)) ||
                      (str_eqz(members.key, "Hard") && json_i64(members.value, &u.hard));
            if (!ok)
                return err_new(ERR_INVALID, "%s: '%.*s' is not understood", u.name,
                               STR_ARG(members.key));
        }
        if (json_type(it.value) != JSON_OBJECT)
            return err_new(ERR_INVALID, "%s: expected an object with Soft and Hard", u.name);
        *(struct api_ulimit *)objs_add(ret, a, sizeof u) = u;
    }
    return OK;
}

static struct err read_ulimits(const struct daemon_config *c, struct arena *a, struct objs *ret) {
    CLEAN_JSON struct json *list = NULL;
    TRYF(read_limits(c->default_ulimits, a, ret), "default-ulimits");
    if (!c->default_ulimit)
        return OK;
    TRY(json_parse(str_of(c->default_ulimit), &list));
    for (size_t i = 0; i < json_len(list); i++)
        TRYF(add_limit(json_str(json_at(list, i)), a, ret), "default-ulimit");
    return OK;
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static struct err read_profile(const char *name, struct arena *a, const char **ret) {
    CLEAN_BUF struct buf text = {0};
    if (!name || !strcmp(name, "builtin"))
        return OK;
    if (!strcmp(name, "unconfined")) {
        *ret = arena_strz(a, name);
        return OK;
    }
    if (!path_is_abs(str_of(name)))
        return err_new(ERR_INVALID, "'%s' is none of builtin, unconfined, an absolute path", name);
    TRY(file_read(name, PROFILE_MAX, &text));
    struct str trimmed = str_trim(buf_str(&text));
    if (!str_starts(trimmed, STR("{")))
        return err_new(ERR_INVALID, "'%s' holds no profile", name);
    *ret = arena_str(a, trimmed);
    return OK;
}

struct err defaults_read(const struct daemon_config *c, struct arena *a,
                         struct container_defaults *ret) {
    struct container_defaults d = {0};
    struct api_host_config *h = &d.host;
    TRY(read_ulimits(c, a, &h->resources.ulimits));
    if (c->default_shm_size) {
        TRYF(logs_parse_size(str_of(c->default_shm_size), &h->shm_size), "default-shm-size");
        if (h->shm_size <= 0)
            return err_new(ERR_INVALID, "default-shm-size: '%s'", c->default_shm_size);
    }
    TRYF(read_list(c->dns, a, &h->dns), "dns");
    TRYF(read_list(c->dns_options, a, &h->dns_options), "dns-opts");
    TRYF(read_list(c->dns_search, a, &h->dns_search), "dns-search");
    TRYF(read_map(c->log_options, a, &h->log_config.config), "log-opts");
    h->log_config.type = arena_strz(a, c->log_driver);
    if (c->init != DAEMON_UNSET) {
        h->init = arena_alloc(a, sizeof *h->init);
        *h->init = c->init == DAEMON_ON;
    }
    if (c->no_new_privileges == DAEMON_ON)
        strs_add(&h->security_opt, a, "no-new-privileges");
    h->ipc_mode = arena_strz(a, c->default_ipc_mode);
    h->cgroupns_mode = arena_strz(a, c->default_cgroupns_mode);
    h->resources.cgroup_parent = arena_strz(a, c->cgroup_parent);
    TRYF(read_profile(c->seccomp_profile, a, &d.seccomp), "seccomp-profile");
    TRYF(container_defaults_check(&d), "settings for containers");
    *ret = d;
    return OK;
}
