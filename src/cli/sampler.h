/* sampler.h - what containers use, measured twice. Private to cli/. */
#pragma once
#include "cli/command.h"

#define SAMPLE_TREND 12 /* rounds that are remembered */

struct sample {
    char *id, *name;
    uint64_t cpu, system; /* ns since ever */
    uint64_t rx, tx, read, written;
    uint64_t used, limit; /* memory, without what the kernel can drop */
    uint64_t pids;
    uint32_t cpus;
    double cpu_percent;        /* of one CPU, since the sample before; -1: not known yet */
    bool fresh;                /* measured in this round */
    float trend[SAMPLE_TREND]; /* cpu_percent of the last rounds, the newest last */
    const char *status, *image;
};
struct sampler {
    struct client *client;
    struct arena arena; /* of the names; grows with the containers that were ever seen */
    VEC(struct sample) samples;
};
/* Those that are named (and exist), or those that run (all: every one). A named one that is not
 * there is an error. Marks what is gone as not fresh. */
struct err sampler_list(struct sampler *s, char **names, int n, bool all);
/* Measures each that is fresh. */
struct err sampler_take(struct sampler *s);
void sampler_done(struct sampler *s);
/* Between two rounds. */
void sampler_pause(int milliseconds);
