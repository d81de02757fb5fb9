/* bench - the stop-watch of test/bench/run: times a container's life over any Docker API, or a
 * command.
 *
 *   bench api HOST NETWORK IMAGE N        create + start + wait + remove of `true`, one connection
 *   bench steps HOST NETWORK IMAGE N      the same, a line for each of the four
 *   bench start HOST NETWORK IMAGE N      the start call alone; NETWORK bridge:80 publishes a port
 *   bench exec HOST CONTAINER N           exec create + start (attached, read to the end) of `true`
 *   bench command N PROGRAM [ARG...]      posix_spawn to reaped
 *   bench memory PROGRAM [ARG...]         peak memory of one run, in KiB
 *   bench first HOST NETWORK IMAGE N      from start to the first instruction of /stamp
 *   bench ready HOST SECONDS              until /_ping answers
 *
 * Prints one line "min MEDIAN max" in microseconds. Not timed tests: run compares ratios. */
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "base/vec.h"
#include "http/client.h"
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)
#define STEPS 4 /* of a life */

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(int64_t *times, size_t n) {
    qsort(times, n, sizeof *times, by_value);
    printf("%lld %lld %lld\n", (long long)times[0] / 1000, (long long)times[n / 2] / 1000,
           (long long)times[n - 1] / 1000);
}

static struct err request(struct http_client *c, const char *method, const char *target,
                          const char *body, struct buf *ret) {
    struct http_answer a = {0};
    struct http_call call = {.method = method,
                             .target = target,
                             .content_type = body ? "application/json" : NULL,
                             .body = str_of(body)};
    TRY(http_call(c, &call, &a));
    int status = a.status;
    http_answer_done(&a);
    buf_clear(ret);
    TRY(http_call_read_all(c, ANSWER_MAX, ret));
    if (status >= 300)
        return err_new(ERR_SYSTEM, "%s %s: %d %s", method, target, status, buf_cstr(ret));
    return OK;
}

static struct err read_id(const struct buf *answer, char id[65]) {
    CLEAN_JSON struct json *root = NULL;
    TRY(json_parse(buf_str(answer), &root));
    struct str s = json_str(json_get(root, "Id"));
    if (s.len != 64)
        return err_new(ERR_SYSTEM, "no Id in the answer");
    memcpy(id, s.p, 64);
    id[64] = '\0';
    return OK;
}

/* ret_at, of STEPS: when each was answered; may be NULL. */
static struct err one_life(struct http_client *c, const char *network, const char *image,
                           int64_t *ret_at) {
    CLEAN_BUF struct buf answer = {0}, body = {0};
    char id[65], target[160];
    int64_t at[STEPS];
    buf_addf(&body, "{\"Image\":\"%s\",\"Cmd\":[\"true\"],\"HostConfig\":{\"NetworkMode\":\"%s\"}}",
             image, network);
    TRY(request(c, "POST", "/v1.41/containers/create", buf_cstr(&body), &answer));
    at[0] = time_monotonic();
    TRY(read_id(&answer, id));
    snprintf(target, sizeof target, "/v1.41/containers/%s/start", id);
    TRY(request(c, "POST", target, NULL, &answer));
    at[1] = time_monotonic();
    snprintf(target, sizeof target, "/v1.41/containers/%s/wait", id);
    TRY(request(c, "POST", target, NULL, &answer));
    at[2] = time_monotonic();
    snprintf(target, sizeof target, "/v1.41/containers/%s", id);
    TRY(request(c, "DELETE", target, NULL, &answer));
    at[3] = time_monotonic();
    if (ret_at)
        memcpy(ret_at, at, sizeof at);
    return OK;
}

