/* api.h - the Docker Engine API: one table of routes (route.c), one file of handlers per noun,
 * error kind → HTTP status in one file (status.c).
 *
 * Owns nothing durable. Runs on the loop. A request becomes a `struct api_call`, which lives until
 * exactly one of the api_reply_* or api_take functions was called on it, also when the client has
 * gone in the meantime (then the reply is dropped). So a handler may start an op and answer from
 * its callback without caring about the client. Versions 1.24 to 1.51 by path prefix; extension
 * routes of our own lie under /corten/. Tests: test/unit/api, test/e2e.
 */
#pragma once
#include "container/container.h"
#include "http/http.h"
#include "image/image.h"
#include "network/network.h"
#include "spec/fields.h"
#include "store/store.h"
#include "volume/volume.h"

#define API_MINOR_MIN 24
#define API_MINOR_MAX 51
#define API_BODY_MAX (4u << 20) /* JSON bodies */

/* What the handlers work on; filled by daemon/, constant afterwards. */
struct api {
    struct loop *loop;
    struct store *store;
    struct images *images;
    struct networks *networks;
    struct volumes *volumes;
    struct containers *containers;
    struct events *events; /* made by api_open, as the next two */
    struct metrics *metrics;
    const struct host *facts; /* what this host is and offers */
    const char *data_root, *run_root;
    const char *host;          /* "unix:///run/corten/corten.sock" */
    const char *id;            /* daemon id, kept in the store */
    const char *build_program; /* absolute path of corten-build */
    const char *worker_program;
    const char *registries;    /* JSON: registry_options.settings */
    int64_t started_at;        /* wall ns */
    struct strs labels;        /* of the daemon; changes with a reload */
    struct strs cdi_spec_dirs; /* for info */
};

/* Looks at the host, records events from here on; once, when the nouns are open. */
void api_open(struct api *api);
/* The configuration was read again: the event of it. */
void api_reloaded(struct api *api);
/* Ends the streams of events. Harmless when api_open was not reached. */
void api_close(struct api *api);

/* What may be asked at one listener. allow (NULL-terminated; NULL: everything): "METHOD /path" of
 * the path without its version, where '*' is any method, or any text within the path. read_only:
 * only GET and HEAD, and none that opens stdin or reads a file system. projects (NULL-terminated;
 * NULL: all): only containers with one of these as their label com.docker.compose.project are
 * there, to be looked at and operated; nothing can be made. Refusals are 403. */
struct api_policy {
    bool read_only;
    const char *const *allow, *const *projects;
};
struct err api_policy_check(const struct api_policy *p, struct str method, struct str path);

/* One listener; policy NULL: everything is allowed. */
struct api_listener {
    const struct api *api;
    const struct api_policy *policy;
};
#define API_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
/* All figures in Prometheus' text format: what GET /corten/metrics answers, but for the networks',
 * which only the kernel knows. */
void api_metrics(const struct api *api, struct buf *out);
/* GET /metrics and nothing else, for a listener of its own; arg: const struct api *. */
http_handler api_metrics_handle;

/* Serves one listener, which must outlive the server, and its struct api too. */
void api_attach(const struct api_listener *listener, struct http_server *server);
http_handler api_handle; /* arg: const struct api_listener * */
/* The head lines of every answer ("Api-Version: 1.51\r\n…"). */
extern const char api_common_headers[];
