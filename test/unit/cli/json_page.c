/* docs/json.md tells of every command: what it prints with --json, or that it refuses it. */
#include "base/file.h"
#include "cli/command.h"
#include "test.h"
#include <stdio.h>
#include <string.h>

#define PAGE_MAX (1u << 20)

/* Is there a line that begins with "| `NAME` |"? */
static bool has_row(struct str page, const char *name) {
    CLEAN_FREE char *row = mem_printf("| `%s` |", name);
    struct str line;
    while (str_next(&page, '\n', &line))
        if (str_starts(line, str_of(row)))
            return true;
    return false;
}

/* Named in the paragraph about those that refuse it. */
static bool is_refused(struct str page, const char *name) {
    CLEAN_FREE char *word = mem_printf("`%s`", name);
    ssize_t at = str_find_str(page, STR("\nThese print what "));
    return at >= 0 && str_find_str(str_from(page, (size_t)at), str_of(word)) >= 0;
}

static bool takes_json(const struct command *c) {
    for (size_t i = 0; i < c->options_n; i++)
        if (c->options[i].kind == OPTION_FORMAT)
            return true;
    return c->json;
}

TEST(every_command_has_its_row) {
    CLEAN_BUF struct buf text = {0};
    int wrong = 0;
    assert_false(err_failed(file_read("docs/json.md", PAGE_MAX, &text)));
    struct str page = buf_str(&text);
    assert_true(cli_commands_n > 100);
    for (size_t i = 0; i < cli_commands_n; i++) {
        const struct command *c = cli_commands[i];
        bool row = has_row(page, c->name), refused = is_refused(page, c->name);
        if (c->hidden || strncmp(c->name, "__", 2) == 0 ||
            (takes_json(c) ? row && !refused : refused && !row))
            continue;
        printf("'%s' takes %s--json: row %s, refusal %s\n", c->name, takes_json(c) ? "" : "no ",
               row ? "yes" : "no", refused ? "yes" : "no");
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

TEST(every_row_is_a_commands) {
    CLEAN_BUF struct buf text = {0};
    int wrong = 0;
    assert_false(err_failed(file_read("docs/json.md", PAGE_MAX, &text)));
    struct str page = buf_str(&text), line;
    while (str_next(&page, '\n', &line)) {
        struct str name, rest;
        bool known = !str_starts(line, STR("| `"));
        if (known)
            continue;
        str_cut(str_from(line, 3), '`', &name, &rest);
        str_cut(name, ',', &name, &rest); /* "top, of all" */
        for (size_t i = 0; i < cli_commands_n && !known; i++)
            known = str_eqz(name, cli_commands[i]->name);
        if (!known) {
            printf("'%.*s' is no command\n", STR_ARG(name));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}
