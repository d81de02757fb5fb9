/* commands.h - the list of every command: one line each, X(NAME) for `command_NAME`. Private to
 * cli/. */
#pragma once
#include "cli/command.h"
#include "spec/api_volume.h"

#define CLI_COMMANDS(X)   \
    X(attach)             \
    X(backup)             \
    X(build)              \
    X(call)               \
    X(checkpoint_create)  \
    X(checkpoint_ls)      \
    X(checkpoint_rm)      \
    X(container_inspect)  \
    X(create)             \
    X(debug)              \
    X(debug_tree)         \
    X(events)             \
    X(examine)            \
    X(exec)               \
    X(generate_systemd)   \
    X(image_explain)      \
    X(history)            \
    X(image_ancestry)     \
    X(image_attestation)  \
    X(image_inspect)      \
    X(images)             \
    X(import)             \
    X(info)               \
    X(inspect)            \
    X(kill)               \
    X(load)               \
    X(manifest_annotate)  \
    X(manifest_create)    \
    X(manifest_push)      \
    X(manifest_rm)        \
    X(manifest_inspect)   \
    X(metadata)           \
    X(methods)            \
    X(monitor)            \
    X(plugin_create)      \
    X(plugin_disable)     \
    X(plugin_enable)      \
    X(plugin_inspect)     \
    X(plugin_install)     \
    X(plugin_ls)          \
    X(plugin_push)        \
    X(plugin_rm)          \
    X(plugin_set)         \
    X(plugin_upgrade)     \
    X(logs)               \
    X(network_connect)    \
    X(network_create)     \
    X(network_disconnect) \
    X(network_inspect)    \
    X(network_ls)         \
    X(network_rm)         \
    X(network_stats)      \
    X(pause)              \
    X(ps)                 \
    X(pull)               \
    X(push)               \
    X(rebuild)            \
    X(rename)             \
    X(restart)            \
    X(rm)                 \
    X(rmi)                \
    X(run)                \
    X(save)               \
    X(start)              \
    X(stop)               \
    X(system_backup)      \
    X(system_check)       \
    X(system_df)          \
    X(system_gc)          \
    X(system_import)      \
    X(image_squash)       \
    X(image_referrers)    \
    X(tag)                \
    X(unpause)            \
    X(validate)           \
    X(version)            \
    X(volume_create)      \
    X(volume_export)      \
    X(volume_import)      \
    X(volume_inspect)     \
    X(volume_ls)          \
    X(volume_rename)      \
    X(volume_rm)          \
    X(volume_snapshot)    \
    X(volume_update)      \
    X(builder_export)     \
    X(builder_import)     \
    X(builder_ls)         \
    X(builder_prune)      \
    X(commit)             \
    X(container_prune)    \
    X(context_create)     \
    X(context_export)     \
    X(context_import)     \
    X(context_inspect)    \
    X(context_ls)         \
    X(context_rm)         \
    X(context_show)       \
    X(context_update)     \
    X(context_use)        \
    X(cp)                 \
    X(diff)               \
    X(dial_stdio)         \
    X(export)             \
    X(image_prune)        \
    X(login)              \
    X(logout)             \
    X(network_prune)      \
    X(port)               \
    X(search)             \
    X(stats)              \
    X(system_prune)       \
    X(top)                \
    X(update)             \
    X(volume_prune)       \
    X(completion)         \
    X(complete)           \
    X(docs)               \
    X(wait)               \
    X(webhook_create)     \
    X(webhook_rm)         \
    X(why_cache)          \
    X(why_dead)           \
    X(why_disk)           \
    X(why_name)           \
    X(why_unreachable)

#define CLI_DECLARE(name) extern const struct command command_##name;
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

/* names.c: all of a kind: "container", "image", "network", "volume"; of any other kind none. */
struct err cli_names(struct client *c, const char *kind, struct arena *a, struct strs *ret);
/* After a command that failed: says which name was meant where an argument is none that is known.
 * Asks local daemons only. */
void cli_suggest(struct invocation *in);
/* df.c */
struct err cli_disk_usage(struct client *c, struct arena *a, struct api_disk_usage *ret);

/* volume.c */
extern const struct template_type cli_volume_type;
/* KEY=VALUE texts into a map. */
void cli_pairs(const struct strv *from, struct strmap *to, struct arena *a);
