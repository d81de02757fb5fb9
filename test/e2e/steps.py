"""steps.py - a daemon that dies, or is refused something by the kernel, at every step of every operation.

    steps.py kill|ERRNO[,ERRNO…] ROUNDS    (0: every step of every operation)

Started by t0340 and t0341 with the world of lib.sh in the environment. strace counts the system calls of the
daemon's threads that change something; at call N of an operation it kills the daemon, or makes the call
fail. Then what the client was told must be true, and the daemon's facts must be those of the kernel and of
the directories. Not traced: the daemon's children."""
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import time

E = os.environ
SOCKET, DATA, RUN, TMP, NET = (E[k] for k in ('SOCKET', 'DATA_ROOT', 'RUN_ROOT', 'TEST_TMP', 'net_pid'))
INSTANCE, BIN = E['instance'], E['bin']
MODE, ROUNDS = sys.argv[1], int(sys.argv[2])
# What changes something or can fail for want of something; reads of files that exist are left out.
KILL_AT = ('openat,openat2,mkdirat,unlinkat,renameat,renameat2,linkat,symlinkat,pwrite64,write,fdatasync,fsync,'
           'ftruncate,sendmsg,sendto,clone,clone3,vfork,mount,fsmount,move_mount,open_tree,bind,connect,'
           'fchmodat,fchownat')
FAIL_AT = 'openat,openat2,mkdirat,renameat,renameat2,linkat,pwrite64,fdatasync,ftruncate,socket,bind,pipe2,socketpair,dup'


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(SOCKET)


def call(method, path, body=None):
    """Status and document; 0: the daemon went away."""
    try:
        c = Unix('d')
        data = body if isinstance(body, bytes) or body is None else json.dumps(body)
        c.request(method, path, data, {'Content-Type': 'application/json'} if data else {})
        r = c.getresponse()
        text = r.read()
        c.close()
    except (OSError, http.client.HTTPException):
        return 0, None
    try:
        return r.status, json.loads(text) if text else None
    except ValueError:
        return r.status, text


# --- the daemon ---------------------------------------------------------------------------------
class Daemon:
    process = None

    def start(self):
        log = open(TMP + '/daemon.log', 'ab')
        self.process = subprocess.Popen(
            ['nsenter', '--net=/proc/%s/ns/net' % NET, '--', BIN + '/cortend', '--host', 'unix://' + SOCKET,
             '--data-root', DATA, '--run-root', RUN], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
        end = time.time() + 30
        while call('GET', '/_ping')[0] != 200:
            assert self.process.poll() is None, 'the daemon does not start again'
            assert time.time() < end, 'the daemon does not answer'
            time.sleep(0.01)

    def dead(self):
        return self.process.poll() is not None

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


daemon = Daemon()


class Trace:
    """Counts the daemon's calls; with `at`, the call of that number ends badly."""

    def __init__(self, calls, at=None, what=None):
        pid = daemon.process.pid
        tasks = os.listdir('/proc/%d/task' % pid)
        args = ['strace', '-qq', '-o', TMP + '/trace', '-e', 'trace=' + calls, '-e', 'signal=none']
        if at:
            args += ['-e', 'inject=%s:%s:when=%d' % (calls, what, at)]
        for t in tasks:
            args += ['-p', t]
        self.process = subprocess.Popen(args, stderr=subprocess.DEVNULL)
        for t in tasks:
            while not self.traced('/proc/%d/task/%s/status' % (pid, t)):
                time.sleep(0.002)

    @staticmethod
    def traced(status):
        try:
            with open(status) as f:
                return 'TracerPid:\t0\n' not in f.read()
        except FileNotFoundError:
            return True  # a thread that had nothing to do has ended

    def end(self):
        end = time.time() + 2
        self.process.terminate()
        while self.process.poll() is None:
            daemon.dead()  # a tracer waits until the one that died was reaped
            if time.time() > end:
                self.process.kill()  # what it holds goes on
            time.sleep(0.002)

    def count(self):
        """The most calls of one thread."""
        seen = {}
        with open(TMP + '/trace', errors='replace') as f:
            for line in f:
                if 'resumed>' not in line:
                    seen[line.split(None, 1)[0]] = seen.get(line.split(None, 1)[0], 0) + 1
        return max(seen.values(), default=0)


# --- facts --------------------------------------------------------------------------------------
def monitors():
    found = set()
    for p in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % p, 'rb') as f:
                words = f.read().split(b'\0')
        except OSError:
            continue
        if words[0].endswith(b'corten-monitor') and len(words) > 1 and words[1][:1] != b'-':
            found.add(words[1].decode())
    return found


def in_net(*args):
    return subprocess.run(['nsenter', '--net=/proc/%s/ns/net' % NET, '--'] + list(args), capture_output=True,
                          text=True).stdout


