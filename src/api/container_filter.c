#include "api/container_filter.h"
#include "base/time.h"
#include <ctype.h>
#include <regex.h>
#include <string.h>

#define PATTERN_MAX 512

/* --- words
 * ----------------------------------------------------------------------------------------- */

/* Intervals and back references are where matching explodes. */
static bool is_tame(const char *pattern) {
    if (strlen(pattern) > PATTERN_MAX || strchr(pattern, '{'))
        return false;
    for (const char *p = pattern; *p; p++)
        if (*p == '\\' && (*++p == '\0' || isdigit((unsigned char)*p)))
            return false;
    return true;
}

bool container_filter_pattern(const struct strs *patterns, const char *text) {
    for (size_t i = 0; patterns && i < patterns->n; i++) {
        regex_t r;
        if (!is_tame(patterns->items[i]) ||
            regcomp(&r, patterns->items[i], REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        bool found = regexec(&r, text, 0, NULL, 0) == 0;
        regfree(&r);
        if (found)
            return true;
    }
    return !patterns;
}

/* With and without the slash in front. */
static bool name_matches(const struct strs *wanted, const char *name) {
    CLEAN_FREE char *slashed = mem_printf("/%s", name);
    return container_filter_pattern(wanted, name) || container_filter_pattern(wanted, slashed);
}

static bool mount_matches(const struct strs *wanted, const struct container *k) {
    for (size_t i = 0; wanted && i < wanted->n; i++)
        for (size_t m = 0; m < k->mounts_n; m++)
            if (!strcmp(wanted->items[i], k->mounts[m].destination) ||
                (k->mounts[m].name && !strcmp(wanted->items[i], k->mounts[m].name)))
                return true;
    return !wanted;
}

struct err port_range_parse(const char *text, struct port_range *ret) {
    struct str ports, proto_name, from, to;
    bool has_proto = str_cut(str_of(text), '/', &ports, &proto_name);
    bool has_range = str_cut(ports, '-', &from, &to);
    uint8_t proto = 0;
    uint16_t port = 0;
    uint64_t first, last;
    TRYF(str_to_u64(from, 65535, &first), "invalid port '%s'", text);
    last = first;
    if (has_range)
        TRYF(str_to_u64(to, 65535, &last), "invalid port '%s'", text);
    CLEAN_FREE char *one = mem_printf("%llu/%.*s", (unsigned long long)MAX(first, UINT64_C(1)),
                                      STR_ARG(has_proto ? proto_name : STR("tcp")));
    TRYF(port_parse(str_of(one), &proto, &port), "invalid port '%s'", text);
    if (last < first)
        return err_new(ERR_INVALID, "invalid port range '%s'", text);
    *ret = (struct port_range){proto, (uint16_t)first, (uint16_t)last};
    return OK;
}

static bool in_ranges(const struct objs *ranges, uint8_t proto, unsigned port, unsigned count) {
    const struct port_range *r = ranges->items;
    for (size_t i = 0; i < ranges->n; i++)
        if (port && r[i].proto == proto && port + count > r[i].from && port <= r[i].to)
            return true;
    return false;
}

/* As the ports column shows them: what is published, then what is exposed. */
static bool ports_match(const struct container_filter *f, const struct container *k) {
    const struct endpoint_plan *p = container_endpoint(k);
    if (!f->publish.n && !f->expose.n)
        return true;
    if (!p)
        return false;
    for (size_t i = 0; i < p->ports.n; i++) {
        const struct port_mapping *m = &p->ports.items[i];
        if (in_ranges(&f->publish, m->proto, m->host_port, m->count) ||
            in_ranges(&f->expose, m->proto, m->container_port, m->count))
            return true;
    }
    for (size_t i = 0; i < k->config->exposed_ports.n; i++) {
        uint8_t proto = 0;
        uint16_t port = 0;
        struct err e = port_parse(str_of(k->config->exposed_ports.items[i]), &proto, &port);
        if (!err_failed(e) && in_ranges(&f->expose, proto, port, 1))
            return true;
        err_ignore(e); /* checked at create */
    }
    return false;
}

/* --- facts
 * ----------------------------------------------------------------------------------------- */

/* --- the life cycle: what labels say, of the image and of all that it is built on ---------------
 */

/* "name", "name:tag", or the beginning of an id. */
static bool is_called(const struct lifecycle_ancestor *x, const char *wanted) {
    size_t n = strlen(wanted);
    const char *id = x->id ? x->id : "";
    const char *name = x->name ? x->name : "";
    bool by_name = !strncmp(name, wanted, n) &&
                   (name[n] == '\0' || name[n] == ':' || name[n] == '@');
    return n > 0 &&
           (by_name || (n >= 12 && (!strncmp(id, wanted, n) ||
                                    (!strncmp(id, "sha256:", 7) && !strncmp(id + 7, wanted, n)))));
}

static bool labelled_ancestor(const struct strs *wanted, const struct objs *above) {
    const struct lifecycle_ancestor *x = above->items;
    for (size_t i = 0; i < above->n; i++)
        for (size_t n = 0; n < wanted->n; n++)
            if (is_called(&x[i], wanted->items[n]))
                return true;
    return false;
}

static bool ancestor_matches(const struct container_filter *f, const struct container *k) {
    struct image *const *wanted = f->ancestors.items;
    if (!f->ancestors.present)
        return true;
    for (const struct image *i = k->hold.image; i; i = i->parent)
        for (size_t n = 0; n < f->ancestors.n; n++)
            if (wanted[n] == i)
                return true;
    CLEAN_ARENA struct arena a = {0};
    struct objs above;
    struct strs problems = {0};
    lifecycle_ancestors(&k->config->labels, &a, &above, &problems);
    return labelled_ancestor(api_filter(&f->given, "ancestor"), &above);
}

static bool older(const char *time, int64_t limit) {
    int64_t t = 0;
    CLEAN_ERR struct err e = time_parse(str_of(time), &t);
    return !err_failed(e) && t > 0 && t < limit;
}

/* Its own image, or one that it stems from. */
static bool built_before(const struct lifecycle_metadata *m, int64_t limit) {
    const struct lifecycle_metadata *above = m->ancestors.items;
    for (size_t i = 0; i < m->ancestors.n; i++)
        if (older(above[i].build_time, limit))
            return true;
    return older(m->build_time, limit);
}

static bool has_gitref(const struct lifecycle_metadata *m, const struct strs *wanted) {
    const struct lifecycle_metadata *above = m->ancestors.items;
    for (size_t n = 0; n < wanted->n; n++) {
        size_t len = strlen(wanted->items[n]);
        if (len == 0)
            continue;
        if (!strncmp(m->gitref, wanted->items[n], len) || !strcmp(m->git_branch, wanted->items[n]))
            return true;
        for (size_t i = 0; i < m->ancestors.n; i++)
            if (!strncmp(above[i].gitref, wanted->items[n], len) ||
                !strcmp(above[i].git_branch, wanted->items[n]))
                return true;
    }
    return false;
}

static bool has_method(const struct lifecycle_metadata *m, const struct strs *wanted) {
    for (size_t n = 0; n < wanted->n; n++)
        if (!objmap_get(&m->methods, wanted->items[n]))
            return false;
    return true;
}

static bool life_matches(const struct container_filter *f, const struct container *k) {
    const struct strs *gitref = api_filter(&f->given, "gitref");
    const struct strs *method = api_filter(&f->given, "method");
    const struct strs *ready = api_filter(&f->given, "ready");
    CLEAN_ARENA struct arena a = {0};
    struct lifecycle_metadata m;
    if (ready && !strs_has(ready, container_ready(k) ? "true" : "false"))
        return false;
    if (!gitref && !method && !f->built_before)
        return true;
    container_metadata(k, &a, &m);
    return (!gitref || has_gitref(&m, gitref)) && (!method || has_method(&m, method)) &&
           (!f->built_before || built_before(&m, f->built_before));
}

static bool exit_matches(const struct container_filter *f, const struct container *k) {
    const int64_t *codes = f->exits.items;
    if (!f->exits.present)
        return true;
    for (size_t i = 0; i < f->exits.n; i++)
        if (k->exit_code == codes[i] && k->state == CONTAINER_EXITED)
            return true;
    return false;
}

/* By network name or id, as it was given or as the network is called. */
static bool network_matches(const struct container_filter *f, const struct container *k) {
    const struct strs *wanted = api_filter(&f->given, "network");
    const struct objmap *m = k->networking ? &k->networking->endpoints : NULL;
    if (!wanted || strs_has(wanted, k->host->network_mode))
        return true;
    for (size_t i = 0; m && i < m->n; i++) {
        const struct network *w = network_find(container_networks(k), m->items[i].key);
        if (strs_has(wanted, m->items[i].key) || (w && strs_has(wanted, w->id)))
            return true;
    }
    return false;
}

bool container_filter_wants(const struct container_filter *f, const struct container *k) {
    const struct strs *status = api_filter(&f->given, "status");
    const struct strs *task = api_filter(&f->given, "is-task");
    const struct strs *health = api_filter(&f->given, "health");
    const struct strs *isolation = api_filter(&f->given, "isolation");
    bool alive = k->state == CONTAINER_RUNNING || k->state == CONTAINER_PAUSED ||
                 k->state == CONTAINER_RESTARTING;
    return (alive || f->all) && container_filter_pattern(api_filter(&f->given, "id"), k->id) &&
           name_matches(api_filter(&f->given, "name"), k->name) &&
           api_filter_labels(api_filter(&f->given, "label"), &k->config->labels) &&
           (!status || strs_has(status, container_state_name(k->state))) &&
           (!health || strs_has(health, container_health_name(k))) &&
           (!isolation || strs_has(isolation, "default")) &&
           (!task || strs_has(task, "false") || strs_has(task, "0")) && ancestor_matches(f, k) &&
           exit_matches(f, k) && life_matches(f, k) && network_matches(f, k) &&
           mount_matches(api_filter(&f->given, "volume"), k) && ports_match(f, k) &&
           (f->before == INT64_MIN || k->created < f->before) &&
           (f->since == INT64_MIN || k->created > f->since);
}

/* --- reading
 * --------------------------------------------------------------------------------------- */

static struct err created_of(struct api_call *c, const struct strs *v, int64_t *ret) {
    struct container *k = NULL;
    if (!v)
        return OK;
    TRY(container_find(c->api->containers, v->items[0], &k));
    *ret = k->created;
    return OK;
}

static struct err read_status(const struct strs *status) {
    for (size_t i = 0; status && i < status->n; i++) {
        enum container_state s = 0;
        while (s < CONTAINER_STATE_COUNT && strcmp(container_state_name(s), status->items[i]) != 0)
            s++;
        if (s == CONTAINER_STATE_COUNT)
            return err_new(ERR_INVALID, "invalid filter 'status=%s'", status->items[i]);
    }
    return OK;
}

static struct err read_words(const struct strs *given, const char *name, const char *const *known) {
    for (size_t i = 0; given && i < given->n; i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], given->items[i]) != 0)
            k++;
        if (!known[k])
            return err_new(ERR_INVALID, "invalid filter '%s=%s'", name, given->items[i]);
    }
    return OK;
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A time, or how long ago. */
static struct err read_built(struct api_call *c, struct container_filter *f) {
    const struct strs *v = api_filter(&f->given, "built-before");
    for (size_t i = 0; v && i < v->n; i++) {
        int64_t t, ago;
        struct err e = duration_parse(str_of(v->items[i]), &ago);
        if (err_failed(e)) {
            err_free(e);
            TRYF(time_parse_api(str_of(v->items[i]), &t), "invalid filter 'built-before=%s'",
                 v->items[i]);
        } else {
            t = time_now() - ago;
        }
        f->built_before = f->built_before ? MIN(f->built_before, t) : t;
    }
    (void)c;
    return OK;
}

