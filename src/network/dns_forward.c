#include "network/dns_forward.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/time.h"
#include "base/vec.h"
#include "network/dns_cache.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESOLV "/etc/resolv.conf"
#define RESOLV_MAX (64u << 10)
#define PORT 53
#define AGAIN_NS NSEC_PER_SEC             /* a datagram may be lost: asked again */
#define PATIENCE_NS (250 * NSEC_PER_MSEC) /* for the servers before the one that says no */
#define QUERY_MAX (2 + DNS_HEADER + DNS_NAME_MAX + 4 + 11)

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    };
    socklen_t len;
};

enum ask_state { ASK_OPEN, ASK_NO, ASK_FAILED };
struct ask { /* one server in one flight */
    struct flight *flight;
    enum ask_state state;
    int fd;
    struct watch *watch;
    bool sent;
    struct buf in; /* stream: length and answer so far; ASK_NO: the answer */
};

struct flight {
    struct dns_forward *forward;
    struct list waits;
    char *key;
    size_t key_len;
    bool stream;
    uint8_t query[QUERY_MAX]; /* behind two bytes of length */
    size_t query_len;
    struct str question; /* in query */
    struct ask asks[DNS_SERVERS_MAX];
    size_t asks_n;
    struct timer *timer;
    int64_t begun;
    bool again; /* has been asked again */
};

struct dns_wait {
    struct list link;
    dns_forward_fn *fn;
    void *arg;
};

struct domain {
    const char *name;
    struct strs servers;
};

struct dns_forward {
    struct loop *loop;
    struct map flights;
    struct dns_cache *cache;
    struct address host[DNS_SERVERS_MAX]; /* /etc/resolv.conf */
    size_t host_n;
    struct arena arena; /* of the domains */
    VEC(struct domain) domains;
    struct timespec host_changed;
    int64_t host_looked;
    uint8_t buffer[UINT16_MAX + 1];
};

static int64_t now_s(void) {
    return time_monotonic() / NSEC_PER_SEC;
}

struct dns_forward *dns_forward_new(struct loop *l) {
    struct dns_forward *f = NEW(struct dns_forward);
    f->loop = l;
    f->cache = dns_cache_new();
    f->host_looked = INT64_MIN;
    return f;
}

/* --- servers -------------------------------------------------------------------------------------
 */

static bool parse_server(const char *text, struct address *ret) {
    *ret = (struct address){0};
    if (inet_pton(AF_INET, text, &ret->four.sin_addr) == 1) {
        ret->four.sin_family = AF_INET;
        ret->four.sin_port = htons(PORT);
        ret->len = sizeof(ret->four);
        return true;
    }
    if (inet_pton(AF_INET6, text, &ret->six.sin6_addr) != 1)
        return false;
    ret->six.sin6_family = AF_INET6;
    ret->six.sin6_port = htons(PORT);
    ret->len = sizeof(ret->six);
    return true;
}

static void read_host(struct dns_forward *f) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read(RESOLV, RESOLV_MAX, &text);
    f->host_n = 0;
    struct str rest = buf_str(&text), line;
    while (!err_failed(e) && f->host_n < DNS_SERVERS_MAX && str_next(&rest, '\n', &line)) {
        line = str_trim(line);
        if (!str_starts(line, STR("nameserver")) || line.len < 11)
            continue;
        CLEAN_FREE char *server = str_dup(str_trim(str_from(line, 10)));
        f->host_n += parse_server(server, &f->host[f->host_n]);
    }
    err_free(e); /* no file, no servers: every question fails, which says it */
}

/* The host's file, looked at once a second at most. */
static void refresh_host(struct dns_forward *f) {
    struct stat s;
    int64_t now = now_s();
    if (now == f->host_looked)
        return;
    f->host_looked = now;
    if (stat(RESOLV, &s) != 0)
        s.st_mtim = (struct timespec){0};
    if (s.st_mtim.tv_sec == f->host_changed.tv_sec && s.st_mtim.tv_nsec == f->host_changed.tv_nsec)
        return;
    f->host_changed = s.st_mtim;
    read_host(f);
}

