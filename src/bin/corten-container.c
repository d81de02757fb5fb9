/* corten-container - what `docker exec NAME container --validate` runs where the image has no
 * program of that name: executed from a descriptor, so that nothing of it lies in the container. It
 * asks the container's monitor on an inherited socket (monitor/inside.c) and copies the answer:
 * frames of a type ('o' stdout, 'e' stderr, 'x' the exit status as text), a length of four bytes,
 * little-endian, and so many bytes. docs/lifecycle.md. Static, no libraries of ours. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SOCKET "CORTEN_INSIDE" /* its number: RUNTIME_OWN_FD of runtime/runtime.h */
#define STATUS_BROKEN 125

static int usage(int status) {
    static const char text[] = "usage: container --metadata | --examine | --methods | --METHOD\n"
                               "  --metadata   what this container is, as JSON\n"
                               "  --examine    the same for people\n"
                               "  --methods    the names of its methods\n"
                               "  --validate, --update, --start … run the method of that name\n";
    fputs(text, status ? stderr : stdout);
    return status;
}

static int write_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static int read_all(int fd, unsigned char *p, size_t n) {
    while (n > 0) {
        ssize_t r = read(fd, p, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return -1;
        p += r;
        n -= (size_t)r;
    }
    return 0;
}

/* The exit status, or -1: go on. */
static int take_frame(int fd) {
    unsigned char head[5], bytes[4096];
    if (read_all(fd, head, sizeof(head)) < 0)
        return STATUS_BROKEN;
    size_t left = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
    if (head[0] == 'x') {
        if (left >= sizeof(bytes) || read_all(fd, bytes, left) < 0)
            return STATUS_BROKEN;
        bytes[left] = '\0';
        return (int)strtol((const char *)bytes, NULL, 10) & 0xff;
    }
    while (left > 0) {
        size_t n = left < sizeof(bytes) ? left : sizeof(bytes);
        if (read_all(fd, bytes, n) < 0)
            return STATUS_BROKEN;
        if (write_all(head[0] == 'e' ? 2 : 1, (const char *)bytes, n) < 0)
            return STATUS_BROKEN; /* nobody reads */
        left -= n;
    }
    return -1;
}

int main(int argc, char **argv) {
    char line[64];
    const char *number = getenv(SOCKET);
    prctl(PR_SET_DUMPABLE, 0); /* nobody in the container takes the socket */
    if (argc != 2 || strncmp(argv[1], "--", 2) != 0)
        return usage(2);
    if (strcmp(argv[1], "--help") == 0)
        return usage(0);
    int n = snprintf(line, sizeof(line), "%s\n", argv[1] + 2);
    if (n >= (int)sizeof(line) || strchr(argv[1], '\n'))
        return usage(2);
    int fd = number ? (int)strtol(number, NULL, 10) : -1;
    if (fd < 3 || write_all(fd, line, (size_t)n) < 0) {
        fputs("container: corten's monitor does not answer\n", stderr);
        return STATUS_BROKEN;
    }
    int status;
    while ((status = take_frame(fd)) < 0)
        ;
    return status;
}
