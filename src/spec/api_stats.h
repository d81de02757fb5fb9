/* spec/api_stats.h - GET /containers/{id}/stats: usage of a container at one moment, with the
 * sample before it. Source: Engine API 1.51 (ContainerStatsResponse). Times in nanoseconds, sizes
 * in bytes.
 */
#pragma once
#include "spec/fields.h"

struct api_throttling {
    uint64_t periods;
    uint64_t throttled_periods;
    uint64_t throttled_time;
};
extern const struct fields api_throttling_fields;

struct api_cpu_usage {
    uint64_t total;
    struct u64s percpu; /* cgroup v1 only */
    uint64_t kernel;
    uint64_t user;
};
extern const struct fields api_cpu_usage_fields;

struct api_cpu_stats {
    struct api_cpu_usage usage;
    uint64_t system_usage;
    uint32_t online_cpus;
    struct api_throttling throttling;
};
extern const struct fields api_cpu_stats_fields;

struct api_memory_stats {
    uint64_t usage;
    uint64_t max_usage;  /* cgroup v1 only */
    struct u64map stats; /* memory.stat as it is */
    uint64_t failcnt;    /* cgroup v1 only */
    uint64_t limit;
};
extern const struct fields api_memory_stats_fields;

struct api_blkio_entry {
    uint64_t major;
    uint64_t minor;
    char *op;
    uint64_t value;
};
extern const struct fields api_blkio_entry_fields;

struct api_blkio_stats {
    struct objs service_bytes; /* struct api_blkio_entry */
    struct objs serviced;      /* struct api_blkio_entry */
    struct objs queue;         /* struct api_blkio_entry */
    struct objs service_time;  /* struct api_blkio_entry */
    struct objs wait_time;     /* struct api_blkio_entry */
    struct objs merged;        /* struct api_blkio_entry */
    struct objs time;          /* struct api_blkio_entry */
    struct objs sectors;       /* struct api_blkio_entry */
};
extern const struct fields api_blkio_stats_fields;

struct api_network_stats {
    uint64_t rx_bytes;
    uint64_t rx_packets;
    uint64_t rx_errors;
    uint64_t rx_dropped;
    uint64_t tx_bytes;
    uint64_t tx_packets;
    uint64_t tx_errors;
    uint64_t tx_dropped;
};
extern const struct fields api_network_stats_fields;

struct api_pids_stats {
    uint64_t current;
    uint64_t limit;
};
extern const struct fields api_pids_stats_fields;

struct api_storage_stats {
    uint64_t read_count;
    uint64_t read_bytes;
    uint64_t write_count;
    uint64_t write_bytes;
};
extern const struct fields api_storage_stats_fields;

/* How long tasks waited for a resource: shares of the last 10, 60 and 300 seconds in per cent, and
 * microseconds since the container's begin (the kernel's Documentation/accounting/psi.rst). */
struct api_pressure_share {
    double avg10, avg60, avg300;
    uint64_t total;
};
extern const struct fields api_pressure_share_fields;
struct api_pressure {
    struct api_pressure_share some, full; /* at least one task; all of them */
};
extern const struct fields api_pressure_fields;
struct api_pressure_stats {
    struct api_pressure *cpu, *memory, *io;
};
extern const struct fields api_pressure_stats_fields;

struct api_stats {
    char *name; /* with a leading slash */
    char *id;
    int64_t read;
    int64_t preread;
    struct api_pids_stats pids;
    struct api_blkio_stats blkio;
    uint32_t num_procs;
    struct api_storage_stats storage;
    struct api_cpu_stats cpu;
    struct api_cpu_stats precpu;
    struct api_memory_stats memory;
    struct objmap networks; /* struct api_network_stats; by interface */
    struct api_pressure_stats *pressure; /* ours; NULL: the kernel does not tell */
};
extern const struct fields api_stats_fields;
