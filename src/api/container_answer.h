/* container_answer.h - answers that show containers. Private to api/.
 *
 * Containers may have tens of thousands of ports, which take longer to print than the loop may be
 * held (95 ms for 40,000). All else is printed at once, with holes where these belong; a job on the
 * pool fills them, from a copy of the mappings and from what a pin of the container keeps. Loop
 * thread, but for that. Test: test/e2e/t3520-inspect-many-ports.sh.
 */
#pragma once
#include "api/call.h"

struct container_answer;
struct container_answer *container_answer_new(struct api_call *c);
/* Appends one; size NULL: not measured. */
void container_answer_inspect(struct container_answer *w, struct container *k,
                              const struct container_size *size);
void container_answer_summary(struct container_answer *w, struct container *k,
                              const struct container_size *size, struct json_out *jo);
struct buf *container_answer_text(struct container_answer *w);
/* Ends the call, perhaps later. */
void container_answer_send(struct container_answer *w);
