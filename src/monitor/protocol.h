/* protocol.h - what daemon and monitor say to each other; private to monitor/.
 *
 * Messages of loop/msg.h. Numbers are append-only for ever: a daemon of tomorrow talks to monitors
 * of today (upgrade in place under running containers). A receiver ignores tags that it does not
 * know and answers an unknown request with ERR_UNSUPPORTED.
 *
 * A conversation on descriptor 3 (a socket pair made by the daemon):
 *   HELD*, TREES*, KEEPS, PRESTART*, START →
 *   with START_NETWORK_FOLLOWS: HELD*, NETWORK →
 *                                      ← STARTED, or FAILED (then the monitor ends)
 *   TAKEN, requests, ACK_EXIT …        →
 *                                      ← REPLY, EXITED, EXEC_EXITED, OOM, WAITER_BACK
 * A later daemon dials monitor.sock and begins with HELLO (← HELLO_REPLY), then goes on with TAKEN;
 * the newest such connection is the daemon's. A log reader begins with FOLLOW and gets one-byte
 * packets; one that does not follow asks for the first of them alone (TAG_FOLLOW_SETTLED, which an
 * older monitor does not know: its first packet comes at once). Tests:
 * test/unit/monitor/protocol.c.
 */
#pragma once
#include "base/arena.h"
#include "monitor/monitor.h"

#define PROTOCOL_SOCKET "monitor.sock"
#define PROTOCOL_RECORD "exit"
#define PROTOCOL_METHODS "methods" /* results that no daemon has acknowledged, a line each */
#define PROTOCOL_EXECS_MAX 4096    /* unacknowledged or running, in one monitor */
#define PROTOCOL_PRESTART_MAX 1024 /* clients that wait for a start */
#define PROTOCOL_HELD_MAX 8192     /* published ports' sockets */
#define PROTOCOL_TREES_MAX 1024    /* mounts of one container */
#define PROTOCOL_EARLY_MAX (8u << 20)
#define PROTOCOL_START_TIMEOUT (120 * NSEC_PER_SEC) /* a start that takes longer is killed */
#define PROTOCOL_HELLO_TIMEOUT (2 * NSEC_PER_SEC)

enum protocol_type {
    /* daemon → monitor */
    PROTOCOL_START = 1, /* the fields of struct monitor_start, fds by TAG_START_FDS */
    PROTOCOL_HELD = 2,  /* fds of published ports; TAG_RELAY_…, TAG_PORT_LINES: corten-relay's */
    PROTOCOL_PRESTART = 3, /* a client; fd */
    PROTOCOL_HELLO = 4,
    PROTOCOL_TAKEN = 5, /* facts so far are known: send what is not acknowledged from now on */
    PROTOCOL_ACK_EXIT = 6,
    PROTOCOL_ACK_EXEC = 7, /* TAG_EXEC_ID */
    PROTOCOL_REMOVED = 8,
    PROTOCOL_SIGNAL = 9,       /* TAG_SIGNO */
    PROTOCOL_STOP = 10,        /* TAG_SIGNO, TAG_TIMEOUT */
    PROTOCOL_RESIZE = 11,      /* TAG_EXEC_ID, TAG_ROWS, TAG_COLUMNS */
    PROTOCOL_ATTACH = 12,      /* a client; fd */
    PROTOCOL_WAIT = 13,        /* a client; fd */
    PROTOCOL_EXEC = 14,        /* TAG_EXEC_…; a client or none */
    PROTOCOL_FOLLOW = 15,      /* from a log reader */
    PROTOCOL_EXEC_SIGNAL = 16, /* TAG_EXEC_ID, TAG_SIGNO */
    PROTOCOL_NAMES = 30,       /* TAG_NAMES_PATH; fds: UDP, TCP */
    PROTOCOL_TREES = 31,       /* before START; fds: "fd:1" … in the configuration */
    PROTOCOL_KEEPS = 32,       /* before START; TAG_KEEP per fd */
    PROTOCOL_HOLD = 33,        /* as HELD, while it runs */
    PROTOCOL_RELEASE = 34,     /* TAG_PORT_LINES: sockets to close, "tcp 0.0.0.0 8080" each */
    PROTOCOL_NETWORK = 35, /* after a START that says so; TAG_START_FDS of the network's three */
    PROTOCOL_INSIDE = 41,  /* TAG_EXEC_ID, TAG_INSIDE_TYPE, TAG_INSIDE_TEXT: to our own program */
    PROTOCOL_ACK_METHOD = 40, /* TAG_METHOD_SEQ: this result and those before are kept */
    /* monitor → daemon */
    PROTOCOL_STARTED = 100,     /* TAG_MONITOR_PID, TAG_PID, TAG_START_TIME, TAG_STARTED_AT */
    PROTOCOL_FAILED = 101,      /* TAG_ERR */
    PROTOCOL_HELLO_REPLY = 102, /* as STARTED, TAG_EXIT_… when it ended, TAG_EXEC per exec */
    PROTOCOL_REPLY = 103,       /* TAG_ERR when it failed; TAG_PID of an exec */
    PROTOCOL_EXITED = 104,      /* TAG_EXIT_… */
    PROTOCOL_EXEC_EXITED = 105, /* TAG_EXEC_ID, TAG_EXIT_CODE, TAG_EXIT_AT */
    PROTOCOL_OOM = 106,
    PROTOCOL_WAITER_BACK = 107, /* TAG_EXIT_CODE; fd */
    PROTOCOL_HEALTH = 108,      /* TAG_HEALTH with the newest result */
    PROTOCOL_LOG_MISSING = 109, /* TAG_LOG_DROPPED, … */
    PROTOCOL_METHOD = 120,      /* TAG_METHOD_SEQ, TAG_METHOD_RESULT */
    PROTOCOL_SAMPLES = 121,     /* TAG_METHOD_SAMPLES */
    PROTOCOL_ASK_UPDATE =
        122, /* TAG_EXEC_ID: our own program wants an update; without: its interval is over */
    PROTOCOL_METHOD_SAID =
        123, /* TAG_EXEC_ID, TAG_METHOD_SAID: of an EXEC with TAG_METHOD_FOLLOW */
};

