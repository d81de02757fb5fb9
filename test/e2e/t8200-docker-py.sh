#!/bin/bash
# docker-py's own integration tests (the version of Debian's python3-docker), unmodified, against this daemon.
# Their source is fetched when the test runs; CORTEN_DOCKER_PY names a directory that has it already (with
# tests/ in it). Swarm, services, secrets, configs, nodes and managed plugins are left out, and what needs a
# registry; t8200-docker-py.known lists, with reasons, what else differs from Docker Engine on purpose or
# cannot pass here.
# Where dockerd is installed, all cases, without a list, run against both: as many have to pass here as there.
# limit: 1500
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
[ -n "${CORTEN_FULL:-}${CORTEN_DOCKER_PY:-}" ] || skip "a full run only (CORTEN_FULL)"
python=/usr/bin/python3
"$python" -c 'import docker, pytest' 2> /dev/null || skip "python3-docker and python3-pytest are not installed"

fetch() { # into ./source
    local version
    version=$(dpkg-query -W -f '${Version}' python3-docker) || return 1
    mkdir -p apt/lists/partial apt/cache/archives/partial
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' | sort -u |
        awk -v suite="$suite" '$2 == suite { print "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " $1 " " suite " main" }' >apt/sources
    local options=(-o "Dir::Etc::sourcelist=$PWD/apt/sources" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache")
    apt-get "${options[@]}" update > /dev/null 2>&1 &&
        apt-get "${options[@]}" source --download-only "python-docker=$version" > /dev/null 2>&1 &&
        mkdir source && tar -xf python-docker_*.orig.tar.* --strip-components=1 -C source
}
if [ -n "${CORTEN_DOCKER_PY:-}" ]; then
    cp -r "$CORTEN_DOCKER_PY" source
else
    fetch || skip "the source of Debian's python-docker cannot be fetched here"
fi

command -v docker-registry > /dev/null || skip "docker-registry is not installed"
make_net
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\n%s\n' \
    "$TEST_TMP/registry" "http: {addr: '127.0.0.1:5000'}" > "$TEST_TMP/registry.yml"
serve_registry() { # COMMAND that runs something in a network namespace
    "$@" docker-registry serve "$TEST_TMP/registry.yml" > "$TEST_TMP/registry.log" 2>&1 &
    at_end "kill $! 2> /dev/null"
    eventually 10 "$@" curl -sf -o /dev/null http://127.0.0.1:5000/v2/
}
serve_registry in_net
echo '{"registries": [{"prefix": "docker.io", "mirrors": ["http://127.0.0.1:5000"], "fallback": false}]}' > daemon.json
start_daemon --config "$PWD/daemon.json"
make_busybox_image base
# What the tests expect of alpine:3.10.
dk run --name prepare base sh -c 'adduser -D -H postgres 2>/dev/null || echo "postgres:x:70:70::/:/bin/sh" >> /etc/passwd; mkdir -p /var/opt /usr/local /var/lib /opt'
dk export prepare | dk import --change 'CMD ["/bin/sh"]' - alpine:3.10 > /dev/null
dk rm prepare > /dev/null
for name in busybox:latest alpine:latest busybox:buildroot-2014.02; do dk tag alpine:3.10 "$name"; done
# What they pull from Docker Hub comes from its mirror.
printf 'FROM scratch\nCOPY hello /hello\nCMD ["/hello"]\n' > Dockerfile
echo hello > hello
DOCKER_BUILDKIT=0 dk build -q -t hello-world . > /dev/null 2>&1 || fail "hello-world"
for name in hello-world:latest alpine:latest alpine:3.10 busybox:latest; do
    dk tag "$name" "127.0.0.1:5000/library/$name"
    dk push -q "127.0.0.1:5000/library/$name" > /dev/null || fail "push $name"
    dk rmi "127.0.0.1:5000/library/$name" > /dev/null
done

# Debian's Python warns about what docker-py uses, and its tests turn warnings into errors.
mkdir plugin
cat > plugin/quiet_distutils.py <<'P'
import warnings
with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    from distutils import version
def init(self, vstring=None):
    if vstring:
        self.parse(vstring)
version.Version.__init__ = init

# A case that hangs fails, and the others go on.
import signal
import pytest
def too_long(*_):
    raise TimeoutError('a minute has passed')
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    yield
    signal.alarm(0)
P
cd source || fail "no source"
left_out=()
for name in api_swarm api_service api_secret api_config api_plugin models_services models_swarm models_nodes; do
    left_out+=(--ignore "tests/integration/${name}_test.py")
done
round() { # API-VERSION
    local status first second left_out=("${left_out[@]}")
    while read -r first second _; do
        case $first in
        '' | '#'*) ;;
        "$1") left_out+=(--deselect "$second") ;;
        tests/*) left_out+=(--deselect "$first") ;;
        esac
    done < "$here/t8200-docker-py.known"
    rm -rf contexts # of the round before: without a config.json docker-py keeps them where it is
    in_net env PYTHONPATH="$TEST_TMP/cwd/plugin" DOCKER_TEST_API_VERSION="$1" timeout 420 \
        "$python" -m pytest -p quiet_distutils -p no:cacheprovider -q \
        "${left_out[@]}" tests/integration > "$TEST_TMP/pytest.out" 2>&1
    status=$?
    tail -5 "$TEST_TMP/pytest.out"
    [ $status = 0 ] && return
    grep -E '^(E  |____)' "$TEST_TMP/pytest.out" | tail -200
    [ -z "${CORTEN_DOCKER_PY_OUT:-}" ] || cp "$TEST_TMP/pytest.out" "$CORTEN_DOCKER_PY_OUT"
    fail "API $1: pytest ends with $status"
}
step "as a client of today"
round 1.51
step "as a client of Debian's dockerd"
round 1.41

# All cases as a client of 1.41, without a list; the names of those that pass.
passes() { # COMMAND that runs something in a network namespace
    rm -rf contexts
    "$@" env PYTHONPATH="$TEST_TMP/cwd/plugin" DOCKER_TEST_API_VERSION=1.41 timeout 900 \
        "$python" -m pytest -p quiet_distutils -p no:cacheprovider -v --tb=short "${left_out[@]}" tests/integration > "$TEST_TMP/pytest.out" 2>&1
    [ -z "${CORTEN_DOCKER_PY_OUT:-}" ] || cp "$TEST_TMP/pytest.out" "$CORTEN_DOCKER_PY_OUT.$1"
    sed -n 's/^\(tests[^ ]*\) PASSED.*/\1/p' "$TEST_TMP/pytest.out" | sort -u
}
in_peer() { nsenter --net="/proc/$peer_net/ns/net" -- env DOCKER_HOST="$peer" "$@"; }
if run_dockerd --registry-mirror http://127.0.0.1:5000; then
    step "beside dockerd $(peer version -f '{{.Server.Version}}')"
    serve_registry in_peer
    dk save alpine:3.10 alpine:latest busybox:latest busybox:buildroot-2014.02 | peer load > /dev/null || fail "load into dockerd"
    passes in_peer > "$TEST_TMP/theirs"
    passes in_net > "$TEST_TMP/ours"
    echo "# passed: corten $(wc -l < "$TEST_TMP/ours"), dockerd $(wc -l < "$TEST_TMP/theirs")"
    [ "$(wc -l < "$TEST_TMP/theirs")" -gt 200 ] || fail "dockerd does not get through them"
    sed -n 's/^\(tests[^ ]*\).*/\1/p' "$here/t8200-docker-py.known" | sort -u > "$TEST_TMP/known"
    lost=$(comm -23 "$TEST_TMP/theirs" "$TEST_TMP/ours" | comm -23 - "$TEST_TMP/known")
    [ "$(wc -l < "$TEST_TMP/ours")" -ge "$(wc -l < "$TEST_TMP/theirs")" ] || fail "fewer cases pass than against dockerd"
    [ -z "$lost" ] || fail "pass there and not here, and the list does not say why: $lost"
fi
pass
