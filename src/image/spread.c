#include "image/spread.h"
#include <linux/fs.h>
#include <sys/ioctl.h>

void spread_inodes(int dirfd) {
    int flags;
    if (ioctl(dirfd, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_TOPDIR_FL)) {
        flags |= FS_TOPDIR_FL;
        (void)ioctl(dirfd, FS_IOC_SETFLAGS, &flags);
    }
}
