/* Any bytes as a compressed log: what is read stays within what was asked for, and every question
 * ends. */
#include "logs/packed.h"
#include "base/mem.h"
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct packed *p = NULL;
    CLEAN_FD int fd = memfd_create("packed", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    err_ignore(packed_open(fd, &p));
    if (p) {
        char bytes[4096];
        uint64_t left = 3, offset = 0;
        bool found = false;
        size_t n = 0;
        err_ignore(packed_tail(p, &left, &found, &offset));
        (void)packed_since(p, 1700000000123456789);
        err_ignore(packed_read(p, bytes, sizeof(bytes), offset, &n));
        assert(n <= sizeof(bytes));
        n = 0;
        err_ignore(packed_read(p, bytes, 16, 5, &n)); /* back again */
        assert(n <= 16);
        packed_free(p);
    }
    return 0;
}
