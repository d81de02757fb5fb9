/* corten-compress - a rotated log file, descriptor 3, into a compressed one in the directory that
 * is descriptor 4; the argument is its name. Started by a monitor; see logs/logs.h. */
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "logs/logs.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOURCE 3
#define DIR 4
#define IOPRIO_IDLE (3 << 13) /* ioprio_set(2): class idle */

int main(int argc, char **argv) {
    fd_sanitize_std();
    log_init("compress", LOG_INFO, 2);
    if (argc != 2 || !path_is_name(str_of(argv[1])) || fcntl(SOURCE, F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(DIR, F_SETFD, FD_CLOEXEC) < 0) {
        log_error("corten-compress is started by a monitor");
        return 2;
    }
    /* Nobody waits for it; where priorities are refused it is merely less polite. */
    (void)!setpriority(PRIO_PROCESS, 0, 19);
    (void)!syscall(SYS_ioprio_set, 1, 0, IOPRIO_IDLE);
    struct err e = logs_pack(SOURCE, DIR, argv[1]);
    bool failed = err_failed(e);
    log_err(LOG_WARN, e, "compress log '%s'", argv[1]);
    return failed;
}
