/* What this engine does not do, told as an engine that is in no swarm and has no managed plugins
 * tells it; and what is refused until corten has it. */
#include "api/handlers.h"

void api_no_swarm(struct api_call *c) {
    api_reply_err(c, err_new(ERR_UNAVAILABLE,
                             "This node is not a swarm manager. Use \"docker swarm init\" or "
                             "\"docker swarm join\" to connect this node to swarm and try again."));
}

void api_swarm_unsupported(struct api_call *c) {
    api_reply_err(c, err_new(ERR_UNSUPPORTED, "Swarm mode is not supported"));
}

void api_swarm_leave(struct api_call *c) {
    api_reply_err(c, err_new(ERR_UNAVAILABLE, "This node is not part of a swarm"));
}

/* There are none, and that is a complete answer. */
void api_plugin_list(struct api_call *c) {
    api_reply_json(c, 200, STR("[]\n"));
}

void api_plugin_unknown(struct api_call *c) {
    api_reply_err(c, err_new(ERR_NOT_FOUND, "plugin \"%s\" not found", c->arg[0]));
}

void api_plugin_unsupported(struct api_call *c) {
    api_reply_err(c, err_new(ERR_UNSUPPORTED, "managed plugins are not supported"));
}

void api_session_unsupported(struct api_call *c) {
    api_reply_err(c, err_new(ERR_UNSUPPORTED, "BuildKit sessions (POST /session, POST /grpc) are "
                                              "not supported: build with the classic builder"));
}

void api_checkpoint_unsupported(struct api_call *c) {
    api_reply_err(c, err_new(ERR_UNSUPPORTED, "checkpoints are not supported"));
}
