/* daemon/notify.h - inside of daemon/: telling the service manager (sd_notify(3)). */
#pragma once

/* "READY=1", "RELOADING=1\n…", "STOPPING=1". Nothing happens when no manager listens; what it does
 * not take is dropped. */
void notify_manager(const char *state);