void dns_forward_domains(struct dns_forward *f, struct str lines) {
    struct str line, word;
    arena_done(&f->arena);
    f->domains.n = 0;
    while (f->domains.n < DNS_DOMAINS_MAX && str_next(&lines, '\n', &line)) {
        struct domain d = {0};
        if (!str_next(&line, ' ', &word) || !word.len)
            continue;
        d.name = arena_str(&f->arena, word);
        while (str_next(&line, ' ', &word))
            strs_add(&d.servers, &f->arena, arena_str(&f->arena, word));
        vec_push(&f->domains, d);
    }
}

static const struct strs *domain_servers(const struct dns_forward *f, const char *name) {
    size_t longest = 0, len = strlen(name);
    const struct strs *found = NULL;
    for (size_t i = 0; i < f->domains.n; i++) {
        const struct domain *d = &f->domains.items[i];
        size_t n = strlen(d->name);
        if (n <= longest || n > len || strcmp(name + len - n, d->name) != 0 ||
            (n < len && name[len - n - 1] != '.'))
            continue;
        longest = n;
        found = &d->servers;
    }
    return found;
}

static size_t choose(struct dns_forward *f, const struct strs *servers, const char *name,
                     struct address ret[DNS_SERVERS_MAX]) {
    size_t n = 0;
    const struct strs *own = domain_servers(f, name);
    if (own)
        servers = own;
    if (!servers || !servers->n) {
        refresh_host(f);
        memcpy(ret, f->host, sizeof(f->host));
        return f->host_n;
    }
    for (size_t i = 0; i < servers->n && n < DNS_SERVERS_MAX; i++)
        n += parse_server(servers->items[i], &ret[n]);
    return n;
}

/* --- a flight ------------------------------------------------------------------------------------
 */

