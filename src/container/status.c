/* The human words of a container's state: "Up 5 minutes", "Exited (0) 3 seconds ago". */
#include "container/private.h"

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* As the peer rounds: down to the unit, with its words for the first of each. */
void container_duration_text(int64_t ns, struct buf *out) {
    int64_t s = ns / NSEC_PER_SEC;
    if (s < 1)
        buf_adds(out, "Less than a second");
    else if (s == 1)
        buf_adds(out, "1 second");
    else if (s < MINUTE)
        buf_addf(out, "%lld seconds", (long long)s);
    else if (s < 2 * MINUTE)
        buf_adds(out, "About a minute");
    else if (s < HOUR)
        buf_addf(out, "%lld minutes", (long long)(s / MINUTE));
    else if ((s + HOUR / 2) / HOUR == 1)
        buf_adds(out, "About an hour");
    else if (s < 48 * HOUR)
        buf_addf(out, "%lld hours", (long long)((s + HOUR / 2) / HOUR));
    else if (s < 14 * DAY)
        buf_addf(out, "%lld days", (long long)(s / DAY));
    else if (s < 60 * DAY)
        buf_addf(out, "%lld weeks", (long long)(s / DAY / 7));
    else if (s < 730 * DAY)
        buf_addf(out, "%lld months", (long long)(s / DAY / 30));
    else
        buf_addf(out, "%lld years", (long long)(s / DAY / 365));
}

void container_status_text(const struct container *c, struct buf *out) {
    int64_t now = time_now();
    switch (c->state) {
    case CONTAINER_RUNNING:
    case CONTAINER_PAUSED:
        buf_adds(out, "Up ");
        container_duration_text(now - c->started_at, out);
        if (c->state == CONTAINER_PAUSED)
            buf_adds(out, " (Paused)");
        else if (strcmp(container_health_name(c), "none") != 0)
            buf_addf(out, " (%s%s)",
                     !strcmp(container_health_name(c), "starting") ? "health: " : "",
                     container_health_name(c));
        return;
    case CONTAINER_RESTARTING:
        buf_addf(out, "Restarting (%d) ", c->exit_code);
        container_duration_text(now - c->finished_at, out);
        buf_adds(out, " ago");
        return;
    case CONTAINER_REMOVING:
        buf_adds(out, "Removal In Progress");
        return;
    case CONTAINER_DEAD:
        buf_adds(out, "Dead");
        return;
    case CONTAINER_CREATED:
        buf_adds(out, "Created");
        return;
    case CONTAINER_EXITED:
    case CONTAINER_STATE_COUNT:
        break;
    }
    buf_addf(out, "Exited (%d) ", c->exit_code);
    container_duration_text(now - c->finished_at, out);
    buf_adds(out, " ago");
}

const struct endpoint_plan *container_endpoint(const struct container *c) {
    for (size_t i = 0; container_is_alive(c) && i < c->endpoints.n; i++)
        if (c->endpoints.items[i]->default_route)
            return c->endpoints.items[i];
    return NULL;
}

const struct endpoint_plan *container_endpoint_on(const struct container *c,
                                                  const char *network_id) {
    for (size_t i = 0; container_is_alive(c) && i < c->endpoints.n; i++)
        if (!strcmp(c->endpoints.items[i]->network_id, network_id))
            return c->endpoints.items[i];
    return NULL;
}

struct volumes *container_volumes(const struct container *c) {
    return c->all->config.volumes;
}

struct networks *container_networks(const struct container *c) {
    return c->all->config.networks;
}

const char *container_run_root(const struct container *c) {
    return c->all->config.run_root;
}
