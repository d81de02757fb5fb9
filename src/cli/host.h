/* host.h - which daemon is meant: global options, environment, contexts. Private to cli/. */
#pragma once
#include "cli/command.h"

#define DEFAULT_HOST "unix:///run/corten/corten.sock"

struct globals {
    const char *host, *context, *config_dir, *log_level;
    const char *tls_ca, *tls_cert, *tls_key;
    bool debug, tls, tls_verify, version, help;
    struct config config;
};
/* What stands before the command; *ret_first: the index of the command's first word. */
struct err globals_parse(int argc, char **argv, struct globals *ret, int *ret_first);
/* -H, --context, CORTEN_HOST, DOCKER_HOST, CORTEN_CONTEXT, DOCKER_CONTEXT, the configuration's
 * current context, the default: in this order. What comes out is what client_open takes:
 * "unix://…", "tcp://…", or with TLS "tls://HOST:PORT?ca=…&cert=…&key=…", or "ssh://…". */
struct err host_find(const struct globals *g, struct arena *a, const char **ret);
/* The name of the context in use: "default" when it is none. */
const char *context_current(const struct globals *g, struct arena *a);

/* A context as ~/.docker/contexts/meta/HASH/meta.json has it. */
struct context {
    const char *name, *description, *host, *dir; /* dir: the directory's name */
    bool skip_verify;
    struct json *root;
};
struct contexts VEC_BODY(struct context);
/* All but "default", sorted by name. */
struct err contexts_load(const struct config *c, struct arena *a, struct contexts *ret);
void contexts_done(struct contexts *v);
const struct context *contexts_find(const struct contexts *v, const char *name);
