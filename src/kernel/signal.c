#include "kernel/signal.h"
#include "base/str.h"
#include <signal.h>
#include <strings.h>

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"BUS", SIGBUS},       {"CHLD", SIGCHLD},
    {"CLD", SIGCHLD},  {"CONT", SIGCONT}, {"FPE", SIGFPE},       {"HUP", SIGHUP},
    {"ILL", SIGILL},   {"INT", SIGINT},   {"IO", SIGIO},         {"IOT", SIGIOT},
    {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"POLL", SIGPOLL},     {"PROF", SIGPROF},
    {"PWR", SIGPWR},   {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},     {"STKFLT", SIGSTKFLT},
    {"STOP", SIGSTOP}, {"SYS", SIGSYS},   {"TERM", SIGTERM},     {"TRAP", SIGTRAP},
    {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
    {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
};

bool signal_parse(const char *text, int *ret) {
    uint64_t number = 0;
    CLEAN_ERR struct err e = str_to_u64(str_of(text), 64, &number);
    if (!err_failed(e)) {
        *ret = (int)number;
        return number > 0;
    }
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (strcasecmp(text, signals[i].name) == 0) {
            *ret = signals[i].number;
            return true;
        }
    bool from_min = strncasecmp(text, "RTMIN", 5) == 0,
         from_max = strncasecmp(text, "RTMAX", 5) == 0;
    if (!from_min && !from_max)
        return false;
    int64_t offset = 0;
    const char *rest = text + 5 + (text[5] == '+' ? 1 : 0);
    if (*rest) {
        err_free(e);
        e = str_to_i64(str_of(rest), -30, 30, &offset);
        if (err_failed(e))
            return false;
    }
    *ret = (from_min ? 34 : 64) + (int)offset;
    return *ret >= 34 && *ret <= 64;
}
