/* extension.h - commands that are programs of their own, and words that are refused by name.
 * Private to cli/. */
#pragma once
#include "cli/host.h"

/* Becomes the program `corten-WORD`, else `docker-WORD`, that lies where the peer's command line
 * looks for it: cli-plugins below the configuration's directory, its cliPluginsExtraDirs, then
 * {/usr/local/lib,/usr/local/libexec,/usr/lib,/usr/libexec}/docker/cli-plugins. It gets our whole
 * command line (argv) and, where only we know it, the daemon's address in $DOCKER_HOST. Returns
 * only when there is none, or an error when it could not be started. Source: the documentation of
 * the docker command line ("CLI plugins"). */
struct err extension_run(struct globals *g, const char *word, char **argv);
/* Why a word of the peer's command line is none of ours; NULL: it is not one of those. */
const char *extension_refused(const char *word);
