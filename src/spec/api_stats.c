#include "spec/api_stats.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_throttling, member, name, kind, ##__VA_ARGS__)
FIELDS(api_throttling_fields, struct api_throttling,
       F(periods, "periods", F_U64),
       F(throttled_periods, "throttled_periods", F_U64),
       F(throttled_time, "throttled_time", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_cpu_usage, member, name, kind, ##__VA_ARGS__)
FIELDS(api_cpu_usage_fields, struct api_cpu_usage,
       F(total, "total_usage", F_U64),
       F(percpu, "percpu_usage", F_U64S, .flags = OMIT_EMPTY),
       F(kernel, "usage_in_kernelmode", F_U64),
       F(user, "usage_in_usermode", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_cpu_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_cpu_stats_fields, struct api_cpu_stats,
       F(usage, "cpu_usage", F_OBJ, .sub = &api_cpu_usage_fields),
       F(system_usage, "system_cpu_usage", F_U64, .flags = OMIT_EMPTY),
       F(online_cpus, "online_cpus", F_U32, .flags = OMIT_EMPTY),
       F(throttling, "throttling_data", F_OBJ, .sub = &api_throttling_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_memory_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_memory_stats_fields, struct api_memory_stats,
       F(usage, "usage", F_U64, .flags = OMIT_EMPTY),
       F(max_usage, "max_usage", F_U64, .flags = OMIT_EMPTY),
       F(stats, "stats", F_U64MAP, .flags = OMIT_EMPTY),
       F(failcnt, "failcnt", F_U64, .flags = OMIT_EMPTY),
       F(limit, "limit", F_U64, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_blkio_entry, member, name, kind, ##__VA_ARGS__)
FIELDS(api_blkio_entry_fields, struct api_blkio_entry,
       F(major, "major", F_U64),
       F(minor, "minor", F_U64),
       F(op, "op", F_STR),
       F(value, "value", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_blkio_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_blkio_stats_fields, struct api_blkio_stats,
       F(service_bytes, "io_service_bytes_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields),
       F(serviced, "io_serviced_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields),
       F(queue, "io_queue_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields),
       F(service_time, "io_service_time_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields),
       F(wait_time, "io_wait_time_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields),
       F(merged, "io_merged_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields),
       F(time, "io_time_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields),
       F(sectors, "sectors_recursive", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_entry_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_stats_fields, struct api_network_stats,
       F(rx_bytes, "rx_bytes", F_U64),
       F(rx_packets, "rx_packets", F_U64),
       F(rx_errors, "rx_errors", F_U64),
       F(rx_dropped, "rx_dropped", F_U64),
       F(tx_bytes, "tx_bytes", F_U64),
       F(tx_packets, "tx_packets", F_U64),
       F(tx_errors, "tx_errors", F_U64),
       F(tx_dropped, "tx_dropped", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_pids_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_pids_stats_fields, struct api_pids_stats,
       F(current, "current", F_U64, .flags = OMIT_EMPTY),
       F(limit, "limit", F_U64, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_storage_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_storage_stats_fields, struct api_storage_stats,
       F(read_count, "read_count_normalized", F_U64, .flags = OMIT_EMPTY),
       F(read_bytes, "read_size_bytes", F_U64, .flags = OMIT_EMPTY),
       F(write_count, "write_count_normalized", F_U64, .flags = OMIT_EMPTY),
       F(write_bytes, "write_size_bytes", F_U64, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_pressure_share, member, name, kind, ##__VA_ARGS__)
FIELDS(api_pressure_share_fields, struct api_pressure_share,
       F(avg10, "avg10", F_DOUBLE),
       F(avg60, "avg60", F_DOUBLE),
       F(avg300, "avg300", F_DOUBLE),
       F(total, "total", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_pressure, member, name, kind, ##__VA_ARGS__)
FIELDS(api_pressure_fields, struct api_pressure,
       F(some, "some", F_OBJ, .sub = &api_pressure_share_fields),
       F(full, "full", F_OBJ, .sub = &api_pressure_share_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_pressure_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_pressure_stats_fields, struct api_pressure_stats,
       F(cpu, "cpu", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_pressure_fields),
       F(memory, "memory", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_pressure_fields),
       F(io, "io", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_pressure_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_stats, member, name, kind, ##__VA_ARGS__)
FIELDS(api_stats_fields, struct api_stats,
       F(name, "name", F_STR, .flags = OMIT_EMPTY),
       F(id, "id", F_STR, .flags = OMIT_EMPTY),
       F(read, "read", F_TIME),
       F(preread, "preread", F_TIME),
       F(pids, "pids_stats", F_OBJ, .sub = &api_pids_stats_fields),
       F(blkio, "blkio_stats", F_OBJ, .sub = &api_blkio_stats_fields),
       F(num_procs, "num_procs", F_U32),
       F(storage, "storage_stats", F_OBJ, .sub = &api_storage_stats_fields),
       F(cpu, "cpu_stats", F_OBJ, .sub = &api_cpu_stats_fields),
       F(precpu, "precpu_stats", F_OBJ, .sub = &api_cpu_stats_fields),
       F(memory, "memory_stats", F_OBJ, .sub = &api_memory_stats_fields),
       F(networks, "networks", F_OBJMAP, .flags = OMIT_EMPTY, .sub = &api_network_stats_fields),
       F(pressure, "pressure_stats", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_pressure_stats_fields));
#undef F