enum protocol_tag {
    TAG_ERR = 1, /* takes 1, 2, 3 */
    TAG_ID = 4,
    TAG_CONFIG = 5,
    TAG_LAYER = 6,     /* repeated, top first */
    TAG_START_FDS = 7, /* bit per descriptor that follows, in the order of enum start_fd */
    TAG_USER = 8,
    TAG_GROUP = 9,  /* repeated */
    TAG_FLAGS = 10, /* enum start_flag, client_flag or exec_flag */
    TAG_LOG_DRIVER = 11,
    TAG_LOG_NAME = 12,
    TAG_LOG_MAX_SIZE = 13,
    TAG_LOG_MAX_FILE = 14,
    TAG_CONTENT_TYPE = 15,
    TAG_EARLY = 16,
    TAG_DETACH_KEYS = 17,
    TAG_WAIT = 18, /* enum monitor_wait_for; its presence makes a PRESTART a waiter */
    TAG_SIGNO = 19,
    TAG_TIMEOUT = 20,
    TAG_EXEC_ID = 21,
    TAG_ROWS = 22,
    TAG_COLUMNS = 23,
    TAG_PROCESS = 24,
    TAG_MONITOR_PID = 25,
    TAG_PID = 26,
    TAG_START_TIME = 27,
    TAG_STARTED_AT = 28,
    TAG_EXIT_CODE = 29,
    TAG_EXIT_AT = 30,
    TAG_EXIT_OOM = 31,
    TAG_EXIT_ERROR = 32,
    TAG_EXEC = 33,   /* nested fields: TAG_EXEC_ID, TAG_PID, TAG_EXIT_CODE when it ended */
    TAG_HEALTH = 34, /* nested: in START the settings (35 to 48), else the state (49 to 51) */
    TAG_HEALTH_PROBE = 35,
    TAG_HEALTH_PROCESS = 36,
    TAG_HEALTH_ADDRESS = 37,
    TAG_HEALTH_PORT = 38,
    TAG_HEALTH_PATH = 39,
    TAG_HEALTH_MAX_AGE = 40,
    TAG_HEALTH_INTERVAL = 41,
    TAG_HEALTH_TIMEOUT = 42,
    TAG_HEALTH_START_PERIOD = 43,
    TAG_HEALTH_START_INTERVAL = 44,
    TAG_HEALTH_RETRIES = 45,
    TAG_HEALTH_ACTION = 46,
    TAG_HEALTH_STOP_SIGNO = 47,
    TAG_HEALTH_STOP_TIMEOUT = 48,
    TAG_HEALTH_STATUS = 49,
    TAG_HEALTH_STREAK = 50,
    TAG_HEALTH_RESULT = 51, /* nested: 52 to 55; repeated */
    TAG_RESULT_START = 52,
    TAG_RESULT_END = 53,
    TAG_RESULT_CODE = 54,
    TAG_RESULT_OUTPUT = 55,
    TAG_EXIT_UNHEALTHY = 56, /* enum monitor_action */
    TAG_LOG_ATTRS = 57,
    TAG_LOG_MAX_BUFFER = 58,
    TAG_LOG_DROPPED = 59, /* in EXITED, HELLO_REPLY, LOG_MISSING */
    TAG_LOG_REMOVED_FILES = 60,
    TAG_LOG_REMOVED_BYTES = 61,
    TAG_REPLAY_UNTIL = 62, /* in REPLY to an ATTACH with CLIENT_REPLAY: wall ns */
    TAG_LOG_PACKER = 63,   /* in START: path of the program that compresses */
    TAG_NAMES_PATH = 70,
    TAG_KEEP = 71, /* a volume's name; one per descriptor, also in HELLO_REPLY */
    TAG_RELAY_PATH = 72,
    TAG_RELAY_ADDRESS = 73, /* of the container; "": nowhere to lead to */
    TAG_PORT_LINES = 74,    /* a line for each fd */
    TAG_METHOD = 90, /* nested: in START, repeated; of an EXEC its name, TAG_TIMEOUT with it */
    TAG_METHOD_NAME = 91,
    TAG_METHOD_REFUSED = 92,
    TAG_METHOD_INTERVAL = 93,
    TAG_METHOD_START_PERIOD = 94,
    TAG_METHOD_AT_START = 95,
    TAG_METHOD_READING = 96, /* enum lifecycle_reading */
    TAG_METHOD_TRIGGER = 97,
    TAG_METHOD_SEQ = 98,
    TAG_METHOD_RESULT = 99,   /* JSON, struct method_result */
    TAG_METHOD_SAMPLES = 100, /* spec/samples.h */
    /* Of an EXEC of `container`; the last descriptor is our own program. */
    TAG_INSIDE_METADATA = 101,
    TAG_INSIDE_EXAMINE = 102,
    TAG_INSIDE_TYPE = 103, /* 'o', 'e' or 'x' */
    TAG_INSIDE_TEXT = 104,
    TAG_METHOD_FOLLOW = 105, /* of an EXEC: what the method says is wanted while it runs */
    TAG_METHOD_SAID = 106,
    TAG_FOLLOW_SETTLED =
        107, /* of FOLLOW: the first packet comes once the log holds what was said */
};

