/* Tables, human sizes and times, documents by templates. */
#include "base/time.h"
#include "cli/command.h"
#include "spec/api_volume.h"
#include "test.h"

static void aligned(const char *text, size_t width, const char *wanted) {
    CLEAN_BUF struct buf out = {0};
    table_align(str_of(text), width, &out);
    assert_string_equal(buf_cstr(&out), wanted);
}

TEST(columns_are_as_wide_as_their_widest_cell) {
    aligned("A\tB\nx\ty\n", 0, "A         B\nx         y\n");
    aligned("NAME\tIMAGE\tX\nlonger than ten\ta\tb\n", 0,
            "NAME              IMAGE     X\nlonger than ten   a         b\n");
    aligned("\xc3\xa4\xc3\xb6\tb\n", 0, "\xc3\xa4\xc3\xb6        b\n");
    aligned("", 0, "");
    aligned("one\n\ntwo\tx\n", 0, "one\n\ntwo       x\n");
}

TEST(a_table_is_cut_to_the_terminal) {
    aligned("0123456789abcdef\t0123456789\n", 26, "0123456789ab\xe2\x80\xa6   0123456789\n");
    aligned("0123456789abcdef\tz\n", 40, "0123456789abcdef   z\n");
}

static void lasts(int64_t seconds, const char *wanted) {
    CLEAN_BUF struct buf out = {0};
    human_duration(seconds * NSEC_PER_SEC, &out);
    assert_string_equal(buf_cstr(&out), wanted);
}

TEST(durations_for_people) {
    lasts(0, "Less than a second");
    lasts(1, "1 second");
    lasts(59, "59 seconds");
    lasts(60, "About a minute");
    lasts(119, "About a minute");
    lasts(120, "2 minutes");
    lasts(3599, "59 minutes");
    lasts(3600, "About an hour");
    lasts(5400, "2 hours");
    lasts(47 * 3600, "47 hours");
    lasts(48 * 3600, "2 days");
    lasts(14 * 86400, "2 weeks");
    lasts(60 * 86400, "2 months");
    lasts(800 * 86400, "2 years");
}

TEST(sizes_for_people) {
    CLEAN_BUF struct buf out = {0};
    human_size(0, &out);
    buf_addc(&out, ' ');
    human_size(999, &out);
    buf_addc(&out, ' ');
    human_size(1234567, &out);
    buf_addc(&out, ' ');
    human_bytes(1234567, 4, &out);
    buf_addc(&out, ' ');
    human_bytes_binary(1048576, 4, &out);
    assert_string_equal(buf_cstr(&out), "0B 999B 1.23MB 1.235MB 1MiB");
}

static void prints(const char *format, const char *wanted) {
    CLEAN_BUF struct buf out = {0};
    assert_ok(document_print(format,
                             STR("{\"Name\":\"v\",\"Labels\":{\"a\":\"b\"},\"Mountpoint\":\"/m\"}"),
                             &api_volume_fields, &out));
    assert_string_equal(buf_cstr(&out), wanted);
}

TEST(documents_by_templates) {
    prints("{{.Name}}\\t{{.Mountpoint}}", "v\t/m\n");
    prints("json", "{\"Name\":\"v\",\"Labels\":{\"a\":\"b\"},\"Mountpoint\":\"/m\"}\n");
    prints("{{.Driver}}|{{.Options}}|{{.UsageData}}|{{.CreatedAt}}",
           "|map[]|<nil>|0001-01-01T00:00:00Z\n");
    prints("{{index .Labels \"a\"}}{{index .Labels \"none\"}}", "b\n");
    CLEAN_BUF struct buf out = {0};
    assert_err(document_print("{{.Nonsense}}", STR("{}"), &api_volume_fields, &out), ERR_INVALID);
    assert_err(document_print("{{", STR("{}"), &api_volume_fields, &out), ERR_INVALID);
}

TEST(filters_are_names_and_values) {
    struct opts {
        struct strv filter;
    };
    static const struct option_row rows[] = {FILTER(struct opts, filter)};
    static const struct command c = {
        .name = "x", .usage = "x", .summary = "", OPTIONS_OF(rows, struct opts)};
    struct invocation in = {0};
    const char *const argv[] = {"-f",       "Status=exited", "--filter", "status=created",
                                "--filter", "label=a=b",     NULL};
    bool help;
    CLEAN_BUF struct buf target = {0};
    assert_ok(options_parse(&c, (char **)argv, &in, &help));
    assert_ok(filter_query(&((struct opts *)in.options)->filter, &target));
    assert_non_null(strstr(buf_cstr(&target), "?filters=%7B%22status%22%3A%5B%22exited%22%2C"
                                              "%22created%22%5D%2C%22label%22%3A%5B%22a%3Db%22%5D"
                                              "%7D"));
    options_done(&c, &in);
    const char *const bad[] = {"-f", "x", NULL};
    in = (struct invocation){0};
    assert_err(options_parse(&c, (char **)bad, &in, &help), ERR_INVALID);
    options_done(&c, &in);
}

TEST(the_command_that_was_meant) {
    CLEAN_ARENA struct arena a = {0};
    assert_string_equal(command_meant("", "rnu", &a), "run");
    assert_string_equal(command_meant("", "iamges", &a), "images");
    assert_string_equal(command_meant("volume", "creat", &a), "create");
    assert_null(command_meant("", "zzzzzz", &a));
}

TEST(every_command_is_complete) {
    for (size_t i = 0; i < cli_commands_n; i++) {
        const struct command *c = cli_commands[i];
        char letters[128] = {0};
        if (!c->run || !c->summary || strncmp(c->usage, c->name, strlen(c->name)) != 0)
            fail_msg("%s: no run, no summary, or a usage that begins otherwise", c->name);
        for (size_t k = 0; k < c->options_n; k++) {
            unsigned char letter = (unsigned char)c->options[k].letter;
            if (letter && letters[letter]++)
                fail_msg("%s: -%c twice", c->name, letter);
            for (size_t j = 0; j < k; j++)
                if (!strcmp(c->options[j].name, c->options[k].name))
                    fail_msg("%s: --%s twice", c->name, c->options[k].name);
        }
    }
}
