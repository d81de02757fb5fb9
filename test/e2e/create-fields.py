# create-fields.py SOCKET - every documented field of a create call (API 1.51), one at a time with a value that is not its
# default: inspect has to show it, a warning to name it, or the call to be refused with its name. t2031-every-field.sh.
import http.client, json, os, socket, sys


class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])


def call(method, path, body=None):
    c = Engine('d')
    c.request(method, '/v1.51' + path, json.dumps(body) if body is not None else None, {'Content-Type': 'application/json'})
    r = c.getresponse()
    text = r.read()
    return r.status, json.loads(text) if text else {}


# Field, value, and what inspect shows when that is not the value itself.
CONFIG = [
    ('Hostname', 'host1'), ('Domainname', 'example.org'), ('User', 'web'), ('AttachStdin', True), ('AttachStdout', True),
    ('AttachStderr', True), ('ExposedPorts', {'80/tcp': {}}), ('Tty', True), ('OpenStdin', True), ('StdinOnce', True),
    ('Env', ['A=1', 'B']), ('Cmd', ['true']), ('Entrypoint', ['env']), ('Volumes', {'/vol': {}}), ('WorkingDir', '/work'),
    ('NetworkDisabled', True), ('MacAddress', '02:42:ac:11:00:42'), ('OnBuild', ['RUN x']), ('Labels', {'a': 'b'}),
    ('StopSignal', 'SIGUSR1'), ('StopTimeout', 7), ('Shell', ['/bin/other', '-c']), ('ArgsEscaped', True),
    ('Healthcheck.Test', ['CMD', 'true']), ('Healthcheck.Interval', 2000000000), ('Healthcheck.Timeout', 3000000000),
    ('Healthcheck.Retries', 4), ('Healthcheck.StartPeriod', 5000000000), ('Healthcheck.StartInterval', 6000000000),
]
DEVICE = [{'Path': '/dev/null', 'Rate': 1048576}]
HOST = [
    ('Binds', ['/tmp:/tmp:ro']), ('ContainerIDFile', '/tmp/cid'), ('LogConfig', {'Type': 'local', 'Config': {'max-file': '3'}}, 'local'),
    ('NetworkMode', 'none'), ('PortBindings', {'80/tcp': [{'HostIp': '', 'HostPort': '8080'}]}),
    ('RestartPolicy', {'Name': 'on-failure', 'MaximumRetryCount': 3}), ('AutoRemove', True), ('VolumeDriver', 'nosuchdriver'),
    ('VolumesFrom', ['other']), ('ConsoleSize', [10, 20]), ('Annotations', {'a': 'b'}), ('CapAdd', ['CAP_NET_ADMIN']),
    ('CapDrop', ['CAP_CHOWN']), ('CgroupnsMode', 'host'), ('Dns', ['192.0.2.1']), ('DnsOptions', ['ndots:3']),
    ('DnsSearch', ['example.org']), ('ExtraHosts', ['db:192.0.2.2']), ('GroupAdd', ['extra']), ('IpcMode', 'host'),
    ('Cgroup', 'container:other'), ('Links', ['other:alias'], 'alias'), ('OomScoreAdj', 100), ('PidMode', 'host'),
    ('Privileged', True), ('PublishAllPorts', True), ('ReadonlyRootfs', True), ('SecurityOpt', ['no-new-privileges']),
    ('StorageOpt', {'size': '1g'}), ('Tmpfs', {'/t': 'size=1m'}), ('UTSMode', 'host'), ('UsernsMode', 'host'),
    ('ShmSize', 1048576), ('Sysctls', {'net.ipv4.ip_forward': '1'}), ('Runtime', 'kata'), ('Isolation', 'hyperv'),
    ('MaskedPaths', ['/proc/keys']), ('ReadonlyPaths', ['/proc/sys']), ('CpuShares', 512), ('Memory', 67108864),
    ('CgroupParent', '/parent'), ('BlkioWeight', 300), ('BlkioWeightDevice', [{'Path': '/dev/null', 'Weight': 300}]),
    ('BlkioDeviceReadBps', DEVICE), ('BlkioDeviceWriteBps', DEVICE), ('BlkioDeviceReadIOps', DEVICE),
    ('BlkioDeviceWriteIOps', DEVICE), ('CpuPeriod', 50000), ('CpuQuota', 20000), ('CpuRealtimePeriod', 10000),
    ('CpuRealtimeRuntime', 5000), ('CpusetCpus', '0'), ('CpusetMems', '0'),
    ('Devices', [{'PathOnHost': '/dev/null', 'PathInContainer': '/dev/x', 'CgroupPermissions': 'r'}]),
    ('DeviceCgroupRules', ['c 1:3 r']), ('DeviceRequests', [{'Driver': 'nvidia', 'Count': 1}]), ('KernelMemory', 67108864),
    ('KernelMemoryTCP', 67108864), ('MemoryReservation', 33554432), ('MemorySwap', -1), ('MemorySwappiness', 10),
    ('NanoCpus', 500000000), ('OomKillDisable', True), ('Init', True), ('PidsLimit', 50),
    ('Ulimits', [{'Name': 'nofile', 'Hard': 200, 'Soft': 100}]), ('CpuCount', 2), ('CpuPercent', 50), ('IOMaximumIOps', 5),
    ('IOMaximumBandwidth', 5),
]
NETWORK = [
    ('IPAMConfig', {'IPv4Address': '10.93.0.9'}), ('IPAMConfig', {'IPv6Address': 'fd93::9'}),
    ('IPAMConfig', {'LinkLocalIPs': ['169.254.3.4']}), ('Links', ['other:alias']), ('MacAddress', '02:42:ac:11:00:43'),
    ('Aliases', ['db']), ('DriverOpts', {'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1'}),
    ('GwPriority', 3),
]
MOUNTS = [
    ({'Type': 'bind', 'Source': '/tmp', 'Target': '/t', 'ReadOnly': True}, None),
    ({'Type': 'bind', 'Source': '/tmp', 'Target': '/t', 'Consistency': 'cached'}, None),
    ({'Type': 'bind', 'Source': '/tmp', 'Target': '/t', 'BindOptions': {'Propagation': 'rslave'}}, None),
    ({'Type': 'bind', 'Source': '/tmp', 'Target': '/t', 'BindOptions': {'NonRecursive': True}}, None),
    ({'Type': 'bind', 'Source': os.environ['TEST_TMP'] + '/not/yet', 'Target': '/t', 'BindOptions': {'CreateMountpoint': True}}, None),
    ({'Type': 'bind', 'Source': '/tmp', 'Target': '/t', 'ReadOnly': True, 'BindOptions': {'ReadOnlyNonRecursive': True}}, None),
    ({'Type': 'bind', 'Source': '/tmp', 'Target': '/t', 'ReadOnly': True,
      'BindOptions': {'ReadOnlyForceRecursive': True, 'Propagation': 'rprivate'}}, None),
    ({'Type': 'volume', 'Source': 'v1', 'Target': '/t', 'VolumeOptions': {'NoCopy': True}}, None),
    ({'Type': 'volume', 'Source': 'v2', 'Target': '/t', 'VolumeOptions': {'Labels': {'a': 'b'}}}, None),
    ({'Type': 'volume', 'Source': 'v3', 'Target': '/t', 'VolumeOptions': {'Subpath': 'sub'}}, None),
    ({'Type': 'volume', 'Source': 'v4', 'Target': '/t',
      'VolumeOptions': {'DriverConfig': {'Name': 'local', 'Options': {'type': 'tmpfs', 'device': 'tmpfs'}}}}, None),
    ({'Type': 'volume', 'Source': 'v5', 'Target': '/t', 'VolumeOptions': {'DriverConfig': {'Name': 'nosuch'}}}, 'nosuch'),
    ({'Type': 'tmpfs', 'Target': '/t', 'TmpfsOptions': {'SizeBytes': 1048576}}, None),
    ({'Type': 'tmpfs', 'Target': '/t', 'TmpfsOptions': {'Mode': 448}}, None),
    ({'Type': 'tmpfs', 'Target': '/t', 'TmpfsOptions': {'Options': [['noexec']]}}, None),
    ({'Type': 'image', 'Source': 'busybox', 'Target': '/t', 'ImageOptions': {'Subpath': 'bin'}}, None),
    ({'Type': 'npipe', 'Source': 'x', 'Target': '/t'}, 'npipe'),
    ({'Type': 'cluster', 'Source': 'x', 'Target': '/t', 'ClusterOptions': {}}, 'cluster'),
]
failed = counted = 0


