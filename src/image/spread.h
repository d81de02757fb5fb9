/* spread.h - where ext4 puts what is made below a directory. Private to image/. */
#pragma once

/* ext4 puts the inodes of what is made below a directory beside it, and at every creation walks
 * over each one there that was freed in the last minutes: a pull after the removal of a large image
 * took five times as long. Below a "top directory" (ioctl_iflags(2), FS_TOPDIR_FL) every directory
 * begins in the group with the fewest. Other file systems refuse the flag, and need none. */
void spread_inodes(int dirfd);
