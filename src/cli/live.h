/* live.h - `corten top`: all containers at work, on a terminal. Private to cli/. */
#pragma once
#include "cli/command.h"

/* Until q. Without a terminal: one round as a table; with --json as objects. */
int live_run(struct invocation *in);
