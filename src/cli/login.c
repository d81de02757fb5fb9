/* login, logout, search. */
#include "base/base64.h"
#include "cli/helper.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX 65536

struct login_options {
    const char *user, *password;
    bool password_stdin;
};
static const struct option_row login_rows[] = {
    TEXT(struct login_options, user, 'u', "username", "NAME", "Who"),
    TEXT(struct login_options, password, 'p', "password", "SECRET",
         "Password or token (others see it)"),
    FLAG(struct login_options, password_stdin, 0, "password-stdin", "Read the password from stdin"),
};

/* A line from the terminal, without showing it when secret. */
static bool ask(const char *question, bool secret, struct arena *a, const char **ret) {
    char line[4096];
    struct termios now, saved;
    bool hidden = secret && tcgetattr(0, &saved) == 0;
    printf("%s: ", question);
    fflush(stdout);
    if (hidden) {
        now = saved;
        now.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSANOW, &now);
    }
    bool ok = fgets(line, sizeof line, stdin) != NULL;
    if (hidden) {
        tcsetattr(0, TCSANOW, &saved);
        printf("\n");
    }
    *ret = ok ? arena_str(a, str_trim(str_of(line))) : "";
    return ok;
}

static int read_password(struct invocation *in, const char **ret) {
    const struct login_options *o = in->options;
    if (o->password && o->password_stdin)
        return cli_usage(in, "--password and --password-stdin are mutually exclusive");
    if (o->password_stdin && !o->user)
        return cli_usage(in, "the --password-stdin option requires --username to be set");
    if (o->password)
        fprintf(stderr,
                "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    *ret = o->password;
    if (!o->password_stdin)
        return 0;
    CLEAN_BUF struct buf text = {.max = SECRET_MAX};
    for (ssize_t n; (n = read(0, buf_room(&text, 4096), 4096)) > 0;)
        buf_added(&text, (size_t)n);
    struct str s = buf_str(&text);
    while (s.len && (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
        s.len--;
    *ret = arena_str(&in->arena, s);
    return 0;
}

static struct err keep(struct invocation *in, const char *registry, const struct api_auth *auth,
                       const char *token) {
    CLEAN_BUF struct buf pair = {0}, encoded = {0}, entry = {0}, out = {0};
    struct json_out jo = {.out = &entry};
    const char *store = config_store(in->config, registry);
    bool found, has_token = token && *token;
    jo_obj(&jo);
    if (store) {
        jo_kstr(&jo, "ServerURL", registry);
        jo_kstr(&jo, "Username", has_token ? "<token>" : auth->username);
        jo_kstr(&jo, "Secret", has_token ? token : auth->password);
        jo_obj_end(&jo);
        TRY(helper_run(store, "store", buf_str(&entry), &out, &found));
        return config_write(in->config, "auths", registry, "{}");
    }
    buf_addf(&pair, "%s:%s", auth->username, has_token ? "" : auth->password);
    base64_encode(buf_str(&pair), &encoded);
    jo_kstr(&jo, "auth", buf_cstr(&encoded));
    if (has_token)
        jo_kstr(&jo, "identitytoken", token);
    jo_obj_end(&jo);
    return config_write(in->config, "auths", registry, buf_cstr(&entry));
}

static int login_run(struct invocation *in) {
    const struct login_options *o = in->options;
    struct arena *a = &in->arena;
    const char *registry = config_registry(in->args_n ? in->args[0] : NULL, a), *password;
    struct api_auth auth = {.username = (char *)o->user, .server_address = (char *)registry};
    struct api_auth_status status = {0};
    if (read_password(in, &password))
        return 1;
    auth.password = (char *)password;
    if (!auth.username || !auth.password) {
        const char *answer;
        struct api_auth known;
        TRYF_STATUS(config_auth_of(in->config, registry, a, &known));
        if (!auth.username && !auth.password && known.username && *known.username) {
            auth.username = known.username;
            auth.password = known.password;
        } else if (!isatty(0)) {
            return cli_fail(err_new(ERR_INVALID, "corten: Error: Cannot perform an interactive "
                                                 "login from a non TTY device; use --username and "
                                                 "--password-stdin"),
                            1);
        } else {
            if (!auth.username && ask("Username", false, a, &answer))
                auth.username = (char *)answer;
            if (!auth.password && ask("Password", true, a, &answer))
                auth.password = (char *)answer;
        }
    }
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(cli_post_document(c, "/auth", &api_auth_fields, &auth, &api_auth_status_fields,
                                  &status, a));
    TRYF_STATUS(keep(in, registry, &auth, status.identity_token));
    if (!config_store(in->config, registry))
        fprintf(stderr, "WARNING! Your credentials are stored unencrypted in '%s/config.json'.\n",
                in->config->dir);
    cli_say(in, "status", status.status && *status.status ? status.status : "Login Succeeded");
    return 0;
}

static int logout_run(struct invocation *in) {
    const char *registry = config_registry(in->args_n ? in->args[0] : NULL, &in->arena),
               *store = config_store(in->config, registry);
    CLEAN_BUF struct buf out = {0};
    bool found = json_get(json_get(in->config->root, "auths"), registry) != NULL, erased;
    if (in->json)
        cli_say(in, "registry", registry);
    else
        printf("Removing login credentials for %s\n", registry);
    if (store)
        TRYF_STATUS(helper_run(store, "erase", str_of(registry), &out, &erased));
    if (found)
        TRYF_STATUS(config_write(in->config, "auths", registry, NULL));
    return 0;
}

/* --- search ----------------------------------------------------------------------------------- */

struct search_options {
    bool no_trunc;
    int64_t limit;
    const char *format;
    struct strv filter;
};
static const struct option_row search_rows[] = {
    FILTER(struct search_options, filter),
    FORMAT(struct search_options, format),
    INT(struct search_options, limit, 0, "limit", "N", "So many results at most"),
    FLAG(struct search_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
};
struct search_result {
    char *name, *description;
    int64_t stars;
    bool official, automated;
};
static const struct field search_result_rows[] = {
    FIELD(struct search_result, name, "name", F_STR),
    FIELD(struct search_result, description, "description", F_STR),
    FIELD(struct search_result, stars, "star_count", F_I64),
    FIELD(struct search_result, official, "is_official", F_BOOL),
    FIELD(struct search_result, automated, "is_automated", F_BOOL),
};
static const struct fields search_result_fields = {"search_result", sizeof(struct search_result),
                                                   search_result_rows,
                                                   ARRAY_LEN(search_result_rows)};
struct search_row {
    const struct search_result *x;
    bool cut;
};
VIEW(v_name, struct search_row, template_strz(r->x->name))
VIEW(v_stars, struct search_row, template_strz(arena_printf(a, "%lld", (long long)r->x->stars)))
VIEW(v_official, struct search_row, template_strz(r->x->official ? "[OK]" : ""))
VIEW(v_automated, struct search_row, template_strz(r->x->automated ? "[OK]" : ""))
GETTER(v_description) {
    const struct search_row *r = self;
    char *text = arena_strz(a, r->x->description ? r->x->description : "");
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    *ret = r->cut ? view_ellipsis(text, 45, a) : template_strz(text);
    return OK;
}
static const struct template_member search_members[] = {
    {"Name", v_name, 0, 0, "NAME"},
    {"Description", v_description, 0, 0, "DESCRIPTION"},
    {"StarCount", v_stars, 0, 0, "STARS"},
    {"IsOfficial", v_official, 0, 0, "OFFICIAL"},
    {"IsAutomated", v_automated, 0, 0, "AUTOMATED"},
};
TYPE_OF(search_type, "*search.searchContext", search_members);

static struct err result_row(struct listing *l, const void *element, struct invocation *in) {
    const struct search_options *o = in->options;
    return listing_row(l, &(struct search_row){element, !o->no_trunc});
}

static int search_run(struct invocation *in) {
    const struct search_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    buf_adds(&target, "/images/search");
    client_query(&target, "term", in->args[0]);
    if (o->limit)
        client_query_i64(&target, "limit", o->limit);
    return cli_list(in, &(struct cli_list){.target = buf_cstr(&target),
                                           .filter = &o->filter,
                                           .fields = &search_result_fields,
                                           .format = o->format,
                                           .otherwise = "{{.Name}}\t{{.Description}}\t"
                                                        "{{.StarCount}}\t{{.IsOfficial}}",
                                           .type = &search_type,
                                           .row = result_row});
}

const struct command command_login = {
    .name = "login",
    .usage = "login [OPTIONS] [SERVER]",
    .summary = "Log in to a registry",
    .examples =
        "pass show registry | corten login -u me --password-stdin registry.example\twithout "
        "showing the password",
    OPTIONS_OF(login_rows, struct login_options),
    .args_max = 1,
    .json = true,
    .run = login_run};
const struct command command_logout = {.name = "logout",
                                       .usage = "logout [SERVER]",
                                       .summary = "Forget the credentials for a registry",
                                       .args_max = 1,
                                       .json = true,
                                       .run = logout_run};
const struct command command_search = {.name = "search",
                                       .usage = "search [OPTIONS] TERM",
                                       .summary = "Look for images in a registry",
                                       OPTIONS_OF(search_rows, struct search_options),
                                       .args_min = 1,
                                       .args_max = 1,
                                       .run = search_run};
