/* Every command and every option that the peer's command line has is there, under all its names. */
#include "cli/command.h"
#include "peer_options.h"
#include "test.h"
#include <stdio.h>
#include <string.h>

static const struct command *find(struct str name, struct arena *a) {
    char *argv[4] = {0};
    int n = 0, words;
    struct str rest = name, word;
    while (n < 3 && str_next(&rest, ' ', &word))
        argv[n++] = arena_str(a, word);
    const struct command *c = command_find(argv, &words);
    return c && words == n ? c : NULL;
}

static bool has_option(const struct command *c, struct str name, char letter) {
    for (size_t i = 0; i < c->options_n; i++)
        if (str_eqz(name, c->options[i].name))
            return !letter || c->options[i].letter == letter;
    return false;
}

TEST(commands_and_options_of_the_peer) {
    CLEAN_ARENA struct arena a = {0};
    int missing = 0;
    for (size_t i = 0; i < ARRAY_LEN(peer_options); i++) {
        struct str name, rest, option, letter;
        str_cut(str_of(peer_options[i]), ':', &name, &rest);
        const struct command *c = find(name, &a);
        /* `top` alone is the live view; with a container it is the peer's. */
        if (!c) {
            printf("no command '%.*s'\n", STR_ARG(name));
            missing++;
            continue;
        }
        rest = str_trim(rest);
        while (rest.len && str_next(&rest, ' ', &option)) {
            bool has = str_cut(option, '/', &option, &letter);
            if (!has_option(c, option, has ? letter.p[0] : 0)) {
                printf("'%.*s' has no --%.*s\n", STR_ARG(name), STR_ARG(option));
                missing++;
            }
        }
    }
    assert_int_equal(missing, 0);
}
