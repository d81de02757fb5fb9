/* uring.c - one-entry ring by raw system calls: the library would be larger than the use. */
#include "kernel/uring.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_ENTRIES 1

struct uring {
    int fd;
    bool busy;
    void *rings; /* submission and completion ring in one mapping */
    size_t rings_size;
    struct io_uring_sqe *sqe; /* the only one */
    unsigned *sq_tail, *sq_array, *cq_head, *cq_tail;
    unsigned sq_mask, cq_mask;
    const struct io_uring_cqe *cqes;
};

static bool map_rings(struct uring *u, const struct io_uring_params *p) {
    size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    u->rings_size = MAX(sq, cq);
    u->rings = mmap(NULL, u->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd,
                    IORING_OFF_SQ_RING);
    if (u->rings == MAP_FAILED) {
        u->rings = NULL;
        return false;
    }
    u->sqe = mmap(NULL, p->sq_entries * sizeof(*u->sqe), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_POPULATE, u->fd, IORING_OFF_SQES);
    if (u->sqe == MAP_FAILED) {
        u->sqe = NULL;
        return false;
    }
    char *base = u->rings;
    u->sq_tail = (unsigned *)(base + p->sq_off.tail);
    u->sq_array = (unsigned *)(base + p->sq_off.array);
    u->sq_mask = *(unsigned *)(base + p->sq_off.ring_mask);
    u->cq_head = (unsigned *)(base + p->cq_off.head);
    u->cq_tail = (unsigned *)(base + p->cq_off.tail);
    u->cq_mask = *(unsigned *)(base + p->cq_off.ring_mask);
    u->cqes = (const struct io_uring_cqe *)(base + p->cq_off.cqes);
    return true;
}

struct uring *uring_new(void) {
    struct io_uring_params p = {0};
    int fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &p); /* born CLOEXEC */
    if (fd < 0)
        return NULL;
    struct uring *u = NEW(struct uring);
    u->fd = fd;
    unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS;
    if ((p.features & needed) != needed || p.sq_entries != RING_ENTRIES || !map_rings(u, &p))
        return uring_free(u);
    return u;
}

struct uring *uring_free(struct uring *u) {
    if (u == NULL)
        return NULL;
    if (u->rings)
        munmap(u->rings, u->rings_size);
    if (u->sqe)
        munmap(u->sqe, RING_ENTRIES * sizeof(*u->sqe));
    fd_close(u->fd);
    free(u);
    return NULL;
}

int uring_fd(const struct uring *u) {
    return u->fd;
}

bool uring_busy(const struct uring *u) {
    return u->busy;
}

static int submit(struct uring *u, struct io_uring_sqe sqe) {
    *u->sqe = sqe;
    unsigned tail = *u->sq_tail;
    u->sq_array[tail & u->sq_mask] = 0;
    __atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
    long n;
    do
        n = syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0);
    while (n < 0 && errno == EINTR);
    if (n == 1) {
        u->busy = true;
        return 0;
    }
    int e = n < 0 ? errno : EAGAIN;
    __atomic_store_n(u->sq_tail, tail, __ATOMIC_RELEASE); /* the kernel did not take it */
    return -e;
}

int uring_append(struct uring *u, int fd, const void *p, size_t n) {
    return submit(u, (struct io_uring_sqe){
                         .opcode = IORING_OP_WRITE,
                         .fd = fd,
                         .off = UINT64_MAX, /* the file's own position */
                         .addr = (uintptr_t)p,
                         .len = (uint32_t)MIN(n, (size_t)1 << 30),
                     });
}

int uring_rename(struct uring *u, int dirfd, const char *from, const char *to) {
    return submit(u, (struct io_uring_sqe){
                         .opcode = IORING_OP_RENAMEAT,
                         .fd = dirfd,
                         .addr = (uintptr_t)from,
                         .len = (uint32_t)dirfd,
                         .addr2 = (uintptr_t)to,
                     });
}

int uring_unlink(struct uring *u, int dirfd, const char *name) {
    return submit(u, (struct io_uring_sqe){
                         .opcode = IORING_OP_UNLINKAT,
                         .fd = dirfd,
                         .addr = (uintptr_t)name,
                     });
}

int uring_open(struct uring *u, int dirfd, const char *name, int flags, mode_t mode) {
    return submit(u, (struct io_uring_sqe){
                         .opcode = IORING_OP_OPENAT,
                         .fd = dirfd,
                         .addr = (uintptr_t)name,
                         .open_flags = (uint32_t)(flags | O_CLOEXEC),
                         .len = (uint32_t)mode,
                     });
}

int uring_open_how(struct uring *u, int dirfd, const char *path, const struct open_how *how) {
    return submit(u, (struct io_uring_sqe){
                         .opcode = IORING_OP_OPENAT2,
                         .fd = dirfd,
                         .addr = (uintptr_t)path,
                         .len = sizeof(*how),
                         .off = (uintptr_t)how,
                     });
}

int uring_statx(struct uring *u, int fd, struct statx *ret) {
    static const char empty[] = "";
    return submit(u, (struct io_uring_sqe){
                         .opcode = IORING_OP_STATX,
                         .fd = fd,
                         .addr = (uintptr_t)empty,
                         .len = STATX_BASIC_STATS,
                         .off = (uintptr_t)ret,
                         .statx_flags = AT_EMPTY_PATH,
                     });
}

bool uring_result(struct uring *u, int *ret_result) {
    if (!u->busy)
        return false;
    unsigned head = *u->cq_head;
    if (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
        return false;
    *ret_result = u->cqes[head & u->cq_mask].res;
    __atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
    u->busy = false;
    return true;
}