static struct err steps(struct http_client *c, const char *network, const char *image, uint64_t n) {
    static const char *const names[STEPS] = {"create", "start", "wait", "remove"};
    int64_t *times = NEW_ARRAY(n * STEPS + 1, int64_t);
    for (uint64_t i = 0; i < n; i++) {
        int64_t at[STEPS], before = time_monotonic();
        TRY(one_life(c, network, image, at));
        for (size_t k = 0; k < STEPS; k++)
            times[k * n + i] = at[k] - (k ? at[k - 1] : before);
    }
    for (size_t k = 0; k < STEPS; k++) {
        printf("%s ", names[k]);
        report(times + k * n, n);
    }
    free(times);
    return OK;
}

/* The stamp's own clock, as it comes out of the log. */
static struct err one_first(struct http_client *c, const char *network, const char *image,
                            int64_t *ret) {
    CLEAN_BUF struct buf answer = {0}, body = {0};
    char id[65], target[160];
    buf_addf(&body,
             "{\"Image\":\"%s\",\"Cmd\":[\"/stamp\"],\"Tty\":false,\"HostConfig\":{"
             "\"NetworkMode\":\"%s\"}}",
             image, network);
    TRY(request(c, "POST", "/v1.41/containers/create", buf_cstr(&body), &answer));
    TRY(read_id(&answer, id));
    snprintf(target, sizeof target, "/v1.41/containers/%s/start", id);
    int64_t began = time_monotonic();
    TRY(request(c, "POST", target, NULL, &answer));
    snprintf(target, sizeof target, "/v1.41/containers/%s/wait", id);
    TRY(request(c, "POST", target, NULL, &answer));
    snprintf(target, sizeof target, "/v1.41/containers/%s/logs?stdout=1", id);
    TRY(request(c, "GET", target, NULL, &answer));
    if (answer.len < 9) /* a frame's head is eight bytes */
        return err_new(ERR_SYSTEM, "no stamp in the log");
    *ret = strtoll(buf_cstr(&answer) + 8, NULL, 10) - began;
    snprintf(target, sizeof target, "/v1.41/containers/%s", id);
    return request(c, "DELETE", target, NULL, &answer);
}

/* The start call alone; network "bridge:80" publishes port 80 on a free one. */
static struct err one_start(struct http_client *c, const char *network, const char *image,
                            int64_t *ret_took) {
    CLEAN_BUF struct buf answer = {0}, body = {0};
    char id[65], target[160];
    struct str name = str_of(network), mode, port;
    bool publishes = str_cut(name, ':', &mode, &port);
    if (!publishes)
        mode = name;
    buf_addf(&body, "{\"Image\":\"%s\",\"Cmd\":[\"true\"],\"HostConfig\":{\"NetworkMode\":\"%.*s\"",
             image, STR_ARG(mode));
    if (publishes)
        buf_addf(&body, ",\"PortBindings\":{\"%.*s/tcp\":[{\"HostPort\":\"\"}]}", STR_ARG(port));
    buf_adds(&body, "}}");
    TRY(request(c, "POST", "/v1.41/containers/create", buf_cstr(&body), &answer));
    TRY(read_id(&answer, id));
    snprintf(target, sizeof target, "/v1.41/containers/%s/start", id);
    int64_t before = time_monotonic();
    TRY(request(c, "POST", target, NULL, &answer));
    *ret_took = time_monotonic() - before;
    snprintf(target, sizeof target, "/v1.41/containers/%s/wait", id);
    TRY(request(c, "POST", target, NULL, &answer));
    snprintf(target, sizeof target, "/v1.41/containers/%s", id);
    return request(c, "DELETE", target, NULL, &answer);
}

static struct err one_exec(const char *host, const char *container) {
    struct http_client *c = NULL, *stream = NULL;
    CLEAN_BUF struct buf answer = {0};
    char id[65], target[160];
    TRY(http_dial(host, &c));
    TRY(http_dial(host, &stream));
    snprintf(target, sizeof target, "/v1.41/containers/%s/exec", container);
    TRY(request(c, "POST", target,
                "{\"Cmd\":[\"true\"],\"AttachStdout\":true,\"AttachStderr\":true}", &answer));
    TRY(read_id(&answer, id));
    snprintf(target, sizeof target, "/v1.41/exec/%s/start", id);
    struct http_answer a = {0};
    struct http_call call = {.method = "POST",
                             .target = target,
                             .content_type = "application/json",
                             .body = STR("{}"),
                             .upgrade = true};
    TRY(http_call(stream, &call, &a));
    http_answer_done(&a);
    int fd = http_client_hijack(stream, &answer);
    char bytes[256];
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
    http_client_free(stream);
    http_client_free(c);
    return OK;
}