def published():
    text = in_net('nft', '-j', 'list', 'map', 'ip', INSTANCE, 'published')
    ports = set()
    for x in json.loads(text)['nftables'] if text else []:
        for key, _ in x.get('map', {}).get('elem', []):
            ports.add(key['concat'][1])
    return ports


def names_in(path):
    return set(os.listdir(path)) if os.path.isdir(path) else set()


at_end = False


def differences():
    wrong = []
    containers = call('GET', '/containers/json?all=1')[1]
    alive, ports, ends = set(), set(), 0
    for c in containers:
        status, i = call('GET', '/containers/%s/json' % c['Id'])
        if status != 200:
            wrong.append('%s is listed, and inspect gives %d' % (c['Names'], status))
            continue
        if not i['State']['Running']:
            continue
        alive.add(c['Id'])
        ends += len(i['NetworkSettings']['Networks'])
        ports |= {int(b[0]['HostPort']) for b in i['NetworkSettings']['Ports'].values() if b}
        try:
            with open('/proc/%d/cgroup' % i['State']['Pid']) as f:
                if c['Id'] not in f.read():
                    wrong.append('pid %d of %s is another program' % (i['State']['Pid'], c['Names']))
        except OSError:
            wrong.append('%s runs, and pid %d does not' % (c['Names'], i['State']['Pid']))
    known = {c['Id'] for c in containers}
    ours = {m for m in monitors() if os.path.exists('%s/container/%s' % (RUN, m)) or m in known}
    if ours != alive:
        wrong.append('monitors %s, running %s' % (ours, alive))
    for tree, _, _ in os.walk('/sys/fs/cgroup'):
        if '/%s/' % INSTANCE in tree and re.search('[0-9a-f]{64}$', tree) and tree[-64:] not in alive:
            wrong.append('cgroup ' + tree)
    kept = names_in(DATA + '/container')
    for boot in names_in(DATA + '/ephemeral'):
        kept |= names_in(DATA + '/ephemeral/' + boot)
    # One that the disk would not let go is tried again with the next removal.
    left = kept - known if MODE == 'kill' or at_end else set()
    if left or known - kept:
        wrong.append('directories %s, containers %s' % (kept, known))
    volumes = {v['Name'] for v in call('GET', '/volumes')[1]['Volumes'] or []}
    # A row that could not be deleted is an empty volume, which can be removed again.
    if names_in(DATA + '/volume') != volumes and (MODE == 'kill' or names_in(DATA + '/volume') - volumes):
        wrong.append('directories %s, volumes %s' % (names_in(DATA + '/volume'), volumes))
    links = re.findall(r'^\d+: ([^@:]+)', in_net('ip', '-o', 'link'), re.M)
    if sum(x.startswith('veth') for x in links) != ends:
        wrong.append('interfaces %s, %d endpoints' % (links, ends))
    networks = {n['Id'][:8] for n in call('GET', '/networks')[1]}
    for x in links:
        if x.startswith('corten-') and x != INSTANCE and x[7:] not in networks:
            wrong.append('bridge %s of no network' % x)
    if published() != ports:
        wrong.append('rules publish %s, containers %s' % (published(), ports))
    ingest = names_in(DATA + '/image/ingest')
    if ingest and MODE == 'kill':  # else what could not be removed waits for the next daemon
        wrong.append('ingest %s' % ingest)
    return wrong


def expect_facts(what):
    end = time.time() + 10
    while True:
        wrong = differences()
        if not wrong:
            return
        assert time.time() < end, '%s: %s' % (what, '; '.join(wrong))
        time.sleep(0.05)


# --- operations ---------------------------------------------------------------------------------
BODY = {'Image': 'busybox', 'Cmd': ['sleep', '1000'], 'StopTimeout': 0, 'ExposedPorts': {'80/tcp': {}},
        'HostConfig': {'PortBindings': {'80/tcp': [{'HostPort': '8080'}]}, 'Binds': ['vv:/v']}}
TAR = b''


def inspect(name='xx'):
    status, i = call('GET', '/containers/%s/json' % name)
    return i if status == 200 else None


def created():
    assert call('POST', '/containers/create?name=xx', BODY)[0] == 201


def running():
    created()
    status, why = call('POST', '/containers/xx/start')
    assert status == 204, why


def paused():
    running()
    assert call('POST', '/containers/xx/pause')[0] == 204


def networked():
    running()
    network()


def network():
    assert call('POST', '/networks/create', {'Name': 'nn'})[0] == 201


def connected():
    networked()
    assert call('POST', '/networks/nn/connect', {'Container': 'xx'})[0] == 200


def volume():
    assert call('POST', '/volumes/create', {'Name': 'ww'})[0] == 201


