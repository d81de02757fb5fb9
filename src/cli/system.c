/* version, info, events. */
#include "base/time.h"
#include "cli/commands.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

struct format_options {
    const char *format, *since, *until;
    struct strv filter;
};
static const struct option_row format_rows[] = {
    {.letter = 'f',
     .name = "format",
     .argument = "TEMPLATE",
     .help = "Print it by this Go template, or as 'json'",
     .kind = OPTION_FORMAT,
     .offset = offsetof(struct format_options, format)},
};

/* --- version ---------------------------------------------------------------------------------- */

struct client_version {
    char *version, *api, *default_api, *os, *arch, *context;
};
static const struct field client_version_rows[] = {
    FIELD(struct client_version, version, "Version", F_STR),
    FIELD(struct client_version, api, "ApiVersion", F_STR),
    FIELD(struct client_version, default_api, "DefaultAPIVersion", F_STR),
    FIELD(struct client_version, os, "Os", F_STR),
    FIELD(struct client_version, arch, "Arch", F_STR),
    FIELD(struct client_version, context, "Context", F_STR),
};
static const struct fields client_version_fields = {"client_version", sizeof(struct client_version),
                                                    client_version_rows,
                                                    ARRAY_LEN(client_version_rows)};
struct both_versions {
    struct client_version client;
    struct api_version *server;
};
static const struct field both_versions_rows[] = {
    FIELD(struct both_versions, client, "Client", F_OBJ, .sub = &client_version_fields),
    FIELD(struct both_versions, server, "Server", F_OBJPTR, .sub = &api_version_fields),
};
static const struct fields both_versions_fields = {"both_versions", sizeof(struct both_versions),
                                                   both_versions_rows,
                                                   ARRAY_LEN(both_versions_rows)};

static const char *machine(struct arena *a) {
    struct utsname u;
    uname(&u);
    return !strcmp(u.machine, "x86_64")    ? "amd64"
           : !strcmp(u.machine, "aarch64") ? "arm64"
                                           : arena_strz(a, u.machine);
}

static void version_text(const struct both_versions *v) {
    const struct client_version *c = &v->client;
    const struct api_version *s = v->server;
    printf("Client: corten\n Version:           %s\n API version:       %s\n OS/Arch:           "
           "%s/%s\n Context:           %s\n",
           c->version, c->api, c->os, c->arch, c->context);
    if (!s)
        return;
    printf(
        "\nServer: %s\n Engine:\n  Version:          %s\n  API version:      %s (minimum version "
        "%s)\n",
        s->platform.name && *s->platform.name ? s->platform.name : "corten", s->version,
        s->api_version, s->min_api_version);
    if (s->git_commit && *s->git_commit)
        printf("  Git commit:       %s\n", s->git_commit);
    if (s->build_time && *s->build_time)
        printf("  Built:            %s\n", s->build_time);
    printf("  OS/Arch:          %s/%s\n  Kernel:           %s\n  Experimental:     %s\n", s->os,
           s->arch, s->kernel_version, s->experimental ? "true" : "false");
    const struct api_component *k = s->components.items;
    for (size_t i = 0; i < s->components.n; i++)
        if (strcmp(k[i].name, "Engine") != 0)
            printf(" %s:\n  Version:          %s\n", k[i].name, k[i].version);
}

