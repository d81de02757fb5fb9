#include "kernel/oom.h"
#include "base/file.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_score(void) {
    return open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
}

static int read_score(int fd) {
    char text[16] = "";
    return pread(fd, text, sizeof(text) - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static void set(int fd, int score) {
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", score);
    (void)!pwrite(fd, text, (size_t)n, 0);
}

void oom_score_keep(void) {
    CLEAN_FD int fd = open_score();
    if (fd >= 0 && read_score(fd) > OOM_SCORE_KEEPER)
        set(fd, OOM_SCORE_KEEPER);
}

void oom_score_ordinary(void) {
    CLEAN_FD int fd = open_score();
    if (fd >= 0 && read_score(fd) < 0)
        set(fd, 0);
}