def volumes():
    return {v['Name']: v for v in call('GET', '/volumes')[1]['Volumes'] or []}


def image():
    assert call('POST', '/commit?container=xx&repo=made')[0] == 201


def committed():
    created()
    image()


def tagged():
    assert call('POST', '/images/busybox/tag?repo=made')[0] == 201


def is_image(name='made'):
    return call('GET', '/images/%s/json' % name)[0] == 200


def linked():
    running()
    status, why = call('POST', '/containers/create?name=zz', dict(BODY, HostConfig={'Links': ['xx:other']}))
    assert status == 201, why


def fleeting():
    body = dict(BODY, HostConfig=dict(BODY['HostConfig'], AutoRemove=True))
    assert call('POST', '/containers/create?name=xx', body)[0] == 201
    assert call('POST', '/containers/xx/start')[0] == 204


def exec_in():
    status, x = call('POST', '/containers/xx/exec', {'Cmd': ['touch', '/done'], 'AttachStdout': True})
    return call('POST', '/exec/%s/start' % x['Id'], {'Detach': True}) if status == 201 else (status, x)


def post(path, body=None):
    return lambda: call('POST', path, body)


def delete(path):
    return lambda: call('DELETE', path)


def state(word):
    return lambda: inspect()['State']['Status'] == word


def networks_of():
    return inspect()['NetworkSettings']['Networks']


# name: what is there before; the call; what is true once it was answered with success
OPS = {
    'create': (None, post('/containers/create?name=xx', BODY), lambda: inspect() is not None),
    'start': (created, post('/containers/xx/start'), state('running')),
    'stop': (running, post('/containers/xx/stop?t=0'), state('exited')),
    'restart': (running, post('/containers/xx/restart?t=0'), state('running')),
    'kill': (running, post('/containers/xx/kill'), lambda: True),
    'pause': (running, post('/containers/xx/pause'), state('paused')),
    'unpause': (paused, post('/containers/xx/unpause'), state('running')),
    'rename': (running, post('/containers/xx/rename?name=yy'), lambda: inspect('yy') is not None),
    'update': (running, post('/containers/xx/update', {'Memory': 64 << 20, 'MemorySwap': 64 << 20}),
               lambda: inspect()['HostConfig']['Memory'] == 64 << 20),
    'remove': (running, delete('/containers/xx?force=1&v=1'), lambda: inspect() is None),
    'exec': (running, exec_in, lambda: True),
    'commit': (running, post('/commit?container=xx&repo=made'), lambda: call('GET', '/images/made/json')[0] == 200),
    'prune': (created, post('/containers/prune'), lambda: (inspect() is None) == bool(told['ContainersDeleted'])),
    'put': (running, lambda: call('PUT', '/containers/xx/archive?path=/', TAR), lambda: True),
    'ports': (running, post('/containers/xx/ports', {'Add': {'81/tcp': [{'HostPort': '8081'}]}}),
              lambda: '81/tcp' in inspect()['NetworkSettings']['Ports']),
    'network': (None, post('/networks/create', {'Name': 'nn', 'EnableIPv6': True}),
                lambda: call('GET', '/networks/nn')[0] == 200),
    'network rm': (network, delete('/networks/nn'), lambda: call('GET', '/networks/nn')[0] == 404),
    'connect': (networked, post('/networks/nn/connect', {'Container': 'xx'}), lambda: 'nn' in networks_of()),
    'disconnect': (connected, post('/networks/nn/disconnect', {'Container': 'xx'}),
                   lambda: 'nn' not in networks_of()),
    'volume': (None, post('/volumes/create', {'Name': 'ww'}), lambda: call('GET', '/volumes/ww')[0] == 200),
    'volume rm': (volume, delete('/volumes/ww'), lambda: call('GET', '/volumes/ww')[0] == 404),
    'volume rename': (volume, post('/corten/volumes/ww/rename?name=wz'), lambda: 'wz' in volumes() and 'ww' not in volumes()),
    'volume snapshot': (volume, post('/corten/volumes/ww/snapshot?name=wz'), lambda: {'ww', 'wz'} <= set(volumes())),
    'volume labels': (volume, post('/corten/volumes/ww/labels', {'Labels': {'a': 'b'}}),
                      lambda: volumes()['ww']['Labels'] == {'a': 'b'}),
    'volume prune': (volume, post('/volumes/prune?filters={"all":["true"]}'),
                     lambda: ('ww' not in volumes()) == bool(told['VolumesDeleted'])),
    'network prune': (network, post('/networks/prune'), lambda: (call('GET', '/networks/nn')[0] == 404) == bool(told['NetworksDeleted'])),
    'aliases': (connected, post('/containers/xx/aliases', {'Network': 'nn', 'Add': ['db']}),
                lambda: 'db' in networks_of()['nn']['Aliases']),
    'unlink': (linked, delete('/containers/zz/other?link=1'), lambda: not inspect('zz')['HostConfig']['Links']),
    'auto-remove': (fleeting, post('/containers/xx/stop?t=0'), lambda: True),
    'tag': (None, post('/images/busybox/tag?repo=made'), is_image),
    'untag': (tagged, delete('/images/made'), lambda: not is_image() and is_image('busybox')),
    'rmi': (committed, delete('/images/made'), lambda: not is_image()),
    'image prune': (committed, post('/images/prune?filters={"dangling":["false"],"until":["0s"]}'), lambda: is_image('busybox')),
    'import': (None, lambda: call('POST', '/images/create?fromSrc=-&repo=made', TAR), lambda: 'error' in str(told) or is_image()),
    'archive': (running, lambda: call('GET', '/containers/xx/archive?path=/etc'), lambda: True),
}


