/* cli.h - corten, the command line: a client of the API and nothing else.
 *
 * One file per command or family, one table (table.c) that lists them all with their options; help
 * texts and the parser work from that table. Single-threaded, owns nothing durable; the only state
 * is the terminal's mode, put back whatever happens. Exit status: 0 success, 1 the daemon or the
 * command refused, 125 `run`/`exec` themselves failed, 126 and 127 the program in the container
 * could not be started, else the container's own. Tests: test/unit/cli (options, ports, tables),
 * test/e2e.
 */
#pragma once

int cli_main(int argc, char **argv);

/* What corten-import does, a program of its own, because hashing and inflating need libraries that
 * the command line starts without. argv: program, host as client_open takes it, data root of a
 * dockerd that is stopped, "--apply" or "--dry-run". The exit status. */
int import_docker_main(int argc, char **argv);
/* What corten-backup does; argv: program, data root, where to. */
int backup_main(int argc, char **argv);
