#!/bin/bash
# Ansible's docker modules (Debian's ansible, community.docker): ansible.yml, against this daemon and, where there is one,
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
        "$here/ansible.yml" > "$log" 2>&1
}
start_daemon
make_busybox_image
step "against corten"
play ours in_net || { grep -B3 -A12 -E '^(fatal|failed)' ours | cut -c1-3000; tail -3 ours; bad=1; }
in_peer() { nsenter --net="/proc/$peer_net/ns/net" -- env DOCKER_HOST="$peer" "$@"; }
step "against dockerd"
if run_dockerd && dk save busybox | peer load > /dev/null; then
    play theirs in_peer || grep -B3 -A12 -E '^(fatal|failed)' theirs | cut -c1-3000
    echo "# dockerd: $(tail -2 theirs | tr -s ' \n' ' ')"
fi
echo "# corten: $(tail -2 ours | tr -s ' \n' ' ')"
[ -z "${bad:-}" ] || fail "the play fails against corten"
pass
