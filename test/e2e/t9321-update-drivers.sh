#!/bin/bash
# Update as a transaction where the container's root is a snapshot (btrfs) or a copy (vfs); of its
# names none is taken for our own.
. "$(dirname "$0")/lib.sh"
tree() { dk exec web sh -c 'cd /site; find . | sort; cat index keep/f 2>/dev/null; readlink link; ls -ld /site/keep | cut -c1-10; ls -A / | grep corten; cat /.corten-update/own; cat /old/o; stat -c "%Y %s" /big'; }
round() {
    start_daemon --storage-driver "$1"
    make_busybox_image
    printf '%s\n' 'FROM busybox' 'RUN mkdir -p /site/keep /site/gone /old && echo one > /site/index && echo f > /site/keep/f && echo g > /site/gone/g && ln -s keep /site/link && echo o > /old/o && dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null' \
        'LABEL corten.method.validate="test \"\$(cat /site/index)\" != broken" corten.method.update="sh /tmp/do"' \
        'CMD ["sh", "-c", "trap \"exit 0\" TERM; while :; do cat /site/index >/dev/null || echo miss >>/tmp/misses; sleep 0.01; done"]' | dk build -q -t app - >/dev/null 2>&1 || fail "build"
    dk run -d --name web app >/dev/null || fail "run"
    dk exec web sh -c 'mkdir /.corten-update; echo mine > /.corten-update/own'
    local started before
    started=$(dk inspect -f '{{.State.StartedAt}}' web)
    dk exec -i web sh -c 'cat > /tmp/do' <<<'echo two > /site/index'
    expect_status 0 ct update web
    before=$(tree)
    expect_match "$before" '^two$'
    expect_match "$before" '^mine$'
    dk exec -i web sh -c 'cat > /tmp/do' <<<'echo broken > /site/index; rm -r /site/gone; mkdir -p /site/deep/er; echo c > /site/keep/f; chmod 777 /site/keep; rm /site/link; ln -s / /site/link; mv /old /older; echo x >> /big; rm -r /.corten-update; echo out; '
    expect_status 1 ct update web
    expect_match "$output" '^out$'
    expect_match "$output" '^web: rolled back: method: validate: failed'
    expect_eq "$(tree)" "$before"
    expect_eq "$(dk exec web sh -c 'ls -d /older /tmp/misses 2>/dev/null')" ''
    expect_eq "$(dk inspect -f '{{.State.StartedAt}}' web)" "$started"
    dk rm -f web >/dev/null
    stop_daemon
}

step "overlay2"
round overlay2
rm -rf "$DATA_ROOT"
step "vfs"
round vfs
rm -rf "$DATA_ROOT"
step "btrfs"
mount_btrfs "$DATA_ROOT"
round btrfs
pass