def clear():
    for c in call('GET', '/containers/json?all=1')[1]:
        status, why = call('DELETE', '/containers/%s?force=1&v=1' % c['Id'])
        # One that removes itself may be on its way.
        assert status in (204, 404) or status == 409 and 'in progress' in str(why), 'cannot be removed afterwards: %s' % why
    for n in call('GET', '/networks')[1]:
        if n['Name'] == 'nn':
            assert call('DELETE', '/networks/nn')[0] == 204
    for v in call('GET', '/volumes')[1]['Volumes'] or []:
        assert call('DELETE', '/volumes/' + v['Name'])[0] == 204
    call('DELETE', '/images/made')


def prepare(before):
    clear()
    if before:
        before()


def count(name):
    before, action, _ = OPS[name]
    prepare(before)
    trace = Trace(KILL_AT if MODE == 'kill' else FAIL_AT)
    status, why = action()
    trace.end()
    assert 200 <= status < 300, '%s: %d %s' % (name, status, why)
    return trace.count()


told = None  # the last answer


def once(name, step, what):
    global told
    before, action, holds = OPS[name]
    prepare(before)
    trace = Trace(KILL_AT if MODE == 'kill' else FAIL_AT, step, what)
    status, answer = action()
    told = answer
    trace.end()
    label = '%s, step %d (%s)' % (name, step, what)
    if what != 'signal=KILL':
        assert not daemon.dead(), label + ': the daemon has died'
        assert status != 0, label + ': no answer'
        assert status < 300 or (isinstance(answer, dict) and answer.get('message')), '%s: %s' % (label, answer)
    elif call('GET', '/_ping')[0] != 200:  # it may die right after the answer
        end = time.time() + 5
        while not daemon.dead():
            assert time.time() < end, label + ': no answer, and it lives'
            time.sleep(0.01)
    hit = daemon.dead() or status >= 300
    if daemon.dead():
        daemon.start()
    if 200 <= status < 300:
        assert holds(), '%s: answered with %d, and it is not true' % (label, status)
    expect_facts(label)
    # And it can be done now.
    if hit and status >= 300:
        prepare(before)
        again, why = action()
        assert 200 <= again < 300, '%s: afterwards %d %s' % (label, again, why)
    return hit


def main():
    import io
    import tarfile
    global TAR, at_end
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode='w') as t:
        i = tarfile.TarInfo('put')
        i.size = 3
        t.addfile(i, io.BytesIO(b'abc'))
    TAR = b.getvalue()
    whats = ['signal=KILL'] if MODE == 'kill' else ['error=' + e for e in MODE.split(',')]
    seed = int(E.get('CORTEN_SEED') or random.randrange(1 << 30))
    random.seed(seed)
    print('seed %d' % seed, flush=True)
    daemon.start()
    only = E.get('CORTEN_STEPS')
    names = [n for n in OPS if not only or n in only.split(',')]
    hits = rounds = 0
    failures = []
    if ROUNDS:
        random.shuffle(names)
    for name in names[:ROUNDS] if ROUNDS else names:
        most = count(name)
        steps = range(1, most + 1) if not ROUNDS else [random.randint(1, most)]
        for step in steps:
            for what in whats if not ROUNDS else [random.choice(whats)]:
                rounds += 1
                try:
                    hits += once(name, step, what)
                except AssertionError as e:
                    failures.append(str(e))
                    print('FAILED: %s' % e, flush=True)
                    if daemon.dead():
                        daemon.start()
        print('%s: %d steps' % (name, most), flush=True)
    at_end = True
    clear()
    created()
    clear()
    expect_facts('at the end')
    daemon.stop()
    print('%d rounds, %d of them hit' % (rounds, hits))
    assert not failures, '%d rounds failed' % len(failures)
    assert hits >= rounds // 4, 'hardly a step was hit'


main()
