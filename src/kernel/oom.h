/* kernel/oom.h - who is ended first when memory is short: proc(5), oom_score_adj.
 *
 * Every process inherits the score of who made it. The daemon, the monitors and what answers names
 * stay low, so that a container is the victim before who looks after it; what parses foreign bytes
 * goes back to where an ordinary program is. Keeps no state; any thread. A container's own score is
 * runtime/'s business. Tests: test/kernel/spawn.c, test/e2e/t0321-own-cgroup.sh.
 */
#pragma once

#define OOM_SCORE_KEEPER (-500) /* as the service's unit says */

/* Lowering it needs CAP_SYS_RESOURCE; without it the score stays, and a container's memory is the
 * better victim all the same. */
void oom_score_keep(void);
/* No lower than 0. */
void oom_score_ordinary(void);
