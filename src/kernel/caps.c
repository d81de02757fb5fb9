#include "kernel/caps.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[CAPS_COUNT] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

int caps_number(struct str name) {
    for (int i = 0; i < CAPS_COUNT; i++)
        if (str_eqz(name, names[i]))
            return i;
    return -1;
}

const char *caps_name(int number) {
    return number >= 0 && number < CAPS_COUNT ? names[number] : NULL;
}

/* prctl says EINVAL for a number that this kernel does not know: the end of its list. */
static uint64_t read_set(int option, unsigned long sub, bool number_first) {
    uint64_t set = 0;
    for (unsigned long i = 0; i < 64; i++) {
        int r = number_first ? prctl(option, i, 0, 0, 0) : prctl(option, sub, i, 0, 0);
        if (r < 0)
            break;
        set |= (uint64_t)(r == 1) << i;
    }
    return set;
}

static struct err get(struct __user_cap_data_struct d[2]) {
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &h, d) < 0 ? err_errno(errno, "read capabilities") : OK;
}

struct err caps_possible(uint64_t *ret) {
    struct __user_cap_data_struct d[2] = {0};
    TRY(get(d));
    *ret = (d[0].permitted | (uint64_t)d[1].permitted << 32) & read_set(PR_CAPBSET_READ, 0, true);
    return OK;
}

uint64_t caps_all(void) {
    uint64_t set = 0;
    for (unsigned long i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        set |= UINT64_C(1) << i;
    return set;
}

struct err caps_get(struct caps *ret) {
    struct __user_cap_data_struct d[2] = {0};
    TRY(get(d));
    *ret = (struct caps){
        .bounding = read_set(PR_CAPBSET_READ, 0, true),
        .effective = d[0].effective | (uint64_t)d[1].effective << 32,
        .permitted = d[0].permitted | (uint64_t)d[1].permitted << 32,
        .inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32,
        .ambient = read_set(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, false),
    };
    return OK;
}

int caps_bound(uint64_t keep) {
    for (unsigned long i = 0; i < 64; i++) {
        if (keep >> i & 1)
            continue;
        int r = prctl(PR_CAPBSET_READ, i, 0, 0, 0);
        if (r < 0)
            return 0; /* past this kernel's last one */
        if (r == 1 && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
            return -errno;
    }
    return 0;
}

int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

int caps_set_ambient(uint64_t ambient) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    for (unsigned long i = 0; i < 64; i++)
        if ((ambient >> i & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            return -errno;
    return 0;
}
