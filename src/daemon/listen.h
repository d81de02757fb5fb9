/* daemon/listen.h - inside of daemon/: the sockets that the API is served on.
 *
 * Each host of the configuration is one listener: "unix:///PATH", "tcp://ADDRESS:PORT", "fd://"
 * (every socket of sd_listen_fds(3) that no other host names). A socket that was inherited and
 * bears the address of a configured host is used for it, so that clients that dial while no daemon
 * runs wait in its queue for the next one. "listeners" of daemon.json says more of one: group,
 * mode, policy. TCP beyond the loopback is refused without TLS unless "tls": false says so.
 */
#pragma once
#include "api/api.h"
#include "daemon/daemon.h"

#define LISTENERS_MAX 32

struct listeners;
/* Opens every listener; serving begins with listeners_serve. api is borrowed. */
struct err listeners_open(const struct daemon_config *c, struct loop *l, const struct api *api,
                          struct listeners **ret);
/* Checks what can be said without opening anything (--validate). */
struct err listeners_check(const struct daemon_config *c);
/* "unix:///…" of the first unix listener without a policy: for programs of ours. One that only root
 * may use is opened below the run root when the configuration has none. */
const char *listeners_local(const struct listeners *ls);
void listeners_serve(struct listeners *ls);
/* All of them, comma separated: for the log. */
void listeners_print(const struct listeners *ls, struct buf *out);
void listeners_stop(struct listeners *ls);
/* Removes the sockets that are ours to remove. NULL allowed. */
struct listeners *listeners_free(struct listeners *ls);
