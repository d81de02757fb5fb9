/* sampler.h - what containers use, measured twice. Private to cli/. */
#pragma once
#include "cli/command.h"

#define SAMPLE_ROUNDS 120 /* that are remembered */

enum sample_track { TRACK_CPU, TRACK_MEMORY, TRACK_NET, TRACK_DISK, TRACK_PRESSURE, TRACKS };
enum sample_health { HEALTH_NONE, HEALTH_HEALTHY, HEALTH_STARTING, HEALTH_UNHEALTHY };
enum sample_pressure { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURES };

struct sample {
    char *id, *name;
    int64_t taken;        /* monotonic; 0: never */
    uint64_t cpu, system; /* ns since ever */
    uint64_t rx, tx, read, written;
    uint64_t used, limit; /* memory, without what the kernel can drop */
    uint64_t pids;
    uint32_t cpus;
    double cpu_percent;         /* of one CPU, since the sample before; -1: not known yet */
    double net_rate, disk_rate; /* bytes per second, both directions */
    double pressure[PRESSURES]; /* some, last 10 s, per cent; -1: the kernel does not tell */
    bool fresh;                 /* measured in this round */
    float track[TRACKS][SAMPLE_ROUNDS]; /* per cent of a CPU, bytes, bytes/s, bytes/s, per cent (the
                                           worst); the newest last */
    const char *status, *image;         /* status: without the health */
    enum sample_health health;
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
