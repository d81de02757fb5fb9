# body-fields.py SOCKET - every field of the bodies of update, exec, network and volume calls (API 1.51), one at a time with a
# value that is not its default: what is asked afterwards has to show it, a warning to name it, or the call to be refused
# with its name. t2032-bodies.sh.
import http.client, json, socket, sys

failed = counted = 0


class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])


def call(method, path, body=None, raw=False):
    c = Engine('d')
    c.request(method, '/v1.51' + path, json.dumps(body) if body is not None else None, {'Content-Type': 'application/json'})
    r = c.getresponse()
    text = r.read()
    if raw:
        return r.status, text
    return r.status, json.loads(text) if text else {}


def tell(words, why, result):
    global failed, counted
    counted += 1
    failed += bool(why)
    print('%s %s: %s' % ('not ok' if why else 'ok', words, why or result))


def covers(shown, wanted):
    if isinstance(wanted, dict):
        return isinstance(shown, dict) and all(covers(shown.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(shown, list) and len(shown) >= len(wanted) and all(covers(a, b) for a, b in zip(shown, wanted))
    return shown == wanted


def judge(words, name, wanted, status, answer, look):
    """look: what is to be seen when the call has gone through."""
    if status in (200, 201, 204):
        warnings = answer.get('Warnings') or ([answer['Warning']] if answer.get('Warning') else [])
        if any(name.lower() in w.lower().replace(' ', '') for w in warnings):
            return tell(words, None, 'discarded: %s' % warnings)
        shown = look()
        return tell(words, None if covers(shown, wanted) else 'seen as %s' % json.dumps(shown), 'honoured')
    if status in (400, 403, 404, 409, 501):
        flat = answer['message'].lower().replace(' ', '').replace('-', '').replace('_', '')
        return tell(words, None if name.lower() in flat or str(wanted).lower() in answer['message'].lower() else 'refused without its name: ' + answer['message'], 'refused: ' + answer['message'])
    tell(words, '%d %s' % (status, answer), '')


# --- update: of one that runs and of one that does not ---
DEVICE = [{'Path': '/dev/null', 'Rate': 1048576}]
UPDATE = [
    ('CpuShares', 512), ('Memory', 67108864), ('CgroupParent', '/parent'), ('BlkioWeight', 300),
    ('BlkioWeightDevice', [{'Path': '/dev/null', 'Weight': 300}]), ('BlkioDeviceReadBps', DEVICE), ('BlkioDeviceWriteBps', DEVICE),
    ('BlkioDeviceReadIOps', DEVICE), ('BlkioDeviceWriteIOps', DEVICE), ('CpuPeriod', 50000), ('CpuQuota', 20000),
    ('CpuRealtimePeriod', 10000), ('CpuRealtimeRuntime', 5000), ('CpusetCpus', '0'), ('CpusetMems', '0'),
    ('Devices', [{'PathOnHost': '/dev/null', 'PathInContainer': '/dev/x', 'CgroupPermissions': 'r'}]),
    ('DeviceCgroupRules', ['c 1:3 r']), ('DeviceRequests', [{'Driver': 'nvidia', 'Count': 1}]), ('KernelMemory', 67108864),
    ('KernelMemoryTCP', 67108864), ('MemoryReservation', 6291456), ('MemorySwap', 134217728), ('MemorySwappiness', 10),
    ('NanoCpus', 500000000), ('OomKillDisable', True), ('PidsLimit', 50), ('Ulimits', [{'Name': 'nofile', 'Hard': 200, 'Soft': 100}]),
    ('CpuCount', 2), ('CpuPercent', 50), ('IOMaximumIOps', 5), ('IOMaximumBandwidth', 5),
    ('RestartPolicy', {'Name': 'on-failure', 'MaximumRetryCount': 3}),
]
for running in (True, False):
    for name, value in UPDATE:
        _, made = call('POST', '/containers/create', {'Image': 'busybox', 'Cmd': ['sleep', '1000']})
        path = '/containers/' + made['Id']
        if running:
            call('POST', path + '/start')
        body = {name: value}
        if name == 'MemorySwap':
            body['Memory'] = 67108864
        status, answer = call('POST', path + '/update', body)
        judge('update.%s of one that %s' % (name, 'runs' if running else 'does not run'), name, value, status, answer,
              lambda: call('GET', path + '/json')[1]['HostConfig'].get(name))
        call('DELETE', path + '?force=1')

# --- exec: what the program sees ---
_, made = call('POST', '/containers/create', {'Image': 'busybox', 'Cmd': ['sleep', '1000']})
box = made['Id']
call('POST', '/containers/%s/start' % box)


def program(create, start=None, url=''):
    """Status and answer of the create call; what the program says, without the frames' heads."""
    body = {'AttachStdout': True, 'AttachStderr': True}
    body.update(create)
    status, made = call('POST', '/containers/%s/exec' % box, body)
    if status != 201:
        return status, made, lambda: None

    def look():
        status, said = call('POST', '/exec/%s/start' % made['Id'], start or {'Detach': False, 'Tty': body.get('Tty', False)}, raw=True)
        if status != 200:
            return 'start: %d %s' % (status, said)
        text = b''
        while said and not body.get('Tty'):
            n = int.from_bytes(said[4:8], 'big')
            text, said = text + said[8:8 + n], said[8 + n:]
        return (text or said).decode().replace('\r\n', '\n').strip()
    return status, made, look


def sh(script):
    return ['sh', '-c', script]


EXEC = [
    ('User', {'User': 'web', 'Cmd': ['id', '-u']}, '1000'),
    ('Privileged', {'Privileged': True, 'Cmd': sh('grep -c -i "^CapEff:.*a80425fb" /proc/self/status')}, '0'),
    ('Tty', {'Tty': True, 'Cmd': sh('test -t 1 && echo yes')}, 'yes'),
    ('ConsoleSize', {'Tty': True, 'ConsoleSize': [33, 44], 'Cmd': ['stty', 'size']}, '33 44'),
    ('AttachStdout', {'AttachStdout': False, 'Cmd': sh('echo out; echo err >&2')}, 'err'),
    ('AttachStderr', {'AttachStderr': False, 'Cmd': sh('echo out; echo err >&2')}, 'out'),
    ('Env', {'Env': ['X=1'], 'Cmd': sh('echo $X')}, '1'),
    ('WorkingDir', {'WorkingDir': '/tmp', 'Cmd': ['pwd']}, '/tmp'),
    ('Cmd', {'Cmd': ['echo', 'a b']}, 'a b'),
    ('DetachKeys', {'DetachKeys': 'ctrl-nonsense', 'Tty': True, 'Cmd': ['true']}, 'refused by create'),
]
for name, body, wanted in EXEC:
    status, answer, look = program(body)
    judge('exec.' + name, name, wanted, status, answer, look)
status, answer, look = program({'Tty': True, 'Cmd': ['stty', 'size']}, {'Tty': True, 'ConsoleSize': [55, 66]})
judge('exec start.ConsoleSize', 'ConsoleSize', '55 66', status, answer, look)
status, answer, look = program({'Cmd': ['true']}, {'Tty': True})
tell('exec start.Tty that differs', None, look()) if status == 201 else tell('exec start.Tty', str(answer), '')
status, answer, look = program({'Cmd': sh('echo here > /tmp/detached')}, {'Detach': True})
said = look()
_, _, again = program({'Cmd': sh('while ! test -s /tmp/detached; do sleep 0.05; done; cat /tmp/detached')})
tell('exec start.Detach', None if (said, again()) == ('', 'here') else said, 'honoured')
call('DELETE', '/containers/%s?force=1' % box)

# --- networks ---
NETWORK = [
    ('Name', {}, 'made'), ('Driver', {'Driver': 'bridge'}, 'bridge'), ('Driver', {'Driver': 'nosuch'}, 'nosuch'),
    ('Scope', {'Scope': 'swarm'}, 'swarm'), ('EnableIPv4', {'EnableIPv4': False, 'EnableIPv6': True}, False), ('EnableIPv6', {'EnableIPv6': True}, True),
    ('Internal', {'Internal': True}, True), ('Attachable', {'Attachable': True}, True), ('Ingress', {'Ingress': True}, True),
    ('ConfigOnly', {'ConfigOnly': True}, True), ('ConfigFrom', {'ConfigFrom': {'Network': 'template'}}, {'Network': 'template'}),
    ('Options', {'Options': {'com.docker.network.bridge.enable_icc': 'false'}}, {'com.docker.network.bridge.enable_icc': 'false'}),
    ('Labels', {'Labels': {'a': 'b'}}, {'a': 'b'}),
    ('IPAM', {'IPAM': {'Config': [{'Subnet': '10.93.0.0/24'}]}}, {'Config': [{'Subnet': '10.93.0.0/24'}]}),
    ('IPAM', {'IPAM': {'Config': [{'Subnet': '10.93.0.0/24', 'Gateway': '10.93.0.9'}]}}, {'Config': [{'Gateway': '10.93.0.9'}]}),
    ('IPAM', {'IPAM': {'Config': [{'Subnet': '10.93.0.0/24', 'IPRange': '10.93.0.128/25'}]}}, {'Config': [{'IPRange': '10.93.0.128/25'}]}),
    ('IPAM', {'IPAM': {'Config': [{'Subnet': '10.93.0.0/24', 'AuxiliaryAddresses': {'router': '10.93.0.3'}}]}},
     {'Config': [{'AuxiliaryAddresses': {'router': '10.93.0.3'}}]}),
    ('IPAM', {'IPAM': {'Driver': 'nosuch'}}, {'Driver': 'nosuch'}), ('IPAM', {'IPAM': {'Options': {'a': 'b'}}}, {'Options': {'a': 'b'}}),
]
call('POST', '/networks/create', {'Name': 'template', 'ConfigOnly': True, 'IPAM': {'Config': [{'Subnet': '10.94.0.0/24'}]}})
for name, more, wanted in NETWORK:
    body = {'Name': 'made'}
    body.update(more)
    status, answer = call('POST', '/networks/create', body)
    judge('network.%s %s' % (name, json.dumps(more)), name, wanted, status, answer, lambda: call('GET', '/networks/made')[1].get(name))
    call('DELETE', '/networks/made')
call('DELETE', '/networks/template')

# --- connect ---
call('POST', '/networks/create', {'Name': 'net', 'EnableIPv6': True, 'IPAM': {'Config': [{'Subnet': '10.93.0.0/24'}, {'Subnet': 'fd93::/64'}]}})
call('POST', '/containers/create?name=other', {'Image': 'busybox', 'Cmd': ['sleep', '1000'], 'HostConfig': {'NetworkMode': 'net'}})
call('POST', '/containers/other/start')
ENDPOINT = [
    ('IPAMConfig', {'IPv4Address': '10.93.0.9'}, lambda n: {'IPv4Address': n['IPAddress']}), ('IPAMConfig', {'IPv6Address': 'fd93::9'}, lambda n: {'IPv6Address': n['GlobalIPv6Address']}),
    ('IPAMConfig', {'LinkLocalIPs': ['169.254.3.4']}, lambda n: n['IPAMConfig']), ('Links', ['other:alias'], None),
    ('MacAddress', '02:42:ac:11:00:43', None), ('Aliases', ['db'], None),
    ('DriverOpts', {'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1'}, None),
    ('DriverOpts', {'no.such.option': '1'}, None), ('GwPriority', 3, None),
]
for running in (True, False):
    for name, value, look in ENDPOINT:
        _, made = call('POST', '/containers/create', {'Image': 'busybox', 'Cmd': ['sleep', '1000']})
        path = '/containers/' + made['Id']
        if running:
            call('POST', path + '/start')
        status, answer = call('POST', '/networks/net/connect', {'Container': made['Id'], 'EndpointConfig': {name: value}})
        if status != 200:  # by what it is
            name = list(value)[0] if name == 'DriverOpts' else name
        if not running:
            status = call('POST', path + '/start')[0] if status == 200 else status
        judge('connect.%s of one that %s' % (name, 'runs' if running else 'does not run'), name, value, status, answer,
              lambda: (look or (lambda n: n.get(name)))(call('GET', path + '/json')[1]['NetworkSettings']['Networks']['net']))
        call('DELETE', path + '?force=1')
for name, body, wanted in (('Force', {'Container': 'other', 'Force': True}, {}), ('Container', {'Container': 'nosuch'}, {})):
    status, answer = call('POST', '/networks/net/disconnect', body)
    judge('disconnect.' + name, name, wanted, status, answer, lambda: call('GET', '/containers/other/json')[1]['NetworkSettings']['Networks'])
call('DELETE', '/containers/other?force=1')
call('DELETE', '/networks/net')

# --- volumes ---
for name, more, wanted in (('Name', {}, 'made'), ('Driver', {'Driver': 'local'}, 'local'), ('Driver', {'Driver': 'nosuch'}, 'nosuch'),
                           ('Labels', {'Labels': {'a': 'b'}}, {'a': 'b'}),
                           ('Options', {'DriverOpts': {'type': 'tmpfs', 'device': 'tmpfs', 'o': 'size=1m'}}, {'type': 'tmpfs', 'device': 'tmpfs', 'o': 'size=1m'}),
                           ('nosuch', {'DriverOpts': {'nosuch': '1'}}, None),
                           ('ClusterVolumeSpec', {'ClusterVolumeSpec': {'Group': 'g'}}, None)):
    status, answer = call('POST', '/volumes/create', dict({'Name': 'made'}, **more))
    judge('volume.%s %s' % (name, json.dumps(more)), name, wanted, status, answer, lambda: call('GET', '/volumes/made')[1].get(name, 'nothing'))
    call('DELETE', '/volumes/made')
print('# %d fields, %d failed' % (counted, failed))
sys.exit(1 if failed else 0)
