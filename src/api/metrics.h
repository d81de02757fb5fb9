/* metrics.h - what the daemon counts, in Prometheus' text format (version 0.0.4). Private to api/,
 * but for api_metrics of api.h.
 *
 * Names that the peer's endpoint has keep its names (engine_daemon_*); ours begin with corten_.
 * Memory is fixed: one histogram a route. Loop thread. Tests: test/e2e/t0310-metrics.sh.
 */
#pragma once
#include "api/call.h"

struct metrics;
struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *m); /* NULL allowed */
/* A call of this route has been answered (or its socket given away) after ns. */
void metrics_call(struct metrics *m, const struct api_route *route, int64_t ns);
void metrics_event(struct metrics *m);

/* metrics_life.c: of methods and of what containers print. */
void metrics_life(const struct api *api, struct buf *out);
/* NAME="VALUE", escaped. */
void metrics_label(struct buf *out, const char *name, const char *value);
