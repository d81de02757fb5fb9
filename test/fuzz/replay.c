/* replay.c - feeds every file of a corpus directory to a fuzz target and prints TAP. What the
 * target must not do is crash, hang, or trip a sanitizer; what it asserts is its own business. */
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEED_MAX = 1 << 20 };

int main(int argc, char **argv) {
    int n = 0, failed = 0;
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    if (!dir) {
        printf("1..1\nnot ok 1 - no corpus directory %s\n", argc > 1 ? argv[1] : "given");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] == '.')
            continue;
        CLEAN_BUF struct buf seed = {0};
        CLEAN_ERR struct err e = file_read_at(dirfd(dir), d->d_name, SEED_MAX, &seed);
        if (err_failed(e)) {
            printf("not ok %d - %s: %s\n", ++n, d->d_name, err_msg(e));
            failed = 1;
            continue;
        }
        /* An exact heap copy, so that reading one byte too far is seen. */
        CLEAN_FREE
        uint8_t *copy = mem_dup(seed.data, seed.len);
        LLVMFuzzerTestOneInput(copy, seed.len);
        printf("ok %d - %s\n", ++n, d->d_name);
    }
    closedir(dir);
    if (n == 0) {
        printf("not ok %d - the corpus is empty\n", ++n);
        failed = 1;
    }
    printf("1..%d\n", n);
    return failed;
}
