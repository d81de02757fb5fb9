/* client/dial.h - connections that are no socket of ours: ssh, TLS. Private to client/.
 *
 * Both go through a program with one end of a socket pair as its stdin and stdout, so that no heavy
 * library is loaded for a local call: ssh(1) running `docker system dial-stdio` at the far end, and
 * corten-dial beside this program, which speaks TLS. It ends when the socket does. */
#pragma once
#include "base/err.h"

/* Is it "ssh://…" or "tls://HOST:PORT?ca=…&cert=…&key=…"? */
bool dial_is_foreign(const char *host);
struct err dial_foreign(const char *host, int *ret_fd);
