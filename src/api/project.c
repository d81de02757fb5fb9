/* A listener for the containers of some projects: others are not there for it. */
#include "api/handlers.h"
#include <string.h>

bool api_policy_sees(const struct api_policy *p, const struct strmap *labels) {
    const char *project = strmap_get(labels, CONTAINER_LABEL_PROJECT);
    if (!p || !p->projects)
        return true;
    for (size_t i = 0; project && p->projects[i]; i++)
        if (strcmp(p->projects[i], project) == 0)
            return true;
    return false;
}

enum subject { NOBODY, CONTAINER, EXEC };

/* What such a listener serves. Lists and events show what it may see. Whatever makes, changes or
 * joins something of the host (create, update, commit, images, networks, volumes) is not here. */
static const struct {
    const char *method, *pattern;
    enum subject subject;
} served[] = {
    {"GET", "/_ping", NOBODY},
    {"HEAD", "/_ping", NOBODY},
    {"GET", "/version", NOBODY},
    {"GET", "/info", NOBODY},
    {"GET", "/events", NOBODY},
    {"GET", "/containers/json", NOBODY},
    {"GET", "/containers/{}/json", CONTAINER},
    {"GET", "/containers/{}/logs", CONTAINER},
    {"GET", "/containers/{}/top", CONTAINER},
    {"GET", "/containers/{}/stats", CONTAINER},
    {"GET", "/containers/{}/changes", CONTAINER},
    {"HEAD", "/containers/{}/archive", CONTAINER},
    {"GET", "/containers/{}/archive", CONTAINER},
    {"PUT", "/containers/{}/archive", CONTAINER},
    {"GET", "/containers/{}/attach/ws", CONTAINER},
    {"POST", "/containers/{}/attach", CONTAINER},
    {"POST", "/containers/{}/wait", CONTAINER},
    {"POST", "/containers/{}/resize", CONTAINER},
    {"POST", "/containers/{}/start", CONTAINER},
    {"POST", "/containers/{}/stop", CONTAINER},
    {"POST", "/containers/{}/restart", CONTAINER},
    {"POST", "/containers/{}/kill", CONTAINER},
    {"POST", "/containers/{}/pause", CONTAINER},
    {"POST", "/containers/{}/unpause", CONTAINER},
    {"POST", "/containers/{}/exec", CONTAINER},
    {"POST", "/exec/{}/start", EXEC},
    {"POST", "/exec/{}/resize", EXEC},
    {"POST", "/exec/{}/kill", EXEC},
    {"GET", "/exec/{}/json", EXEC},
};

static struct err check_container(const struct api_call *c) {
    struct container *k = NULL;
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (!err_failed(e) && api_policy_sees(c->policy, &k->config->labels))
        return OK;
    err_ignore(e); /* an ambiguous name, too, would tell of others */
    return err_new(ERR_NOT_FOUND, "No such container: %s", c->arg[0]);
}

static struct err check_exec(const struct api_call *c) {
    struct container_exec *x = NULL;
    struct err e = container_exec_find(c->api->containers, c->arg[0], &x);
    if (!err_failed(e) && api_policy_sees(c->policy, &x->container->config->labels))
        return OK;
    err_ignore(e);
    return err_new(ERR_NOT_FOUND, "No such exec instance: %s", c->arg[0]);
}

struct err api_policy_subject(const struct api_call *c) {
    if (!c->policy || !c->policy->projects)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(served); i++) {
        if (strcmp(served[i].method, c->route->method) != 0 ||
            strcmp(served[i].pattern, c->route->pattern) != 0)
            continue;
        switch (served[i].subject) {
        case NOBODY:
            return OK;
        case CONTAINER:
            return check_container(c);
        case EXEC:
            return check_exec(c);
        }
    }
    return err_new(ERR_FORBIDDEN,
                   "this listener serves containers of its projects: %s %s is not "
                   "allowed",
                   c->route->method, c->route->pattern);
}
