/* Who is there: by id, by name, in order of creation. */
#include "container/private.h"
#include <stdlib.h>

static bool is_hex(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return s.len > 0;
}

struct err container_find(struct containers *cs, const char *ref, struct container **ret) {
    struct str name = str_of(ref);
    struct container *found = map_get(&cs->by_id, name);
    if (!found)
        found = map_get(&cs->by_name, str_starts(name, STR("/")) ? str_from(name, 1) : name);
    if (!found && is_hex(name) && name.len < 64) {
        for (size_t i = 0; i < cs->n; i++) {
            if (strncmp(cs->sorted[i]->id, name.p, name.len) != 0)
                continue;
            if (found)
                return err_new(ERR_INVALID, "Multiple IDs found with provided prefix: %s", ref);
            found = cs->sorted[i];
        }
    }
    if (!found)
        return err_new(ERR_NOT_FOUND, "No such container: %s", ref);
    *ret = found;
    return OK;
}

struct container *const *containers_all(struct containers *cs, size_t *ret_n) {
    *ret_n = cs->n;
    return cs->sorted;
}

struct bus *containers_bus(struct containers *cs) {
    return &cs->bus;
}

struct container *container_new(struct containers *cs) {
    struct container *c = NEW(struct container);
    c->all = cs;
    c->error = mem_strdup("");
    op_queue_init(&c->queue);
    list_init(&c->prestart);
    list_init(&c->removed_waiters);
    list_init(&c->exit_calls);
    list_init(&c->execs);
    return c;
}

void container_free(struct container *c) {
    if (!c)
        return;
    container_execs_drop(c);
    container_health_free(c);
    container_life_free(c);
    for (struct list *n; (n = list_pop(&c->prestart));)
        container_waiter_free(CONTAINER_OF(n, struct container_waiter, link));
    for (struct list *n; (n = list_pop(&c->removed_waiters));)
        container_waiter_free(CONTAINER_OF(n, struct container_waiter, link));
    timer_free(c->restart_timer);
    monitor_free(c->monitor);
    op_queue_done(&c->queue);
    for (size_t i = 0; i < c->endpoints.n; i++)
        endpoint_plan_free(c->endpoints.items[i]);
    vec_done(&c->endpoints);
    endpoint_plan_free(c->idle);
    free(c->name);
    free(c->error);
    container_arena_end(c, &c->host_arena);
    container_arena_end(c, &c->arena);
    container_pin_orphan(c);
    free(c);
}

struct err container_check_name(const char *name) {
    bool ok = strlen(name) >= 2 && strlen(name) <= 255;
    for (const char *p = name; *p && ok; p++) {
        bool alnum = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9');
        ok = alnum || (p > name && (*p == '_' || *p == '.' || *p == '-'));
    }
    if (!ok)
        return err_new(ERR_INVALID,
                       "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                       name);
    return OK;
}

struct err container_reserve(struct containers *cs, struct container *c, const char *name) {
    struct container *holder = map_getz(&cs->by_name, name);
    if (holder)
        return err_new(
            ERR_CONFLICT,
            "Conflict. The container name \"/%s\" is already in use by container \"%s\". "
            "You have to remove (or rename) that container to be able to reuse that name.",
            name, holder->id);
    if (cs->n >= CONTAINERS_MAX)
        return err_new(ERR_UNAVAILABLE, "there are %zu containers, the most this daemon keeps",
                       cs->n);
    free(c->name);
    c->name = mem_strdup(name);
    map_set(&cs->by_name, str_of(c->name), c);
    map_set(&cs->by_id, str_of(c->id), c);
    if (cs->n == cs->cap) {
        cs->cap = cs->cap ? cs->cap * 2 : 64;
        cs->sorted = mem_resize(cs->sorted, cs->cap, sizeof *cs->sorted);
    }
    size_t at = 0;
    while (at < cs->n && cs->sorted[at]->created > c->created)
        at++;
    memmove(cs->sorted + at + 1, cs->sorted + at, (cs->n - at) * sizeof *cs->sorted);
    cs->sorted[at] = c;
    cs->n++;
    return OK;
}

void container_unreserve(struct container *c) {
    struct containers *cs = c->all;
    if (map_getz(&cs->by_name, c->name) == c)
        map_del(&cs->by_name, str_of(c->name));
    map_del(&cs->by_id, str_of(c->id));
    for (size_t i = 0; i < cs->n; i++)
        if (cs->sorted[i] == c) {
            memmove(cs->sorted + i, cs->sorted + i + 1, (cs->n - i - 1) * sizeof *cs->sorted);
            cs->n--;
            return;
        }
}

void container_publish_two(struct container *c, const char *action, const char *key1,
                           const char *value1, const char *key2, const char *value2) {
    struct container_event ev = {.action = action,
                                 .container = c,
                                 .attributes = {key1, value1, key2, value2},
                                 .time = time_now()};
    bus_publish(&c->all->bus, &ev);
}

void container_publish(struct container *c, const char *action, const char *key,
                       const char *value) {
    container_publish_two(c, action, key, value, NULL, NULL);
}