static int version_run(struct invocation *in) {
    const struct format_options *o = in->options;
    struct api_version server = {0};
    struct both_versions v = {
        .client = {.version = (char *)CORTEN_VERSION,
                   .api = arena_printf(&in->arena, "1.%d", CLIENT_MINOR),
                   .default_api = arena_printf(&in->arena, "1.%d", CLIENT_MINOR),
                   .os = (char *)"linux",
                   .arch = (char *)machine(&in->arena),
                   .context = (char *)in->context}};
    CLEAN_CLIENT struct client *c = NULL;
    CLEAN_BUF struct buf json = {0}, out = {0};
    struct err e = client_open(in->host, &c);
    if (!err_failed(e)) {
        v.client.api = arena_printf(&in->arena, "1.%d", client_minor(c));
        e = client_version(c, &in->arena, &server);
        v.server = err_failed(e) ? NULL : &server;
    }
    if (o->format && *o->format) {
        fields_print(&both_versions_fields, &v, &json);
        struct err bad = document_print(o->format, buf_str(&json), &both_versions_fields, &out);
        int status = template_status(bad);
        /* What a template prints until it fails, and the end of the line, as the peer. */
        printf("%s%s", buf_cstr(&out), err_failed(bad) && status == 1 ? "\n" : "");
        if (err_failed(bad)) {
            err_free(e);
            return cli_fail(bad, status);
        }
    } else {
        version_text(&v);
    }
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

/* --- info ------------------------------------------------------------------------------------- */

static void line(const char *name, const char *value) {
    if (value && *value)
        printf(" %s: %s\n", name, value);
}

static void words(const char *name, const struct strs *v) {
    if (v->n == 0)
        return;
    printf("  %s:", name);
    for (size_t i = 0; i < v->n; i++)
        printf(" %s", v->items[i]);
    printf("\n");
}

static void info_text(const struct api_info *i, const char *context) {
    CLEAN_BUF struct buf memory = {0};
    human_bytes_binary((double)i->mem_total, 4, &memory);
    printf("Client: corten\n Version:    %s\n Context:    %s\n Debug Mode: false\n\nServer:\n",
           CORTEN_VERSION, context);
    printf(" Containers: %lld\n  Running: %lld\n  Paused: %lld\n  Stopped: %lld\n Images: %lld\n",
           (long long)i->containers, (long long)i->containers_running,
           (long long)i->containers_paused, (long long)i->containers_stopped, (long long)i->images);
    line("Server Version", i->server_version);
    line("Storage Driver", i->driver);
    const struct strs *status = i->driver_status.items;
    for (size_t k = 0; k < i->driver_status.n; k++)
        if (status[k].n == 2)
            printf("  %s: %s\n", status[k].items[0], status[k].items[1]);
    line("Logging Driver", i->logging_driver);
    line("Cgroup Driver", i->cgroup_driver);
    line("Cgroup Version", i->cgroup_version);
    printf(" Plugins:\n");
    words("Volume", &i->plugins.volume);
    words("Network", &i->plugins.network);
    words("Log", &i->plugins.log);
    printf(" Swarm: %s\n", i->swarm.local_node_state ? i->swarm.local_node_state : "inactive");
    line("Default Runtime", i->default_runtime);
    line("Init Binary", i->init_binary);
    if (i->security_options.n)
        printf(" Security Options:\n");
    for (size_t k = 0; k < i->security_options.n; k++)
        printf("  %s\n", i->security_options.items[k]);
    line("Kernel Version", i->kernel_version);
    line("Operating System", i->operating_system);
    line("OSType", i->os_type);
    line("Architecture", i->architecture);
    printf(" CPUs: %lld\n Total Memory: %s\n", (long long)i->n_cpu, buf_cstr(&memory));
    line("Name", i->name);
    line("ID", i->id);
    line("Docker Root Dir", i->docker_root_dir);
    printf(" Debug Mode: %s\n", i->debug ? "true" : "false");
    line("HTTP Proxy", i->http_proxy);
    line("HTTPS Proxy", i->https_proxy);
    line("No Proxy", i->no_proxy);
    printf(" Live Restore Enabled: %s\n", i->live_restore_enabled ? "true" : "false");
}

static int info_run(struct invocation *in) {
    const struct format_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf raw = {0}, out = {0};
    struct api_info i = {0};
    if (!c)
        return 1;
    TRYF_STATUS(cli_get_raw(c, "/info", &raw));
    TRYF_STATUS(fields_decode(&api_info_fields, buf_str(&raw), &in->arena, &i));
    if (o->format && *o->format) {
        CLEAN_BUF struct buf json = {0};
        struct json_out jo = {.out = &json, .comma = true};
        struct str s = str_trim(buf_str(&raw));
        buf_add_str(&json, str_sub(s, 0, s.len - 1));
        jo_key(&jo, "ClientInfo");
        jo_obj(&jo);
        jo_kbool(&jo, "Debug", false);
        jo_kstr(&jo, "Version", CORTEN_VERSION);
        jo_kstr(&jo, "Context", in->context);
        jo_obj_end(&jo);
        jo_obj_end(&jo);
        struct err e = document_print(o->format, buf_str(&json), &api_info_fields, &out);
        int status = template_status(e);
        printf("%s%s", buf_cstr(&out), err_failed(e) && status == 1 ? "\n" : "");
        return err_failed(e) ? cli_fail(e, status) : 0;
    }
    info_text(&i, in->context);
    fflush(stdout);
    for (size_t k = 0; k < i.warnings.n; k++)
        fprintf(stderr, "%s\n", i.warnings.items[k]);
    return 0;
}

/* --- events ----------------------------------------------------------------------------------- */

static const struct option_row events_rows[] = {
    FILTER(struct format_options, filter),
    FORMAT(struct format_options, format),
    TEXT(struct format_options, since, 0, "since", "TIME", "From then on (a time, or '10m' ago)"),
    TEXT(struct format_options, until, 0, "until", "TIME", "Until then"),
};

static int compare_pairs(const void *a, const void *b) {
    return strcmp(((const struct strpair *)a)->key, ((const struct strpair *)b)->key);
}

static void event_text(struct api_event *e, struct buf *out) {
    char text[64], zone[16];
    struct tm tm;
    time_t t = (time_t)(e->time_nano ? e->time_nano / NSEC_PER_SEC : e->time);
    localtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm);
    bool utc = tm.tm_gmtoff == 0;
    buf_addf(out, "%s.%09lld%s%.*s%s%s %s %s %s", text, (long long)(e->time_nano % NSEC_PER_SEC),
             utc ? "Z" : "", utc ? 0 : 3, zone, utc ? "" : ":", utc ? "" : zone + 3, e->type,
             e->action, e->actor.id);
    struct strmap *m = &e->actor.attributes;
    if (m->n)
        qsort(m->items, m->n, sizeof *m->items, compare_pairs);
    for (size_t i = 0; i < m->n; i++)
        buf_addf(out, "%s%s=%s", i ? ", " : " (", m->items[i].key, m->items[i].value);
    buf_adds(out, m->n ? ")\n" : "\n");
}