/* An unknown ancestor matches nothing here: it may be one that only labels name. */
static struct err read_ancestors(struct api_call *c, struct container_filter *f) {
    const struct strs *v = api_filter(&f->given, "ancestor");
    f->ancestors.present = v != NULL;
    for (size_t i = 0; v && i < v->n; i++) {
        struct image *image = NULL;
        struct err e = image_find(c->api->images, str_of(v->items[i]), &image);
        if (err_failed(e) && err_kind(e) != ERR_NOT_FOUND && err_kind(e) != ERR_INVALID)
            return e;
        err_ignore(e);
        if (image)
            *(struct image **)objs_add(&f->ancestors, &c->arena, sizeof image) = image;
    }
    return OK;
}

static struct err read_ports(struct api_call *c, const struct strs *v, struct objs *ret) {
    for (size_t i = 0; v && i < v->n; i++) {
        struct port_range r;
        TRY(port_range_parse(v->items[i], &r));
        *(struct port_range *)objs_add(ret, &c->arena, sizeof r) = r;
    }
    return OK;
}

static struct err read_exits(struct api_call *c, struct container_filter *f) {
    const struct strs *v = api_filter(&f->given, "exited");
    f->exits.present = v != NULL;
    for (size_t i = 0; v && i < v->n; i++) {
        int64_t code;
        TRYF(str_to_i64(str_of(v->items[i]), INT32_MIN, INT32_MAX, &code),
             "invalid filter 'exited'");
        *(int64_t *)objs_add(&f->exits, &c->arena, sizeof code) = code;
    }
    return OK;
}