def covers(shown, wanted):
    if isinstance(wanted, dict):
        return isinstance(shown, dict) and all(covers(shown.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(shown, list) and len(shown) >= len(wanted) and all(covers(a, b) for a, b in zip(shown, wanted))
    return shown == wanted


def one(words, body, look, wanted, name, text=None, start=False):
    """text: what has to occur in the shown value instead of equality, or in the refusal."""
    global failed, counted
    counted += 1
    status, answer = call('POST', '/containers/create', body)
    why = None
    if status == 201:
        if start:  # what it has then
            call('POST', '/containers/%s/start' % answer['Id'])
        _, i = call('GET', '/containers/%s/json' % answer['Id'])
        shown = look(i)
        named = any(name.lower() in w.lower().replace(' ', '') for w in answer.get('Warnings') or [])
        if text and text not in json.dumps(shown):
            why = 'shown as %s' % json.dumps(shown)
        if not text and not covers(shown, wanted) and not named:
            why = 'shown as %s, warnings %s' % (json.dumps(shown), answer.get('Warnings'))
        result = 'honoured'
        call('DELETE', '/containers/%s?force=1&v=1' % answer['Id'])
    elif status in (400, 404, 409, 501):
        flat = answer['message'].lower().replace(' ', '').replace('-', '').replace('_', '')
        result = 'refused: ' + answer['message']
        if name.lower() not in flat and (text or str(wanted)).lower() not in answer['message'].lower():
            why = 'refused without its name: ' + answer['message']
    else:
        result, why = '', '%d %s' % (status, answer)
    if why:
        failed += 1
    print('%s %s: %s' % ('not ok' if why else 'ok', words, why or result))


def nest(path, value):
    for part in reversed(path.split('.')):
        value = {part: value}
    return value


def at(of, path):
    for part in path.split('.'):
        of = (of or {}).get(part)
    return of


def field(path, value, text, outer):
    inner = nest(path, value)
    if path.startswith('Healthcheck.') and path != 'Healthcheck.Test':
        inner['Healthcheck']['Test'] = ['CMD', 'true']
    if path == 'CpuQuota':
        inner['CpuPeriod'] = 50000
    if path == 'MemorySwap':
        inner['Memory'] = 67108864
    if path == 'StdinOnce':
        inner['OpenStdin'] = True
    body = {'Image': 'busybox', 'Cmd': ['true']}
    body.update(inner if outer == 'Config' else {outer: inner})
    one('%s.%s' % (outer, path), body, lambda i: at(i[outer], path), value, path.split('.')[-1], text)


call('POST', '/containers/create?name=other', {'Image': 'busybox', 'Cmd': ['true']})
call('POST', '/networks/create', {'Name': 'net', 'EnableIPv6': True, 'IPAM': {'Config': [{'Subnet': '10.93.0.0/24'}, {'Subnet': 'fd93::/64'}]}})
for row in CONFIG:
    field(row[0], row[1], row[2] if len(row) > 2 else None, 'Config')
for row in HOST:
    field(row[0], row[1], row[2] if len(row) > 2 else None, 'HostConfig')
for name, value, *text in NETWORK:
    one('EndpointsConfig.%s' % name, {'Image': 'busybox', 'Cmd': ['sleep', '1000'], 'HostConfig': {'NetworkMode': 'net'},
                                      'NetworkingConfig': {'EndpointsConfig': {'net': {name: value}}}},
        lambda i: i['NetworkSettings']['Networks']['net'].get(name), value, name, text[0] if text else None, start=name == 'MacAddress')
for mount, text in MOUNTS:
    one('Mounts %s' % json.dumps(mount), {'Image': 'busybox', 'HostConfig': {'Mounts': [mount]}},
        lambda i: i['HostConfig']['Mounts'], [mount], mount['Type'], text)
call('DELETE', '/containers/other')
print('# %d fields, %d failed' % (counted, failed))
sys.exit(1 if failed else 0)