static void ask_close(struct ask *a) {
    a->watch = watch_free(a->watch);
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

/* Everybody is told; the flight is gone. */
static void land_flight(struct flight *t, struct str answer) {
    struct dns_forward *f = t->forward;
    (void)map_del(&f->flights, str_n(t->key, t->key_len));
    timer_free(t->timer);
    for (struct list *l; (l = list_pop(&t->waits));) {
        struct dns_wait *w = CONTAINER_OF(l, struct dns_wait, link);
        w->fn(w->arg, answer);
        free(w);
    }
    for (size_t i = 0; i < t->asks_n; i++) {
        ask_close(&t->asks[i]);
        buf_done(&t->asks[i].in);
    }
    free(t->key);
    free(t);
}

/* A refusal counts when nobody before is still thinking, or had time enough; all failed: so be it.
 */
static void judge(struct flight *t) {
    bool late = time_monotonic() - t->begun >= PATIENCE_NS;
    bool open = false;
    for (size_t i = 0; i < t->asks_n; i++) {
        struct ask *a = &t->asks[i];
        if (a->state == ASK_NO && (!open || late)) {
            struct buf answer = a->in;
            a->in = (struct buf){0};
            land_flight(t, buf_str(&answer));
            buf_done(&answer);
            return;
        }
        open |= a->state == ASK_OPEN;
    }
    if (!open)
        land_flight(t, STR_NONE);
}

static void ask_failed(struct ask *a) {
    a->state = ASK_FAILED;
    ask_close(a);
    judge(a->flight);
}

static void answered(struct ask *a, struct str answer) {
    struct flight *t = a->flight;
    struct dns_look look;
    if (!dns_answer_look(answer, t->question, &look) ||
        look.id != (uint16_t)(t->query[2] << 8 | t->query[3])) {
        if (t->stream)
            ask_failed(a);
        return; /* a datagram that is no answer to us is as if it had not come */
    }
    if (look.rcode != DNS_NOERROR && look.rcode != DNS_NXDOMAIN) {
        ask_failed(a);
        return;
    }
    dns_cache_put(t->forward->cache, str_n(t->key, t->key_len), answer, &look, now_s());
    if (look.rcode == DNS_NOERROR && (look.answers || look.truncated)) {
        land_flight(t, answer);
        return;
    }
    a->state = ASK_NO;
    struct buf keep = {0};
    buf_add_str(&keep, answer);
    buf_done(&a->in);
    a->in = keep;
    ask_close(a);
    judge(t);
}

static void on_datagram(void *arg, unsigned events UNUSED) {
    struct ask *a = arg;
    struct dns_forward *f = a->flight->forward;
    ssize_t n = recv(a->fd, f->buffer, sizeof(f->buffer), MSG_DONTWAIT);
    if (n >= 0)
        answered(a, str_n(f->buffer, (size_t)n));
    else if (errno != EAGAIN && errno != EINTR)
        ask_failed(a);
}

static void on_stream(void *arg, unsigned events) {
    struct ask *a = arg;
    struct flight *t = a->flight;
    if (!a->sent && (events & WATCH_WRITE)) {
        a->sent = true;
        if (send(a->fd, t->query, t->query_len + 2, MSG_NOSIGNAL) != (ssize_t)t->query_len + 2) {
            ask_failed(a);
            return;
        }
        watch_set(a->watch, WATCH_READ);
        return;
    }
    ssize_t n = recv(a->fd, t->forward->buffer, sizeof(t->forward->buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || a->in.len + (size_t)n > UINT16_MAX + 2u) {
        ask_failed(a);
        return;
    }
    buf_add(&a->in, t->forward->buffer, (size_t)n);
    const uint8_t *p = (const uint8_t *)a->in.data;
    size_t want = a->in.len >= 2 ? (size_t)(p[0] << 8 | p[1]) : SIZE_MAX - 2;
    if (a->in.len >= want + 2)
        answered(a, str_n(p + 2, want));
}

static void send_datagram(struct ask *a) {
    struct flight *t = a->flight;
    if (send(a->fd, t->query + 2, t->query_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno != EAGAIN) {
        a->state = ASK_FAILED;
        ask_close(a);
    }
}

static void ask_open(struct flight *t, const struct address *to) {
    struct ask *a = &t->asks[t->asks_n++];
    int type = (t->stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
    *a = (struct ask){.flight = t, .fd = socket(to->any.sa_family, type, 0)};
    if (a->fd < 0 || (connect(a->fd, &to->any, to->len) < 0 && errno != EINPROGRESS)) {
        a->state = ASK_FAILED;
        ask_close(a);
        return;
    }
    a->watch = watch_new(t->forward->loop, a->fd, t->stream ? WATCH_READ | WATCH_WRITE : WATCH_READ,
                         t->stream ? on_stream : on_datagram, a);
    if (!t->stream)
        send_datagram(a);
}

static void on_timer(void *arg) {
    struct flight *t = arg;
    int64_t age = time_monotonic() - t->begun;
    if (age >= DNS_FORWARD_TIMEOUT * NSEC_PER_SEC) {
        for (size_t i = 0; i < t->asks_n; i++)
            if (t->asks[i].state == ASK_OPEN)
                t->asks[i].state = ASK_FAILED;
        judge(t);
        return;
    }
    if (age >= AGAIN_NS && !t->again && !t->stream) {
        t->again = true;
        for (size_t i = 0; i < t->asks_n; i++)
            if (t->asks[i].state == ASK_OPEN)
                send_datagram(&t->asks[i]);
    }
    judge(t);
}

/* --- asking --------------------------------------------------------------------------------------
 */

/* Written anew from what was understood of the asker's. The id is the flight's own. */
static void write_query(struct flight *t, const struct dns_query *q) {
    uint8_t *p = t->query + 2;
    uint64_t random = random_u64();
    p[0] = (uint8_t)random;
    p[1] = (uint8_t)(random >> 8);
    p[2] = q->rd ? 1 : 0;
    p[3] = q->cd ? 0x10 : 0;
    p[5] = 1;
    memcpy(p + DNS_HEADER, q->question.p, q->question.len);
    t->question = str_n(p + DNS_HEADER, q->question.len);
    size_t n = DNS_HEADER + q->question.len;
    if (q->edns) {
        p[11] = 1;
        p[n + 2] = DNS_OPT;
        p[n + 3] = (uint8_t)(q->udp_size >> 8);
        p[n + 4] = (uint8_t)q->udp_size;
        p[n + 7] = q->dnssec_ok ? 0x80 : 0;
        n += 11;
    }
    t->query_len = n;
    t->query[0] = (uint8_t)(n >> 8);
    t->query[1] = (uint8_t)n;
}

/* What makes two questions the same: everything that is sent but the id and the case, the servers,
 * and the way. */
static void write_key(struct flight *t, const struct address *to, size_t n) {
    CLEAN_BUF struct buf key = {0};
    buf_add(&key, t->query + 4, t->query_len - 2);
    for (size_t i = DNS_HEADER - 2; i < DNS_HEADER - 2 + t->question.len - 4; i++)
        if (key.data[i] >= 'A' && key.data[i] <= 'Z')
            key.data[i] = (char)(key.data[i] + 32);
    for (size_t i = 0; i < n; i++)
        buf_add(&key, &to[i].any, to[i].len);
    buf_addc(&key, (char)t->stream);
    t->key_len = key.len;
    t->key = buf_take(&key);
}

static struct dns_wait *wait_new(struct flight *t, dns_forward_fn *fn, void *arg) {
    struct dns_wait *w = NEW(struct dns_wait);
    w->fn = fn;
    w->arg = arg;
    list_push(&t->waits, &w->link);
    return w;
}

static void give_up(struct flight *t) {
    free(t->key);
    free(t);
}

struct dns_wait *dns_forward_ask(struct dns_forward *f, const struct strs *servers,
                                 const struct dns_query *q, bool stream, dns_forward_fn *fn,
                                 void *arg) {
    struct address to[DNS_SERVERS_MAX];
    size_t n = choose(f, servers, q->name, to);
    struct flight *t = NEW(struct flight);
    t->forward = f;
    t->stream = stream;
    list_init(&t->waits);
    write_query(t, q);
    write_key(t, to, n);
    size_t cached = dns_cache_get(f->cache, str_n(t->key, t->key_len), now_s(), f->buffer);
    struct flight *same = map_get(&f->flights, str_n(t->key, t->key_len));
    if (cached || same || n == 0 || f->flights.n >= DNS_FLIGHTS_MAX) {
        give_up(t);
        if (same && !cached)
            return wait_new(same, fn, arg);
        fn(arg, str_n(f->buffer, cached));
        return NULL;
    }
    map_set(&f->flights, str_n(t->key, t->key_len), t);
    t->begun = time_monotonic();
    t->timer = timer_new(f->loop, PATIENCE_NS, PATIENCE_NS, on_timer, t);
    for (size_t i = 0; i < n; i++)
        ask_open(t, &to[i]);
    return wait_new(t, fn, arg);
}

void dns_wait_cancel(struct dns_wait *w) {
    if (!w)
        return;
    list_remove(&w->link);
    free(w);
}

struct dns_forward *dns_forward_free(struct dns_forward *f) {
    if (!f)
        return NULL;
    size_t it = 0;
    void *t;
    while (map_next(&f->flights, &it, NULL, &t)) {
        land_flight(t, STR_NONE);
        it = 0;
    }
    map_done(&f->flights);
    vec_done(&f->domains);
    arena_done(&f->arena);
    dns_cache_free(f->cache);
    free(f);
    return NULL;
}
