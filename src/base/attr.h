/* attr.h - compiler attributes and ownership helpers used everywhere.
 *
 * Ownership rule of the house: a local that owns something carries a CLEAN_* attribute, so every
 * return path releases it; ownership moves out with TAKE(pointer) or TAKE_FD(descriptor).
 *
 *     CLEAN_FREE char *name = str_printf("%s", x);
 *     CLEAN_FD int fd = file_open(...);
 *     *ret_fd = TAKE_FD(fd);
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NODISCARD __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define OWN(done) __attribute__((cleanup(done)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Hands the pointer over and leaves NULL behind. */
#define TAKE(p)                    \
    ({                             \
        typeof(p) take_tmp_ = (p); \
        (p) = NULL;                \
        take_tmp_;                 \
    })

/* Hands the descriptor over and leaves -1 behind. */
#define TAKE_FD(fd)           \
    ({                        \
        int take_tmp_ = (fd); \
        (fd) = -1;            \
        take_tmp_;            \
    })

/* Cleanup for `CLEAN_FREE char *p`: free(3). */
void clean_free(void *pp);
/* Cleanup for `CLEAN_FD int fd`: close(2) when >= 0; errno is preserved. */
void clean_fd(int *fd);
/* Closes fd when >= 0, preserves errno, returns -1: `fd = fd_close(fd)`. */
int fd_close(int fd);

#define CLEAN_FREE OWN(clean_free)
#define CLEAN_FD OWN(clean_fd)
