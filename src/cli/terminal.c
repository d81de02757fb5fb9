#include "cli/command.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

bool terminal_raw(struct terminal *t) {
    struct termios now, *saved = mem_alloc(sizeof *saved);
    t->is_raw = false;
    if (tcgetattr(0, saved) != 0) {
        free(saved);
        return false;
    }
    now = *saved;
    cfmakeraw(&now);
    t->saved = saved;
    t->is_raw = tcsetattr(0, TCSANOW, &now) == 0;
    return t->is_raw;
}

void terminal_restore(struct terminal *t) {
    if (t->is_raw)
        tcsetattr(0, TCSANOW, t->saved);
    t->is_raw = false;
    free(TAKE(t->saved));
}

void terminal_size(unsigned *ret_rows, unsigned *ret_columns) {
    struct winsize w = {0};
    if (ioctl(1, TIOCGWINSZ, &w) != 0 && ioctl(0, TIOCGWINSZ, &w) != 0)
        w = (struct winsize){0};
    *ret_rows = w.ws_row;
    *ret_columns = w.ws_col;
}
