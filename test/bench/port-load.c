/* Requests and bytes through a published port; the stop-watch of test/bench/ports.
 *
 *   port-load serve PORT                          answers each 32 bytes with 32, "PULL" with bytes
 * without end port-load ask ADDRESS PORT SECONDS CONNS keep requests a second over CONNS
 * connections that stay port-load ask ADDRESS PORT SECONDS CONNS new  each request over a
 * connection of its own port-load pull ADDRESS PORT SECONDS           megabytes a second over one
 * connection
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define PIECE 32
#define CONNS_MAX 256
static const char question[PIECE] = "a question of thirty-two bytes..";

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) {
    fprintf(stderr, "port-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int ep, int op, int fd, unsigned events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    if (epoll_ctl(ep, op, fd, &e) < 0)
        die("epoll");
}

/* --- serve -------------------------------------------------------------------------------------
 */

static void pour(int fd) {
    static const char bytes[1 << 16];
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
}

static bool answer(int fd) {
    char bytes[PIECE];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0)
        return false;
    if (n >= 4 && memcmp(bytes, "PULL", 4) == 0) {
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        pour(fd);
        return false;
    }
    return send(fd, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static void serve(int port) {
    int ep = epoll_create1(0), on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(listener, 1024) < 0)
        die("listen");
    watch(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        struct epoll_event got[64];
        int n = epoll_wait(ep, got, 64, -1);
        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;
            if (fd != listener) {
                if (!answer(fd))
                    close(fd);
                continue;
            }
            int c;
            while ((c = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                watch(ep, EPOLL_CTL_ADD, c, EPOLLIN);
            }
        }
    }
}

/* --- ask ---------------------------------------------------------------------------------------
 */

static struct sockaddr_in target;

static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct linger reset = {.l_onoff = 1}; /* no port stays in TIME_WAIT */
    if (fd < 0 || connect(fd, (struct sockaddr *)&target, sizeof target) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return fd;
}

static int begin(int ep) {
    int fd = dial();
    watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
    if (send(fd, question, PIECE, MSG_NOSIGNAL) != PIECE)
        die("send");
    return fd;
}

static void ask(double seconds, int conns, bool fresh) {
    int ep = epoll_create1(0);
    unsigned long done = 0;
    for (int i = 0; i < conns; i++)
        begin(ep);
    double start = now(), end = start + seconds;
    while (now() < end) {
        struct epoll_event got[CONNS_MAX];
        int n = epoll_wait(ep, got, CONNS_MAX, 1000);
        for (int i = 0; i < n; i++) {
            char bytes[PIECE];
            int fd = got[i].data.fd;
            if (recv(fd, bytes, sizeof bytes, 0) <= 0)
                die("answer");
            done++;
            if (fresh) {
                close(fd);
                begin(ep);
            } else if (send(fd, question, PIECE, MSG_NOSIGNAL) != PIECE) {
                die("send");
            }
        }
    }
    printf("%.0f\n", (double)done / (now() - start));
}

static void pull(double seconds) {
    static char bytes[1 << 18];
    int fd = dial();
    unsigned long long sum = 0;
    if (send(fd, "PULL", 4, MSG_NOSIGNAL) != 4)
        die("send");
    double start = now();
    while (now() < start + seconds) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0)
            die("recv");
        sum += (unsigned long long)n;
    }
    printf("%.0f\n", (double)sum / (now() - start) / 1e6);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve((int)strtol(argv[2], NULL, 10));
    if (argc < 5 || inet_pton(AF_INET, argv[2], &target.sin_addr) != 1) {
        fprintf(stderr, "port-load: see the top of test/bench/port-load.c\n");
        return 2;
    }
    target.sin_family = AF_INET;
    target.sin_port = htons((uint16_t)strtol(argv[3], NULL, 10));
    double seconds = strtod(argv[4], NULL);
    if (strcmp(argv[1], "pull") == 0)
        pull(seconds);
    else
        ask(seconds, (int)strtol(argv[5], NULL, 10), strcmp(argv[6], "new") == 0);
    return 0;
}