enum start_fd {
    START_RUN_DIR,
    START_LAYERS_DIR,
    START_DATA_DIR,
    START_NETNS,
    START_SECCOMP,
    START_LOG_DIR,
    START_NAMES_UDP,
    START_NAMES_TCP,
    START_INIT, /* program corten-init */
    START_SHM,  /* a detached tree, "fd:0" in the configuration */
    START_FDS_N,
};
enum start_flag {
    START_TERMINAL = 1,
    START_OPEN_STDIN = 2,
    START_STDIN_ONCE = 4,
    START_AUTO_REMOVE = 8,
    START_HOLD_MOUNTS = 16,
    START_NETWORK_FOLLOWS = 32, /* its namespace, sockets and ports come when they are made */
};
enum client_flag {
    CLIENT_HEAD_SENT = 1,
    CLIENT_UPGRADE = 2,
    CLIENT_HEAD_REQUEST = 4,
    CLIENT_IN = 8,
    CLIENT_OUT = 16,
    CLIENT_ERR = 32,
    CLIENT_REPLAY = 64,
    CLIENT_TERMINAL = 128, /* of an exec */
    CLIENT_KILL = 256,     /* of an exec: it dies with the client */
    CLIENT_FRAMED = 512,   /* of an exec with a terminal: its output comes in frames all the same */
};

