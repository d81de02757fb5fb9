/* debug: looks at what other commands do inside. Needs no daemon. */
#include "base/file.h"
#include "build/build.h"
#include "cli/commands.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define INPUT_MAX (5u << 20) /* above the parser's own limit, which then names itself */

static struct err read_input(const char *path, struct buf *ret) {
    CLEAN_FD int file = -1;
    bool standard = strcmp(path, "-") == 0;
    if (!standard && (file = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return err_errno(errno, "corten: open '%s'", path);
    ret->max = INPUT_MAX;
    int r = fd_read_buf(standard ? STDIN_FILENO : file, ret);
    return r < 0 ? err_errno(r, "corten: read '%s'", path) : OK;
}

static int tree_run(struct invocation *in) {
    const char *path = in->args_n ? in->args[0] : "-";
    CLEAN_BUF struct buf text = {0}, out = {0};
    struct err e = read_input(path, &text);
    if (!err_failed(e))
        e = build_print_tree(buf_str(&text), strcmp(path, "-") == 0 ? "Dockerfile" : path, &out);
    if (err_failed(e)) {
        fprintf(stderr, "%s\n", err_msg(e));
        err_free(e);
        return 1;
    }
    return fd_write_all(STDOUT_FILENO, out.data, out.len) < 0 ? 1 : 0;
}

const struct command command_debug_tree = {
    .name = "debug dockerfile-tree",
    .usage = "debug dockerfile-tree [FILE|-]",
    .summary = "Print a Dockerfile's parse tree, one instruction a line",
    .args_max = 1,
    .run = tree_run};