static struct err event_line(void *arg, struct str text) {
    const char *format = arg;
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_event e = {0};
    if (format && *format) {
        TRY(document_print(format, text, &api_event_fields, &out));
    } else {
        TRYF(fields_decode(&api_event_fields, text, &a, &e), "corten: an event");
        event_text(&e, &out);
    }
    fwrite(buf_cstr(&out), 1, out.len, stdout);
    return fflush(stdout) == 0 ? OK : err_errno(errno, "corten: write to standard output");
}

/* A date, or a date and a time without a zone, is ours; anything else is left to the daemon. */
static char *local_time(const char *text, struct arena *a) {
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H",
                                        "%Y-%m-%d"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm t = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &t);
        if (end && !*end && text[0] >= '0' && text[0] <= '9')
            return arena_printf(a, "%lld", (long long)mktime(&t));
    }
    return arena_strz(a, text);
}

/* The API takes times; "10m" is so long ago. */
char *cli_time_option(const char *text, struct arena *a) {
    int64_t ns;
    if (!text)
        return NULL;
    struct err e = duration_parse(str_of(text), &ns);
    bool bare = strspn(text, "0123456789.") == strlen(text);
    if (err_failed(e) || bare) {
        err_free(e);
        return local_time(text, a);
    }
    int64_t t = time_now() - ns;
    return arena_printf(a, "%lld.%09lld", (long long)(t / NSEC_PER_SEC),
                        (long long)(t % NSEC_PER_SEC));
}

static int events_run(struct invocation *in) {
    const struct format_options *o = in->options;
    CLEAN_CLIENT struct client *c = NULL;
    CLEAN_BUF struct buf target = {0};
    struct template *t = NULL;
    if (o->format && strcmp(o->format, "json") != 0) {
        TRYF_STATUS(err_wrap(template_parse("", str_of(o->format), NULL, 0, &t),
                             "corten: failed to parse template"));
        template_free(t);
    }
    if (!(c = cli_connect(in)))
        return 1;
    buf_adds(&target, "/events");
    client_query(&target, "since", cli_time_option(o->since, &in->arena));
    client_query(&target, "until", cli_time_option(o->until, &in->arena));
    TRYF_STATUS(filter_query(&o->filter, &target));
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    TRYF_STATUS(client_begin(c, &call));
    TRYF_STATUS(client_lines(c, event_line, (void *)o->format));
    return 0;
}

const struct command command_version = {.name = "version",
                                        .usage = "version [OPTIONS]",
                                        .summary = "Show the versions of client and daemon",
                                        OPTIONS_OF(format_rows, struct format_options),
                                        .run = version_run};
const struct command command_info = {.name = "info",
                                     .alias = "system info",
                                     .usage = "info [OPTIONS]",
                                     .summary = "Show what the daemon says about itself",
                                     OPTIONS_OF(format_rows, struct format_options),
                                     .run = info_run};
const struct command command_events = {
    .name = "events",
    .alias = "system events",
    .usage = "events [OPTIONS]",
    .summary = "Show what happens, as it happens",
    .examples = "corten events --since 1h -f type=container\tcontainers, since an hour ago\n"
                "corten events --format '{{.Action}} {{.Actor.ID}}'\tby a template",
    OPTIONS_OF(events_rows, struct format_options),
    .run = events_run};
