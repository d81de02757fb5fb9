/* Any bytes as a specification of devices (CDI): read or refused, and what it asks for is in the
 * configuration. */
#include "container/cdi.h"
#include "base/file.h"
#include "base/mem.h"
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    snprintf(path, sizeof(path), "/tmp/corten-fuzz-cdi-%d", (int)getpid());
    mkdir(path, 0700);
    CLEAN_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int fd = openat(dir, "spec.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    struct arena a = {0};
    struct oci_process process = {0};
    struct oci_resources resources = {0};
    struct oci_linux linux_ = {.resources = &resources};
    struct oci_config o = {.process = &process, .linux_ = &linux_};
    struct strs names = {0}, groups = {0};
    const char *dirs[] = {path, NULL};
    strs_add(&names, &a, "acme.com/gpu=one");
    err_ignore(cdi_apply(dirs, &names, &a, &o, &groups));
    for (size_t i = 0; i < process.env.n; i++)
        assert(process.env.items[i]);
    arena_done(&a);
    unlinkat(dir, "spec.json", 0);
    rmdir(path);
    return 0;
}
