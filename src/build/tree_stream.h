/* build/tree_stream.h - sources of bytes as archive streams. Private to build/. */
#pragma once
#include "archive/stream.h"
#include "build/layer.h"
#include "client/client.h"
#include "http/body.h"

/* The body of the answer that the client is reading (borrowed). */
struct stream *tree_stream(struct client *c);
/* A layer's tar (borrowed); after a failure layer_reader_error says why. */
struct stream *layer_stream(struct layer_reader *r);
