/* attacker - a static program that runs in a container and tries what a shell cannot: see
 * runtime-attacks.c. Each attack prints one line: "done", or the name of the error. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void tell(const char *what, long result) {
    printf("%s: %s\n", what, result >= 0 ? "done" : strerrorname_np(errno));
}

static int type_into_terminal(void) {
    char letter = 'x';
    char paste[2] = {3, 0}; /* TIOCL_PASTESEL */
    tell("TIOCSTI", ioctl(0, TIOCSTI, &letter));
    tell("TIOCLINUX", ioctl(0, TIOCLINUX, paste));
    return 0;
}

static int take_key(const char *name) {
    tell("session", syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", name, 0));
    tell("request", syscall(SYS_request_key, "user", name, NULL, 0));
    return 0;
}

static int dial_abstract(const char *name) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    memcpy(a.sun_path + 1, name, n);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    tell("abstract", connect(fd, (struct sockaddr *)&a,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)));
    return 0;
}

/* A group may be what keeps its members out: mode 0604. */
static int leave_groups(const char *name) {
    gid_t other = 12345;
    tell("setgroups none", setgroups(0, NULL));
    tell("setgroups other", setgroups(1, &other));
    tell("open", open(name, O_RDONLY));
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "terminal") == 0)
        return type_into_terminal();
    if (argc == 3 && strcmp(argv[1], "key") == 0)
        return take_key(argv[2]);
    if (argc == 3 && strcmp(argv[1], "abstract") == 0)
        return dial_abstract(argv[2]);
    if (argc == 3 && strcmp(argv[1], "groups") == 0)
        return leave_groups(argv[2]);
    return 2;
}
