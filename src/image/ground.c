/* The layer below all others of a container: empty places for what is mounted in every one of them.
 *
 * An image seldom has them all. Where one is missing the runtime makes it in the container's upper
 * directory: up to seven files and directories, with /etc copied up, that are made with every start
 * and removed with every container. From the lowest layer they are seen only where no image has
 * anything, whatever type, owner or mode it gave them; and what a container wrote is what its
 * program wrote. */
#include "image/facts.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const dirs[] = {GROUND_NAME, GROUND_NAME "/dev", GROUND_NAME "/etc",
                                   GROUND_NAME "/proc", GROUND_NAME "/sys"};
static const char *const files[] = {GROUND_NAME "/etc/hostname", GROUND_NAME "/etc/hosts",
                                    GROUND_NAME "/etc/resolv.conf"};

struct err ground_make(int root_fd) {
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        /* The mode counts where the image has no such directory. */
        if (mkdirat(root_fd, dirs[i], 0755) == 0 && fchmodat(root_fd, dirs[i], 0755, 0) == 0)
            continue;
        if (errno != EEXIST)
            return err_errno(errno, "make image/%s", dirs[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEAN_FD int fd = openat(root_fd, files[i],
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd >= 0 ? fchmod(fd, 0644) != 0 : errno != EEXIST)
            return err_errno(errno, "make image/%s", files[i]);
    }
    return OK;
}
