/* peer_options.h - commands and options of the docker command line 28.5, Swarm and bake left out:
 * "NAME: OPTION[/LETTER]…". Made from its reference pages. */
#pragma once

// clang-format off
static const char *const peer_options[] = {
    "attach: detach-keys no-stdin sig-proxy",
    "build: add-host build-arg cache-from cgroup-parent compress cpu-period cpu-quota "
    "cpu-shares/c cpuset-cpus cpuset-mems disable-content-trust file/f force-rm "
    "iidfile isolation label memory/m memory-swap network no-cache platform pull "
    "quiet/q rm security-opt shm-size tag/t target ulimit squash",
    "builder build: add-host build-arg cache-from cgroup-parent compress cpu-period "
    "cpu-quota cpu-shares/c cpuset-cpus cpuset-mems disable-content-trust file/f "
    "force-rm iidfile isolation label memory/m memory-swap network no-cache platform "
    "pull quiet/q rm security-opt shm-size tag/t target ulimit squash",
    "builder prune: all/a filter force/f keep-storage",
    "checkpoint create: checkpoint-dir leave-running",
    "checkpoint list: checkpoint-dir",
    "checkpoint ls: checkpoint-dir",
    "checkpoint remove: checkpoint-dir",
    "checkpoint rm: checkpoint-dir",
    "commit: author/a change/c message/m pause/p",
    "container attach: detach-keys no-stdin sig-proxy",
    "container commit: author/a change/c message/m pause/p",
    "container cp: archive/a follow-link/L quiet/q",
    "container create: add-host annotation attach/a blkio-weight blkio-weight-device "
    "cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period "
    "cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems "
    "device device-cgroup-rule device-read-bps device-read-iops device-write-bps "
    "device-write-iops disable-content-trust dns dns-option dns-search domainname "
    "entrypoint env/e env-file expose gpus group-add health-cmd health-interval "
    "health-retries health-start-interval health-start-period health-timeout "
    "hostname/h init interactive/i io-maxbandwidth io-maxiops ip ip6 ipc isolation "
    "kernel-memory label/l label-file link link-local-ip log-driver log-opt "
    "mac-address memory/m memory-reservation memory-swap memory-swappiness mount name "
    "network network-alias no-healthcheck oom-kill-disable oom-score-adj pid "
    "pids-limit platform privileged publish/p publish-all/P pull quiet/q read-only "
    "restart rm runtime security-opt shm-size stop-signal stop-timeout storage-opt "
    "sysctl tmpfs tty/t ulimit use-api-socket user/u userns uts volume/v "
    "volume-driver volumes-from workdir/w",
    "container diff:",
    "container exec: detach/d detach-keys env/e env-file interactive/i privileged "
    "tty/t user/u workdir/w",
    "container export: output/o",
    "container inspect: format/f size/s",
    "container kill: signal/s",
    "container list: all/a filter/f format last/n latest/l no-trunc quiet/q size/s",
    "container logs: details follow/f since tail/n timestamps/t until",
    "container ls: all/a filter/f format last/n latest/l no-trunc quiet/q size/s",
    "container pause:",
    "container port:",
    "container prune: filter force/f",
    "container ps: all/a filter/f format last/n latest/l no-trunc quiet/q size/s",
    "container remove: force/f link/l volumes/v",
    "container rename:",
    "container restart: signal/s timeout/t",
    "container rm: force/f link/l volumes/v",
    "container run: add-host annotation attach/a blkio-weight blkio-weight-device "
    "cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period "
    "cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems "
    "device device-cgroup-rule device-read-bps device-read-iops device-write-bps "
    "device-write-iops disable-content-trust dns dns-option dns-search domainname "
    "entrypoint env/e env-file expose gpus group-add health-cmd health-interval "
    "health-retries health-start-interval health-start-period health-timeout "
    "hostname/h init interactive/i io-maxbandwidth io-maxiops ip ip6 ipc isolation "
    "kernel-memory label/l label-file link link-local-ip log-driver log-opt "
    "mac-address memory/m memory-reservation memory-swap memory-swappiness mount name "
    "network network-alias no-healthcheck oom-kill-disable oom-score-adj pid "
    "pids-limit platform privileged publish/p publish-all/P pull quiet/q read-only "
    "restart rm runtime security-opt shm-size stop-signal stop-timeout storage-opt "
    "sysctl tmpfs tty/t ulimit use-api-socket user/u userns uts volume/v "
    "volume-driver volumes-from workdir/w detach/d detach-keys sig-proxy",
    "container start: attach/a checkpoint checkpoint-dir detach-keys interactive/i",
    "container stats: all/a format no-stream no-trunc",
    "container stop: signal/s timeout/t",
    "container top:",
    "container unpause:",
    "container update: blkio-weight cpu-period cpu-quota cpu-rt-period cpu-rt-runtime "
    "cpu-shares/c cpus cpuset-cpus cpuset-mems memory/m memory-reservation "
    "memory-swap pids-limit restart",
    "container wait:",
    "context create: description docker from",
    "context export:",
    "context import:",
    "context inspect: format/f",
    "context list: format quiet/q",
    "context ls: format quiet/q",
    "context remove: force/f",
    "context rm: force/f",
    "context show:",
    "context update: description docker",
    "context use:",
    "cp: archive/a follow-link/L quiet/q",
    "create: add-host annotation attach/a blkio-weight blkio-weight-device cap-add "
    "cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period "
    "cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems "
    "device device-cgroup-rule device-read-bps device-read-iops device-write-bps "
    "device-write-iops disable-content-trust dns dns-option dns-search domainname "
    "entrypoint env/e env-file expose gpus group-add health-cmd health-interval "
    "health-retries health-start-interval health-start-period health-timeout "
    "hostname/h init interactive/i io-maxbandwidth io-maxiops ip ip6 ipc isolation "
    "kernel-memory label/l label-file link link-local-ip log-driver log-opt "
    "mac-address memory/m memory-reservation memory-swap memory-swappiness mount name "
    "network network-alias no-healthcheck oom-kill-disable oom-score-adj pid "
    "pids-limit platform privileged publish/p publish-all/P pull quiet/q read-only "
    "restart rm runtime security-opt shm-size stop-signal stop-timeout storage-opt "
    "sysctl tmpfs tty/t ulimit use-api-socket user/u userns uts volume/v "
    "volume-driver volumes-from workdir/w",
    "diff:",
    "events: filter/f format since until",
    "exec: detach/d detach-keys env/e env-file interactive/i privileged tty/t user/u "
    "workdir/w",
    "export: output/o",
    "history: format human/H no-trunc platform quiet/q",
    "image build: add-host build-arg cache-from cgroup-parent compress cpu-period "
    "cpu-quota cpu-shares/c cpuset-cpus cpuset-mems disable-content-trust file/f "
    "force-rm iidfile isolation label memory/m memory-swap network no-cache platform "
    "pull quiet/q rm security-opt shm-size tag/t target ulimit squash",
    "image history: format human/H no-trunc platform quiet/q",
    "image import: change/c message/m platform",
    "image inspect: format/f platform",
    "image list: all/a digests filter/f format no-trunc quiet/q tree",
    "image load: input/i platform quiet/q",
    "image ls: all/a digests filter/f format no-trunc quiet/q tree",
    "image prune: all/a filter force/f",
    "image pull: all-tags/a disable-content-trust platform quiet/q",
    "image push: all-tags/a disable-content-trust platform quiet/q",
    "image remove: force/f no-prune platform",
    "image rm: force/f no-prune platform",
    "image save: output/o platform",
    "image tag:",
    "images: all/a digests filter/f format no-trunc quiet/q tree",
    "import: change/c message/m platform",
    "info: format/f",
    "inspect: format/f size/s type",
    "kill: signal/s",
    "load: input/i platform quiet/q",
    "login: password/p password-stdin username/u",
    "logout:",
    "logs: details follow/f since tail/n timestamps/t until",
    "manifest annotate: arch os os-features os-version variant",
    "manifest create: amend/a insecure",
    "manifest inspect: insecure verbose/v",
    "manifest push: insecure purge/p",
    "manifest rm:",
    "network connect: alias driver-opt gw-priority ip ip6 link link-local-ip",
    "network create: attachable aux-address config-from config-only driver/d gateway "
    "ingress internal ip-range ipam-driver ipam-opt ipv4 ipv6 label opt/o scope "
    "subnet",
    "network disconnect: force/f",
    "network inspect: format/f verbose/v",
    "network list: filter/f format no-trunc quiet/q",
    "network ls: filter/f format no-trunc quiet/q",
    "network prune: filter force/f",
    "network remove: force/f",
    "network rm: force/f",
    "pause:",
    "plugin create: compress",
    "plugin disable: force/f",
    "plugin enable: timeout",
    "plugin inspect: format/f",
    "plugin install: alias disable disable-content-trust grant-all-permissions",
    "plugin list: filter/f format no-trunc quiet/q",
    "plugin ls: filter/f format no-trunc quiet/q",
    "plugin push: disable-content-trust",
    "plugin remove: force/f",
    "plugin rm: force/f",
    "plugin set:",
    "plugin upgrade: disable-content-trust grant-all-permissions skip-remote-check",
    "port:",
    "ps: all/a filter/f format last/n latest/l no-trunc quiet/q size/s",
    "pull: all-tags/a disable-content-trust platform quiet/q",
    "push: all-tags/a disable-content-trust platform quiet/q",
    "rename:",
    "restart: signal/s timeout/t",
    "rm: force/f link/l volumes/v",
    "rmi: force/f no-prune platform",
    "run: add-host annotation attach/a blkio-weight blkio-weight-device cap-add "
    "cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period "
    "cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems "
    "device device-cgroup-rule device-read-bps device-read-iops device-write-bps "
    "device-write-iops disable-content-trust dns dns-option dns-search domainname "
    "entrypoint env/e env-file expose gpus group-add health-cmd health-interval "
    "health-retries health-start-interval health-start-period health-timeout "
    "hostname/h init interactive/i io-maxbandwidth io-maxiops ip ip6 ipc isolation "
    "kernel-memory label/l label-file link link-local-ip log-driver log-opt "
    "mac-address memory/m memory-reservation memory-swap memory-swappiness mount name "
    "network network-alias no-healthcheck oom-kill-disable oom-score-adj pid "
    "pids-limit platform privileged publish/p publish-all/P pull quiet/q read-only "
    "restart rm runtime security-opt shm-size stop-signal stop-timeout storage-opt "
    "sysctl tmpfs tty/t ulimit use-api-socket user/u userns uts volume/v "
    "volume-driver volumes-from workdir/w detach/d detach-keys sig-proxy",
    "save: output/o platform",
    "search: filter/f format limit no-trunc",
    "start: attach/a checkpoint checkpoint-dir detach-keys interactive/i",
    "stats: all/a format no-stream no-trunc",
    "stop: signal/s timeout/t",
    "system df: format verbose/v",
    "system dial-stdio:",
    "system events: filter/f format since until",
    "system info: format/f",
    "system prune: all/a filter force/f volumes",
    "tag:",
    "top:",
    "unpause:",
    "update: blkio-weight cpu-period cpu-quota cpu-rt-period cpu-rt-runtime "
    "cpu-shares/c cpus cpuset-cpus cpuset-mems memory/m memory-reservation "
    "memory-swap pids-limit restart",
    "version: format/f",
    "volume create: availability driver/d group label limit-bytes opt/o "
    "required-bytes scope secret sharing topology-preferred topology-required type",
    "volume inspect: format/f",
    "volume list: cluster filter/f format quiet/q",
    "volume ls: cluster filter/f format quiet/q",
    "volume prune: all/a filter force/f",
    "volume remove: force/f",
    "volume rm: force/f",
    "volume update: availability",
    "wait:",
};
// clang-format on