/* A start, decoded. Strings and arrays live in the arena; the config points into the message. */
struct protocol_start {
    const char *id;
    struct str config;
    const char **layers;
    size_t layers_n;
    int fds[START_FDS_N]; /* -1: not given; owned */
    const char *user;
    const char **groups;
    size_t groups_n;
    unsigned flags;
    const char *log_driver, *log_name;
    const char *names_path; /* NULL: none */
    int64_t log_max_size;
    int log_max_file;
    struct str log_attrs; /* points into the message */
    int64_t log_max_buffer;
    const char *log_packer;         /* NULL: nothing is compressed */
    struct monitor_health health;   /* its process points into the message */
    struct monitor_method *methods; /* theirs too */
    size_t methods_n;
};
void protocol_put_start(struct buf *body, const struct monitor_start *s, int fds[START_FDS_N],
                        size_t *ret_fds_n);
/* Takes descriptors out of m. ERR_INVALID when the message does not add up. */
struct err protocol_get_start(struct msg *m, struct arena *a, struct protocol_start *ret);
/* What was left out of a start with network_follows, and back. */
void protocol_put_network(struct buf *body, const struct monitor_start *s, int fds[START_FDS_N],
                          size_t *ret_fds_n);
struct err protocol_get_network(struct msg *m, struct protocol_start *s);
void protocol_start_done(struct protocol_start *s);

/* Ports in messages of up to MSG_FDS_MAX descriptors: `begin; while (next) send(body, fds, n)`.
 * There is at least one when the address is to change. */
struct protocol_ports {
    const struct monitor_ports *from;
    size_t held, relayed; /* done */
    struct str lines;
    bool begun;
    struct buf body;
    const int *fds;
    size_t n;
};
void protocol_ports_begin(const struct monitor_ports *from, struct protocol_ports *p);
bool protocol_ports_next(struct protocol_ports *p); /* false: p is done */

/* A client as it arrives at the monitor. */
struct protocol_client {
    int fd; /* owned; -1: none */
    unsigned flags;
    char *content_type; /* owned */
    char *detach_keys;  /* owned, may be NULL */
    struct buf early;   /* owned */
};
/* flags are added to those of c itself. */
void protocol_put_client(struct buf *body, const struct monitor_client *c, unsigned flags,
                         const char *detach_keys);
void protocol_get_client(struct msg *m, struct protocol_client *ret);
void protocol_client_done(struct protocol_client *c);

void protocol_put_started(struct buf *body, const struct monitor_started *s);
void protocol_get_started(struct str body, struct monitor_started *ret); /* conn stays */
void protocol_put_exit(struct buf *body, const struct monitor_exit *x);
/* x->error points into body when it is NUL-terminated there, else "". */
void protocol_get_exit(struct str body, struct monitor_exit *ret);

void protocol_put_missing(struct buf *body, const struct logs_missing *m);
void protocol_get_missing(struct str body, struct logs_missing *ret);

/* protocol_health.c. Settings in START: */
void protocol_put_health(struct buf *body, const struct monitor_health *h);
/* ERR_INVALID when they cannot be meant; no TAG_HEALTH is MONITOR_PROBE_NONE. */
struct err protocol_get_health(struct str body, struct arena *a, struct monitor_health *ret);
/* protocol_life.c: methods in START. */
void protocol_put_methods(struct buf *body, const struct monitor_method *methods, size_t n);
struct err protocol_get_methods(struct str body, struct arena *a, struct monitor_method **ret,
                                size_t *ret_n);
/* State; newest_only: without the results before the last. */
void protocol_put_state(struct buf *body, const struct monitor_health_state *s, bool newest_only);
/* false: there is none. Texts point into body. */
bool protocol_get_state(struct str body, struct monitor_health_state *ret);

/* hello: everything but conn. Takes descriptors out of m. */
void protocol_get_hello(struct msg *m, struct monitor_hello *ret);
/* keeps.c: names into body, descriptors into fds (room for MONITOR_KEEPS_MAX), and back. */
void protocol_put_keeps(struct buf *body, const struct monitor_keep *keeps, size_t n, int *fds);
/* As many as are named; owned. */
void protocol_get_keeps(struct msg *m, struct monitor_keep **ret, size_t *ret_n);
void protocol_keeps_done(struct monitor_keep *keeps, size_t n);
void protocol_put_exec(struct buf *body, const struct monitor_hello_exec *x);