struct err container_filter_read(struct api_call *c, struct container_filter *ret) {
    static const char *const allowed[] = {
        "ancestor", "before",       "exited", "expose",  "health",  "id",    "isolation",
        "is-task",  "label",        "name",   "network", "publish", "since", "status",
        "volume",   "built-before", "gitref", "method",  "ready",   NULL};
    struct container_filter f = {.before = INT64_MIN, .since = INT64_MIN, .limit = -1};
    TRY(api_read_filters(c, allowed, &f.given));
    const struct strs *status = api_filter(&f.given, "status");
    const struct strs *before = api_filter(&f.given, "before");
    const struct strs *since = api_filter(&f.given, "since");
    TRY(api_query_i64(c, "limit", INT32_MIN, INT32_MAX, &f.limit));
    if (f.limit <= 0)
        f.limit = -1;
    f.images = c->api->images;
    f.all = api_query_bool(c, "all", false) || f.limit > 0 || status || before || since ||
            api_filter(&f.given, "exited");
    TRY(read_status(status));
    TRY(read_words(api_filter(&f.given, "health"), "health",
                   WORDS("none", "starting", "healthy", "unhealthy")));
    TRY(read_words(api_filter(&f.given, "is-task"), "is-task", WORDS("true", "false", "1", "0")));
    TRY(read_words(api_filter(&f.given, "isolation"), "isolation",
                   WORDS("default", "process", "hyperv")));
    TRY(read_ancestors(c, &f));
    TRY(read_exits(c, &f));
    TRY(read_ports(c, api_filter(&f.given, "publish"), &f.publish));
    TRY(read_ports(c, api_filter(&f.given, "expose"), &f.expose));
    TRY(read_built(c, &f));
    TRY(read_words(api_filter(&f.given, "ready"), "ready", WORDS("true", "false")));
    TRY(created_of(c, before, &f.before));
    TRY(created_of(c, since, &f.since));
    *ret = f;
    return OK;
}