static struct err one_command(char **argv) {
    pid_t pid;
    int status;
    int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (r != 0)
        return err_errno(r, "start %s", argv[0]);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return err_new(ERR_SYSTEM, "%s ended with status %d", argv[0], status);
    return OK;
}

/* Peak memory in KiB. */
static struct err print_memory(char **argv) {
    struct rusage u;
    TRY(one_command(argv));
    getrusage(RUSAGE_CHILDREN, &u);
    printf("%ld\n", u.ru_maxrss);
    return OK;
}

static struct err measure(int argc, char **argv) {
    struct http_client *c = NULL;
    uint64_t n = 0;
    bool first = !strcmp(argv[1], "first"), start = !strcmp(argv[1], "start");
    bool in_steps = !strcmp(argv[1], "steps");
    bool api = (first || start || in_steps || !strcmp(argv[1], "api")) && argc == 6,
         exec = !strcmp(argv[1], "exec") && argc == 5;
    bool command = !strcmp(argv[1], "command") && argc > 3;
    if (!strcmp(argv[1], "memory") && argc > 2)
        return print_memory(argv + 2);
    if (!api && !exec && !command)
        return err_new(ERR_INVALID, "usage: see the top of test/bench/bench.c");
    TRY(str_to_u64(str_of(argv[api ? 5 : exec ? 4 : 2]), 100000, &n));
    if (api)
        TRY(http_dial(argv[2], &c));
    if (in_steps && api && n > 0) {
        struct err e = steps(c, argv[3], argv[4], n);
        http_client_free(c);
        return e;
    }
    int64_t *times = NEW_ARRAY(n + 1, int64_t);
    for (uint64_t i = 0; i < n; i++) {
        int64_t before = time_monotonic();
        int64_t own = -1; /* what it has timed itself */
        TRY(first   ? one_first(c, argv[3], argv[4], &own)
            : start ? one_start(c, argv[3], argv[4], &own)
            : api   ? one_life(c, argv[3], argv[4], NULL)
            : exec  ? one_exec(argv[2], argv[3])
                    : one_command(argv + 3));
        times[i] = first || start ? own : time_monotonic() - before;
    }
    report(times, n);
    free(times);
    http_client_free(c);
    return OK;
}

static struct err ready(const char *host, const char *seconds) {
    uint64_t limit;
    TRY(str_to_u64(str_of(seconds), 600, &limit));
    int64_t before = time_monotonic();
    for (;;) {
        struct http_client *c = NULL;
        CLEAN_BUF struct buf answer = {0};
        struct err e = http_dial(host, &c);
        if (!err_failed(e))
            e = request(c, "GET", "/_ping", NULL, &answer);
        http_client_free(c);
        int64_t took = time_monotonic() - before;
        if (!err_failed(e)) {
            printf("%lld\n", (long long)took / 1000);
            return OK;
        }
        if (took > (int64_t)limit * NSEC_PER_SEC)
            return e;
        err_free(e);
        usleep(200);
    }
}

int main(int argc, char **argv) {
    struct err e = argc < 2 ? err_new(ERR_INVALID, "usage: see test/bench/bench.c")
                   : !strcmp(argv[1], "ready") && argc == 4 ? ready(argv[2], argv[3])
                                                            : measure(argc, argv);
    if (!err_failed(e))
        return 0;
    fprintf(stderr, "bench: %s\n", err_msg(e));
    err_free(e);
    return 1;
}
