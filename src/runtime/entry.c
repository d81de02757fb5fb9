/* Where the kernel enters corten-runtime, before libc has begun.
 *
 * run, create and exec execute the program a second time, from a read-only mount of itself
 * (runtime_protect). Whatever libc does until main would be done twice then, and on a virtual
 * machine it is dear: a static program asks the processor some thirty times what it can do (cpuid),
 * and each of these questions ends in the hypervisor, at ten microseconds. So the first of the two
 * executions goes on here, with bare system calls, and only the second one meets libc. It is a
 * short cut and no more: when anything fails, the program goes on, and runtime_protect finds out
 * and says why.
 *
 * No libc here: no errno, no function of its, no stack protector (its canary is not set up yet). */
#include "runtime/runtime.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#if defined(__x86_64__)
#define BARE __attribute__((no_stack_protector, noinline))

/* The kernel gives argc, argv and the environment on the stack; libc's own entry finds them there
 * as they were, and in rdx what it had. */
__asm__(".globl corten_runtime_entry\n"
        ".type corten_runtime_entry, @function\n"
        "corten_runtime_entry:\n"
        "  mov %rsp, %rdi\n"
        "  push %rdx\n"
        "  sub $8, %rsp\n"
        "  call corten_runtime_first\n"
        "  add $8, %rsp\n"
        "  pop %rdx\n"
        "  jmp _start\n");

BARE static long call(long number, long a, long b, long c, long d, long e) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

BARE static bool same(const char *a, const char *b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Also when the word is an option's value: then the short cut is taken for nothing. */
BARE static bool makes_a_process(char *const *argv) {
    for (; *argv; argv++)
        if (same(*argv, "run") || same(*argv, "create") || same(*argv, "exec"))
            return true;
    return false;
}

BARE static bool is_readonly(void) {
    __attribute__((uninitialized)) struct statfs fs; /* zeroing it might call libc */
    long fd = call(SYS_open, (long)"/proc/self/exe", O_PATH | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return true; /* not to be told: no short cut */
    long r = call(SYS_fstatfs, fd, (long)&fs, 0, 0, 0);
    call(SYS_close, fd, 0, 0, 0, 0);
    return r < 0 || (fs.f_flags & ST_RDONLY);
}

void corten_runtime_first(long *stack);
BARE __attribute__((used)) void corten_runtime_first(long *stack) {
    char **argv = (char **)(stack + 1), **env = argv + stack[0] + 1;
    if (stack[0] < 1 || !makes_a_process(argv + 1) || is_readonly())
        return;
    struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY};
    long fd = call(SYS_open_tree, AT_FDCWD, (long)"/proc/self/exe",
                   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);
    if (fd < 0)
        return;
    if (call(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&a, sizeof(a)) == 0)
        call(SYS_execveat, fd, (long)"", (long)argv, (long)env, AT_EMPTY_PATH);
    call(SYS_close, fd, 0, 0, 0, 0);
}
#endif
