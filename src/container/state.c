/* The one state table: which state may follow which, and what each is called. */
#include "container/private.h"

static const char *const names[CONTAINER_STATE_COUNT] = {
    [CONTAINER_CREATED] = "created",   [CONTAINER_RUNNING] = "running",
    [CONTAINER_PAUSED] = "paused",     [CONTAINER_RESTARTING] = "restarting",
    [CONTAINER_REMOVING] = "removing", [CONTAINER_EXITED] = "exited",
    [CONTAINER_DEAD] = "dead",
};

#define TO(s) (1u << CONTAINER_##s)
static const unsigned may_follow[CONTAINER_STATE_COUNT] = {
    [CONTAINER_CREATED] = TO(RUNNING) | TO(REMOVING) | TO(EXITED),
    [CONTAINER_RUNNING] = TO(PAUSED) | TO(EXITED) | TO(RESTARTING),
    [CONTAINER_PAUSED] = TO(RUNNING) | TO(EXITED) | TO(RESTARTING),
    [CONTAINER_RESTARTING] = TO(RUNNING) | TO(EXITED) | TO(REMOVING),
    [CONTAINER_REMOVING] = TO(DEAD),
    [CONTAINER_EXITED] = TO(RUNNING) | TO(REMOVING) | TO(RESTARTING),
    [CONTAINER_DEAD] = TO(REMOVING),
};

const char *container_state_name(enum container_state s) {
    return names[s];
}

bool container_state_from_name(const char *name, enum container_state *ret) {
    for (size_t i = 0; i < CONTAINER_STATE_COUNT; i++)
        if (name && !strcmp(name, names[i])) {
            *ret = (enum container_state)i;
            return true;
        }
    return false;
}

void container_set_state(struct container *c, enum container_state s) {
    assert(c->state == s || may_follow[c->state] & 1u << s);
    c->state = s;
}

bool container_is_alive(const struct container *c) {
    return c->state == CONTAINER_RUNNING || c->state == CONTAINER_PAUSED;
}
