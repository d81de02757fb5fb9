/* main.c - birth of a monitor: the messages before the start, the start, the loop. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/cgroup.h"
#include "kernel/oom.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK_KEPT 8192u
#define STACK_LOOKED (1u << 20)

struct prestart {
    struct protocol_client client;
    bool is_wait;
    enum monitor_wait_for what;
};
struct prestarts VEC_BODY(struct prestart);
struct held VEC_BODY(int);

/* What arrived before and with START, and what was found out meanwhile. */
struct arrival {
    struct cgroup_host *cgroups;
    struct prestarts clients;
    struct held trees;
    struct monitor_keep *keeps;
    size_t keeps_n;
    struct ports *ports;
    struct msg start;
};

/* --- the process ------------------------------------------------------------------------------ */

static void protect(void) {
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* exit.c reaps */
    setsid();                         /* fails when spawn has done it */
    umask(022);
    oom_score_keep();
    /* Small and single-threaded: no padding, freed pages go back. */
    mallopt(M_TOP_PAD, 0);
    mallopt(M_TRIM_THRESHOLD, 16384);
    mallopt(M_MMAP_THRESHOLD, 32768);
}

/* The pages below us: the start went deep. */
static void trim_stack(void) {
    char here;
    uintptr_t top = ((uintptr_t)&here - STACK_KEPT) & ~(uintptr_t)4095;
    /* Reaches below the mapping as well: what is mapped is given back all the same. */
    (void)!madvise((void *)(top - STACK_LOOKED), STACK_LOOKED, MADV_DONTNEED);
}

/* The program's own pages: all monitors share them, but what a start has read of it is not read
 * again while nothing happens, and every mapping counts. What can be written is not given back. */
static int trim_segments(struct dl_phdr_info *program, size_t size, void *arg) {
    (void)size;
    (void)arg;
    for (size_t i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &program->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || p->p_flags & PF_W)
            continue;
        uintptr_t begin = (program->dlpi_addr + p->p_vaddr) & ~(uintptr_t)4095;
        (void)!madvise((void *)begin, program->dlpi_addr + p->p_vaddr + p->p_memsz - begin,
                       MADV_DONTNEED);
    }
    return 1; /* the program comes first; libraries are there in instrumented builds only */
}

static void on_quiet(void *arg) {
    struct keeper *k = arg;
    if (k->active) {
        k->active = false;
        timer_set(k->quiet, QUIET);
        return;
    }
    k->quiet = timer_free(k->quiet);
    (void)!madvise(k->chunk, CHUNK_SIZE, MADV_DONTNEED);
    logs_writer_trim(k->log);
    session_trim(&k->session);
    trim_stack();
    malloc_trim(0);
    dl_iterate_phdr(trim_segments, NULL);
}

void keeper_active(struct keeper *k) {
    k->active = true;
    if (k->quiet == NULL)
        k->quiet = timer_new(k->loop, QUIET, 0, on_quiet, k);
}

/* --- before the start ------------------------------------------------------------------------- */

static struct err add_held(struct held *to, size_t max, struct msg *m) {
    for (size_t i = 0; i < m->fds_n; i++) {
        if (to->n == max)
            return err_new(ERR_INVALID, "more than %zu descriptors of one kind", max);
        vec_push(to, TAKE_FD(m->fds[i]));
    }
    return OK;
}

static struct err add_client(struct arrival *a, struct msg *m) {
    if (a->clients.n == PROTOCOL_PRESTART_MAX || m->fds_n != 1)
        return err_new(ERR_INVALID, "too many clients before the start, or one without a socket");
    struct prestart *p = vec_add(&a->clients);
    p->is_wait = msg_has(m->body, TAG_WAIT);
    p->what = (enum monitor_wait_for)msg_get_u64(m->body, TAG_WAIT);
    protocol_get_client(m, &p->client);
    return OK;
}

static struct err receive(struct arrival *a) {
    for (;;) {
        CLEAN_MSG struct msg m = {0};
        TRY(msg_recv(DAEMON_FD, -1, &m));
        switch (m.type) {
        case PROTOCOL_HELD:
            TRY(ports_add(a->ports, &m));
            break;
        case PROTOCOL_TREES:
            TRY(add_held(&a->trees, PROTOCOL_TREES_MAX, &m));
            break;
        case PROTOCOL_KEEPS:
            protocol_keeps_done(a->keeps, a->keeps_n);
            protocol_get_keeps(&m, &a->keeps, &a->keeps_n);
            break;
        case PROTOCOL_PRESTART:
            TRY(add_client(a, &m));
            break;
        case PROTOCOL_START:
            a->start = m;
            m = (struct msg){0};
            return OK;
        default:
            return err_new(ERR_INVALID, "message %u before the start", m.type);
        }
    }
}

/* One that was made ahead has the time for it. */
static struct cgroup_host *find_cgroups(void) {
    struct cgroup_host *h = NEW(struct cgroup_host);
    struct err e = cgroup_detect(h);
    if (!err_failed(e))
        return h;
    err_free(e); /* the start asks again, and tells */
    free(h);
    return NULL;
}

/* What ps shows, and by what monitor_await knows us. */
static void take_name(char *word, const char *id) {
    if (strlen(word) == strlen(id))
        memcpy(word, id, strlen(id));
}

/* --- the start -------------------------------------------------------------------------------- */

