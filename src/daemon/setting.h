/* daemon/setting.h - inside of daemon/: the table of settings. A row is an option of the command
 * line, a key of daemon.json, and a member of struct daemon_config; help, reading, the command
 * line's precedence and reload all go by the table.
 */
#pragma once
#include "base/json.h"
#include "daemon/daemon.h"

enum setting_kind {
    SETTING_STRING, /* char * */
    SETTING_INT,    /* int64_t, within min..max; 0: not set */
    SETTING_BOOL,   /* enum daemon_flag: not set, off, on */
    SETTING_LIST,   /* char *: the text of a JSON array of strings; the option adds one */
    SETTING_MAP,    /* char *: the text of a JSON object of strings; the option adds NAME=VALUE */
    SETTING_RAW,    /* char *: the text of JSON of its own shape; no option */
    SETTING_FIXED, /* no member: of what dockerd knows under this name, only `allowed` is so here */
};

struct setting {
    const char *option, *key, *argument, *help;
    size_t offset;
    int64_t min, max;
    enum setting_kind kind;
    char letter;
    const char *allowed; /* SETTING_FIXED: values that say what is so anyway, by blanks; or NULL */
    bool live;           /* SIGHUP puts a changed value into force */
};

extern const struct setting settings[];
extern const size_t settings_n;

const struct setting *setting_by_key(struct str key); /* NULL: there is none */
/* From the command line. */
struct err setting_set(struct daemon_config *c, const struct setting *s, struct str value);
/* From the configuration file. */
struct err setting_set_json(struct daemon_config *c, const struct setting *s, const struct json *j);
bool setting_is_set(const struct daemon_config *c, const struct setting *s);
/* Texts are copied. */
void setting_copy(struct daemon_config *to, const struct daemon_config *from,
                  const struct setting *s);
bool setting_equal(const struct daemon_config *a, const struct daemon_config *b,
                   const struct setting *s);
