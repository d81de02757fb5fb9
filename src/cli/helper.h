/* helper.h - programs that the command line starts: credential helpers, ssh. Private to cli/. */
#pragma once
#include "cli/command.h"
#include "spec/api_system.h"

/* docker-credential-STORE VERB: in goes to its stdin, its stdout to ret. *ret_found is false when
 * it says that it has no such credentials. */
struct err helper_run(const char *store, const char *verb, struct str in, struct buf *ret,
                      bool *ret_found);
/* Starts a program whose stdin and stdout are the socket, and leaves it to itself: it ends with the
 * connection. *ret_fd: our end. */
struct err helper_dial(const char *path, char *const *argv, int *ret_fd);
/* The program that lies beside this one. Owned. */
struct err helper_beside(const char *program, char **ret);

/* config.c */
/* The key that a server has in `auths` and for credential stores. */
const char *config_registry(const char *server, struct arena *a);
/* The store for a registry's credentials; NULL: the file itself. */
const char *config_store(const struct config *c, const char *registry);
/* What is known about a registry; all members NULL or "" when nothing. */
struct err config_auth_of(const struct config *c, const char *registry, struct arena *a,
                          struct api_auth *ret);
/* All that is known, as a JSON object by registry: what X-Registry-Config carries. What a helper
 * does not give is told on stderr and left out. Memory in a. */
char *config_auths(const struct config *c, struct arena *a);
/* config_write.c: writes config.json anew with key (and sub-key) set to JSON text, NULL: removed.
 */
struct err config_write(const struct config *c, const char *key, const char *sub, const char *json);