static struct err keeper_init(struct keeper *k, struct arrival *a, const struct protocol_start *s) {
    k->loop = loop_new();
    k->id = mem_strdup(s->id);
    k->flags = s->flags;
    k->user = mem_strdup(s->user);
    for (size_t i = 0; i < s->groups_n; i++)
        strv_add(&k->groups, s->groups[i]);
    k->run_dir_fd = fcntl(s->fds[START_RUN_DIR], F_DUPFD_CLOEXEC, 3);
    if (k->run_dir_fd < 0)
        return err_errno(errno, "duplicate the run directory");
    k->terminal_fd = k->mounts_fd = -1;
    k->keeps = a->keeps;
    k->keeps_n = a->keeps_n;
    k->ports = TAKE(a->ports);
    k->cgroups = TAKE(a->cgroups);
    list_init(&k->execs);
    list_init(&k->runs);
    list_init(&k->waiters);
    list_init(&k->followers);
    list_init(&k->settling);
    list_init(&k->clients_ending);
    list_init(&k->peers);
    session_init(&k->session, k, false, false);
    k->chunk = mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return k->chunk == MAP_FAILED ? err_errno(errno, "reserve a buffer") : server_listen(k);
}

static void welcome(struct keeper *k, struct arrival *a) {
    for (size_t i = 0; i < a->clients.n; i++) {
        struct prestart *p = &a->clients.items[i];
        if (p->is_wait) {
            err_ignore(wait_add(k, &p->client, p->what)); /* an unknown condition: closed */
            continue;
        }
        if (!(k->flags & START_OPEN_STDIN))
            p->client.flags &= ~(unsigned)CLIENT_IN;
        client_new(&k->session, &p->client, NULL);
    }
    vec_done(&a->clients);
}

static void set_facts(struct keeper *k) {
    k->facts = (struct monitor_started){
        .conn = -1,
        .monitor_pid = getpid(),
        .pid = k->init.pid,
        .start_time = k->init.start_time,
        .started_at = time_now(),
    };
}

static void on_log(void *arg, unsigned events) {
    (void)events;
    struct keeper *k = arg;
    log_pump(k);
    exit_log_moved(k);
}

static struct err start(struct keeper *k, struct arrival *a, char *word) {
    CLEAN_ARENA struct arena arena = {0};
    OWN(protocol_start_done) struct protocol_start s = {.fds = {[0 ... START_FDS_N - 1] = -1}};
    TRY(protocol_get_start(&a->start, &arena, &s));
    take_name(word, s.id);
    TRY(keeper_init(k, a, &s));
    TRY(start_container(k, &s, a->trees.items, a->trees.n));
    free(TAKE(k->cgroups));
    while (a->trees.n) /* they are in the container now */
        fd_close(a->trees.items[--a->trees.n]);
    vec_done(&a->trees);
    health_prepare(k, &s.health);
    life_prepare(k, s.methods, s.methods_n);
    if (s.names_path && s.fds[START_NAMES_UDP] >= 0 && s.fds[START_NAMES_TCP] >= 0)
        names_keep(k, s.names_path, TAKE_FD(s.fds[START_NAMES_UDP]),
                   TAKE_FD(s.fds[START_NAMES_TCP]));
    ports_start(k->ports, k->loop);
    welcome(k, a); /* before the program runs: they get its first byte */
    struct err e = runtime_start(k->box);
    if (err_failed(e)) {
        err_ignore(runtime_delete(k->box)); /* e says what went wrong */
        return e;
    }
    set_facts(k);
    if (logs_writer_fd(k->log) >= 0)
        k->log_watch = watch_new(k->loop, logs_writer_fd(k->log), WATCH_READ, on_log, k);
    return OK;
}

NORETURN static void report_failure(struct err e) {
    CLEAN_BUF struct buf body = {0};
    msg_put_err(&body, TAG_ERR, e);
    err_free(e);
    /* A daemon that is gone need not know. */
    err_ignore(msg_send(DAEMON_FD, PROTOCOL_FAILED, 0, buf_str(&body), NULL, 0));
    _exit(1);
}

/* Ends without freeing: the kernel takes everything back at once, and sooner. */
NORETURN static void serve(struct keeper *k) {
    CLEAN_BUF struct buf body = {0};
    protocol_put_started(&body, &k->facts);
    /* A daemon that is gone dials later and asks. */
    err_ignore(msg_send(DAEMON_FD, PROTOCOL_STARTED, 0, buf_str(&body), NULL, 0));
    buf_done(&body);
    server_adopt(k, DAEMON_FD);
    exit_watch(k);
    health_start(k);
    life_start(k);
    malloc_trim(0);
    trim_stack();
    loop_run(k->loop);
    _exit(0);
}

int monitor_main(int argc, char **argv) {
    fd_sanitize_std();
    log_init("monitor", LOG_INFO, 2);
    if (argc != 2 || fcntl(DAEMON_FD, F_GETFD) < 0) {
        log_error("%s is started by the daemon", argc > 0 ? argv[0] : "corten-monitor");
        return 2;
    }
    protect();
    struct err e = runtime_protect(argv, environ);
    if (err_failed(e))
        report_failure(e);
    (void)!fcntl(DAEMON_FD, F_SETFD,
                 FD_CLOEXEC); /* after runtime_protect, which may execute us again */
    struct arrival a = {.ports = ports_new(), .cgroups = find_cgroups()};
    e = receive(&a);
    if (err_failed(e)) {
        err_ignore(
            e); /* no start came, the daemon's or the network's failure: nothing has happened */
        _exit(1);
    }
    struct keeper *k = NEW(struct keeper);
    e = start(k, &a, argv[1]);
    msg_done(&a.start);
    if (err_failed(e))
        report_failure(e);
    serve(k);
}
