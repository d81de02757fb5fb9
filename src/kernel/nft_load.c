#include "base/file.h"
#include "kernel/nft.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define OUTPUT_MAX 4096 /* bytes of the program's complaints that go into an error */

/* Input and output are memory files, not pipes: nobody has to feed or drain them while it runs. */
static struct err memory_file(const char *name, struct str text, int *ret_fd) {
    CLEAN_FD int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "make memory file");
    int r = fd_write_all(fd, text.p, text.len);
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(r < 0 ? r : errno, "write memory file");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err nft_load(const char *program, struct str script) {
    CLEAN_FD int in = -1;
    CLEAN_FD int out = -1;
    TRY(memory_file("nft-in", script, &in));
    TRY(memory_file("nft-out", STR_NONE, &out));
    char arg0[] = "nft", arg1[] = "-f", arg2[] = "-";
    char *argv[] = {arg0, arg1, arg2, NULL};
    struct spawn_fd fds[] = {{in, 0}, {out, 1}, {out, 2}};
    struct spawned child;
    TRYF(spawn(&(struct spawn){.program = program,
                               .program_fd = -1,
                               .argv = argv,
                               .fds = fds,
                               .fds_n = ARRAY_LEN(fds),
                               .cwd = "/"},
               &child),
         "run %s", program);
    CLEAN_FD int pidfd = child.pidfd;
    struct pidfd_exit status;
    TRYF(pidfd_reap(pidfd, &status), "wait for %s", program);
    if (pidfd_exit_status(&status) == 0)
        return OK;
    CLEAN_BUF struct buf said = {.max = OUTPUT_MAX};
    if (lseek(out, 0, SEEK_SET) == 0)
        (void)fd_read_buf(out, &said); /* without its words the failure is still one */
    struct str text = str_trim(buf_str(&said));
    return err_new(ERR_SYSTEM, "%s: %.*s", program, STR_ARG(text));
}
