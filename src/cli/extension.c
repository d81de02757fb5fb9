/* extension.c - programs named corten-WORD or docker-WORD as commands, and the peer's words that we
 * refuse. */
#include "cli/extension.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_word(const char *word) {
    return *word && strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(word);
}

static char *in_dir(struct str dir, const char *word) {
    static const char *const prefixes[] = {"corten", "docker"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        char *path = mem_printf("%.*s/%s-%s", STR_ARG(dir), prefixes[i], word);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static char *find(const struct globals *g, const char *word) {
    static const char *const dirs[] = {
        "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
        "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins"};
    CLEAN_FREE char *own = mem_printf("%s/cli-plugins", g->config.dir);
    struct json *extra = json_get(g->config.root, "cliPluginsExtraDirs");
    char *path = in_dir(str_of(own), word);
    for (size_t i = 0; !path && i < json_len(extra); i++)
        path = in_dir(json_str(json_at(extra, i)), word);
    for (size_t i = 0; !path && i < ARRAY_LEN(dirs); i++)
        path = in_dir(str_of(dirs[i]), word);
    return path;
}

struct err extension_run(struct globals *g, const char *word, char **argv) {
    CLEAN_ARENA struct arena a = {0};
    const char *host;
    CLEAN_FREE char *path = is_word(word) ? find(g, word) : NULL;
    if (!path)
        return OK;
    TRY(host_find(g, &a, &host));
    /* What --host, --context and the environment say, it reads itself; ours it cannot know. */
    if (!g->host && !strcmp(context_current(g, &a), "default") && strncmp(host, "tls://", 6) != 0)
        setenv("DOCKER_HOST", host, 1);
    setenv("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", argv[0], 1);
    argv[0] = path;
    execv(path, argv);
    return err_errno(errno, "corten: start %s", path);
}

const char *extension_refused(const char *word) {
    static const struct {
        const char *word, *why;
    } words[] = {
        {"config", "there is no Swarm mode"},
        {"node", "there is no Swarm mode"},
        {"secret", "there is no Swarm mode ('corten build --secret' has secrets of builds)"},
        {"service", "there is no Swarm mode"},
        {"stack", "there is no Swarm mode"},
        {"swarm", "there is no Swarm mode"},
        {"trust", "there is no notary"},
        {"buildx", "'corten build' has what it does; the program docker-buildx is not installed"},
        {"bake", "'corten build' builds; the program docker-bake is not installed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i].word, word))
            return words[i].why;
    return NULL;
}
