/* What the HTTP server costs: latency and rate of a keep-alive GET /_ping, memory of idle and of
 * streaming connections. One server process with one thread, one client process, a unix socket.
 *
 *   ninja -C build test/http-ping && build/test/http-ping
 */
#include "base/file.h"
#include "base/mem.h"
#include "http/http.h"
#include "loop/unix.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PINGS = 100000, CONNS = 32, IDLE = 5000 };
static const char request[] = "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n";
static const char events[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";

static void handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    (void)arg;
    if (str_eqz(r->path, "/_ping"))
        http_reply(x, 200, "text/plain; charset=utf-8", STR("OK"));
    else
        http_stream_begin(x, 200, "application/json");
}

static void serve(int fd) {
    struct loop *l = loop_new();
    struct http_server *s = http_server_new(l, fd, handle, NULL);
    http_server_set_common_headers(s, "Api-Version: 1.41\r\nServer: bench\r\n");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    loop_run(l);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int dial(const char *path) {
    int fd;
    struct err e = unix_dial(AT_FDCWD, path, SOCK_STREAM, &fd);
    if (err_failed(e)) {
        fprintf(stderr, "%s\n", err_msg(e));
        exit(1);
    }
    return fd;
}

static void ask(int fd, const char *text, size_t n) {
    char answer[1024];
    if (send(fd, text, n, 0) != (ssize_t)n || recv(fd, answer, sizeof(answer), 0) <= 0)
        exit(2);
}

/* CPU time that a process has used, in ns: unlike the rest it does not suffer from a busy machine.
 */
static int64_t cpu_of(pid_t pid) {
    clockid_t clock;
    struct timespec t = {0};
    if (clock_getcpuclockid(pid, &clock) == 0)
        clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void latency(const char *path, pid_t server) {
    int64_t *took = NEW_ARRAY(PINGS, int64_t), t0 = now(), cpu = cpu_of(server);
    int fd = dial(path);
    for (int i = 0; i < PINGS; i++) {
        int64_t t = now();
        ask(fd, request, sizeof(request) - 1);
        took[i] = now() - t;
    }
    double all = (double)(now() - t0) / 1e9;
    cpu = cpu_of(server) - cpu;
    qsort(took, PINGS, sizeof(*took), by_value);
    printf("keep-alive, 1 client: p50 %.1f us, p99 %.1f us, %.0f requests/s, server CPU %.1f us "
           "each\n",
           (double)took[PINGS / 2] / 1e3, (double)took[PINGS * 99 / 100] / 1e3, PINGS / all,
           (double)cpu / 1e3 / PINGS);
    close(fd);
    t0 = now();
    for (int i = 0; i < PINGS / 10; i++) {
        int64_t t = now();
        fd = dial(path);
        ask(fd, request, sizeof(request) - 1);
        close(fd);
        took[i] = now() - t;
    }
    all = (double)(now() - t0) / 1e9;
    qsort(took, PINGS / 10, sizeof(*took), by_value);
    printf("new connection each: p50 %.1f us, %.0f requests/s\n", (double)took[PINGS / 20] / 1e3,
           PINGS / 10 / all);
    free(took);
}

static void rate(const char *path, pid_t server) {
    int fds[CONNS];
    char answer[1024];
    for (int i = 0; i < CONNS; i++)
        fds[i] = dial(path);
    int64_t t0 = now(), cpu = cpu_of(server);
    for (int round = 0; round < PINGS / CONNS; round++) {
        for (int i = 0; i < CONNS; i++)
            if (send(fds[i], request, sizeof(request) - 1, 0) < 0)
                exit(2);
        for (int i = 0; i < CONNS; i++)
            if (recv(fds[i], answer, sizeof(answer), 0) <= 0)
                exit(2);
    }
    printf("keep-alive, %d connections: %.0f requests/s, server CPU %.1f us each\n", CONNS,
           PINGS / ((double)(now() - t0) / 1e9), (double)(cpu_of(server) - cpu) / 1e3 / PINGS);
    for (int i = 0; i < CONNS; i++)
        close(fds[i]);
}

/* Private memory of the server in bytes. */
static long memory(pid_t pid) {
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) {
        long n;
        if (sscanf(line, "Private_Dirty: %ld kB", &n) == 1)
            kb = n;
    }
    if (f)
        fclose(f);
    return kb * 1024;
}

static void idle(const char *path, pid_t server, const char *what, const char *text, size_t n) {
    int *fds = NEW_ARRAY(IDLE, int);
    long before = memory(server);
    for (int i = 0; i < IDLE; i++) {
        fds[i] = dial(path);
        ask(fds[i], text, n);
    }
    printf("%d %s: %ld B of user memory each, server has %.1f MB private\n", IDLE, what,
           (memory(server) - before) / IDLE, (double)memory(server) / 1e6);
    for (int i = 0; i < IDLE; i++)
        close(fds[i]);
    free(fds);
    poll(NULL, 0, 300);
}

int main(int argc, char **argv) {
    char dir[] = "/tmp/corten-http-ping-XXXXXX", path[64];
    (void)argc, (void)argv;
    struct rlimit files = {IDLE * 2, IDLE * 2};
    if (setrlimit(RLIMIT_NOFILE, &files) < 0 || !mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/s", dir);
    int fd;
    CLEAN_ERR struct err e = http_listen_unix(path, 0660, (gid_t)-1, &fd);
    if (err_failed(e))
        return 1;
    pid_t server = fork();
    if (server == 0)
        serve(fd);
    close(fd);
    idle(path, server, "idle keep-alive connections", request, sizeof(request) - 1);
    latency(path, server);
    rate(path, server);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(path);
    /* a fresh server for the memory of streams */
    err_free(http_listen_unix(path, 0660, (gid_t)-1, &fd));
    server = fork();
    if (server == 0)
        serve(fd);
    close(fd);
    idle(path, server, "subscribers of a stream", events, sizeof(events) - 1);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(path);
    rmdir(dir);
    return 0;
}
