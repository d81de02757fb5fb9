#!/bin/bash
# Ansible's docker modules (Debian's ansible, community.docker): t8230-ansible.yml, against this daemon and, where there is one,
# against dockerd.
# limit: 900
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
[ -n "${CORTEN_FULL:-}" ] || skip "a full run only (CORTEN_FULL)"
command -v ansible-playbook > /dev/null || skip "ansible is not installed"
/usr/bin/python3 -c 'import requests' 2> /dev/null || skip "python3-requests is not installed"
mkdir context
printf 'FROM busybox\nARG WORD\nLABEL word=$WORD\nRUN echo $WORD > /word\n' > context/Dockerfile
play() { # LOG COMMAND that runs something in a network namespace
    local log=$1
    shift
    rm -f context/made.tar
    "$@" env -u LC_ALL LANG=C.UTF-8 ANSIBLE_LOCAL_TEMP="$TEST_TMP/ansible" ANSIBLE_LOCALHOST_WARNING=false \
        ansible-playbook -i localhost, -c local -e ansible_python_interpreter=/usr/bin/python3 -e "context=$PWD/context" \
        "$here/t8230-ansible.yml" > "$log" 2>&1
}
command -v docker-registry > /dev/null || skip "docker-registry is not installed"
serve_registry() { # COMMAND that runs something in a network namespace
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\n%s\n' \
        "$TEST_TMP/registry-$1" "http: {addr: '127.0.0.1:5000'}" > "$TEST_TMP/registry-$1.yml"
    "$@" docker-registry serve "$TEST_TMP/registry-$1.yml" > "$TEST_TMP/registry.log" 2>&1 &
    at_end "kill $! 2> /dev/null"
    eventually 10 "$@" curl -sf -o /dev/null http://127.0.0.1:5000/v2/
}
start_daemon
serve_registry in_net
make_busybox_image
step "against corten"
play ours in_net || { grep -B3 -A12 -E '^(fatal|failed)' ours | cut -c1-3000; tail -3 ours; bad=1; }
in_peer() { nsenter --net="/proc/$peer_net/ns/net" -- env DOCKER_HOST="$peer" "$@"; }
step "against dockerd"
if run_dockerd && serve_registry in_peer && dk save busybox | peer load > /dev/null; then
    play theirs in_peer || grep -B3 -A12 -E '^(fatal|failed)' theirs | cut -c1-3000
    echo "# dockerd: $(tail -2 theirs | tr -s ' \n' ' ')"
fi
echo "# corten: $(tail -2 ours | tr -s ' \n' ' ')"
[ -z "${bad:-}" ] || fail "the play fails against corten"
pass
