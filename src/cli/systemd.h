/* systemd.h - containers as units of systemd. Private to cli/. */
#pragma once
#include "cli/commands.h"

/* The text of a service that starts this container and stops it. */
void systemd_unit(const struct api_container *k, struct buf *out);
/* Writes it for the container (an id): unit is a name ("web"), which goes where systemd looks
 * ($SYSTEMD_UNIT_PATH or /etc/systemd/system) and is started there and at every boot by systemctl;
 * or a path with a slash, which is only written. */
struct err systemd_install(struct invocation *in, struct client *c, const char *id,
                           const char *unit);
