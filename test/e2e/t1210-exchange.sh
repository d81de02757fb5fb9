#!/bin/bash
# Images go between us, skopeo, podman and dockerd through a registry, archives and layouts, in both
# directions, and every digest stays what it was.
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
for p in docker-registry skopeo python3; do command -v $p >/dev/null || skip "$p is not installed"; done
w=$TEST_TMP/x
mkdir "$w"
start_daemon
cat >"$w/registry.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $w/registry}}
http: {addr: '127.0.0.1:5000'}
END
in_net docker-registry serve "$w/registry.yml" >"$w/registry.log" 2>&1 &
at_end "kill $! 2>/dev/null"
r=127.0.0.1:5000
eventually 10 in_net curl -sf -o /dev/null http://$r/v2/
busybox=$(command -v busybox)
sk() { in_net skopeo --insecure-policy "$@"; }
there() { # NAME: digest of what the registry has under that name
    in_net curl -sf -H 'Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json' \
        "http://$r/v2/${1%%:*}/manifests/${1#*:}" | sha256sum | sed 's/^/sha256:/; s/ .*//'
}
empty() { dk rmi -f $(dk images -aq | sort -u) >/dev/null 2>&1; expect_eq "$(dk images -aq)" ''; }
repo_digests() { dk inspect -f '{{join .RepoDigests "\n"}}' "$1"; }

echo '{}' >"$DOCKER_CONFIG/config.json"

step "an index with an attestation: pulled, pushed, saved, loaded, pushed"
index=$(python3 "$here/foreign-layout.py" "$w/foreign" "$busybox" --attest)
sk copy -q --all --preserve-digests --dest-tls-verify=false "oci:$w/foreign:1" docker://$r/foreign:1 || fail "skopeo copy"
expect_eq "$(there foreign:1)" "$index"
expect_status 0 dk pull $r/foreign:1
expect_match "$output" "^Digest: $index\$"
expect_eq "$(repo_digests $r/foreign:1)" "$r/foreign@$index"
id=$(dk inspect -f '{{.Id}}' $r/foreign:1)
expect_eq "$(dk run --rm --network none $r/foreign:1 | sort -u)" 'one two three'
dk tag $r/foreign:1 $r/copy:2
expect_status 0 dk push $r/copy:2
expect_match "$output" "^2: digest: $index size: [0-9]+\$"
expect_match "$output" 'Mounted from foreign$'
expect_eq "$(there copy:2)" "$index"
expect_match "$(repo_digests $r/copy:2)" "^$r/copy@$index\$"
dk save -o "$w/save.tar" $r/copy:2
mkdir "$w/layout" && tar -C "$w/layout" -xf "$w/save.tar"
expect_eq "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["manifests"][0]["digest"])' "$w/layout/index.json")" "$index"
sk copy -q --all --preserve-digests --dest-tls-verify=false "oci-archive:$w/save.tar" docker://$r/saved:1 || fail "skopeo reads the archive"
expect_eq "$(there saved:1)" "$index"
empty
expect_status 0 dk load -i "$w/save.tar"
expect_eq "$(dk inspect -f '{{.Id}}' $r/copy:2)" "$id"
dk tag $r/copy:2 $r/loaded:1
expect_status 0 dk push $r/loaded:1
expect_eq "$(there loaded:1)" "$index"
for d in $(python3 -c 'import json, sys; [print(m["digest"]) for m in json.load(open(sys.argv[1]))["manifests"]]' "$w/foreign/blobs/sha256/${index#*:}"); do
    expect_eq "$(there "loaded:$d")" "$d"
done
expect_status 0 ct system check
empty
nothing_kept() { [ -z "$(find "$DATA_ROOT/image/blob" "$DATA_ROOT/image/layer" "$DATA_ROOT/image/ingest" -mindepth 1 -not -name '??' -not -name sha256 -not -name partial)" ]; }
eventually 5 nothing_kept

step "a lone manifest with zstd layers; by digest; across a restart"
if command -v zstd >/dev/null; then
    manifest=$(python3 "$here/foreign-layout.py" "$w/zstd" "$busybox" --zstd)
    sk copy -q --preserve-digests --dest-tls-verify=false "oci:$w/zstd:1" docker://$r/zstd:1 || fail "skopeo copy"
    expect_status 0 dk pull "$r/zstd@$manifest"
    restart_daemon
    dk tag "$r/zstd@$manifest" $r/zstd-copy:1
    expect_status 0 dk push $r/zstd-copy:1
    expect_eq "$(there zstd-copy:1)" "$manifest"
fi

step "what we made: the same manifest for everybody, and at the next push"
make_busybox_image box
own=$(dk inspect -f '{{.Id}}' box)
dk tag box $r/own:1
expect_status 0 dk push $r/own:1
made=$(there own:1)
expect_match "$output" "$made"
expect_eq "$(repo_digests $r/own:1)" "$r/own@$made"
dk tag box $r/own2:1
expect_status 0 dk push $r/own2:1
expect_eq "$(there own2:1)" "$made"
sk copy -q --src-tls-verify=false docker://$r/own:1 "oci:$w/own:1" || fail "skopeo pulls"
sk copy -q --src-tls-verify=false docker://$r/own:1 "docker-archive:$w/own.tar:from/skopeo:1" || fail "skopeo writes an archive"
tar -C "$w/own" -cf "$w/own-layout.tar" .
empty
dk load -q -i "$w/own.tar" >/dev/null || fail "load of a docker-archive"
expect_eq "$(dk inspect -f '{{.Id}}' from/skopeo:1)" "$own"
dk load -q -i "$w/own-layout.tar" >/dev/null || fail "load of a layout"
empty

# --- engines: NAME COMMAND… is that engine's CLI
both_ways() { # ENGINE: its name; $1 … is a function
    local e=$1 tls=$2 there_id
    step "$e: registry"
    expect_status 0 "$e" pull -q $tls $r/own:1
    there_id=$("$e" inspect -f '{{.Id}}' $r/own:1)
    expect_eq "sha256:${there_id#sha256:}" "$own"
    "$e" tag $r/own:1 "$r/from-$e:1"
    expect_status 0 "$e" push -q $tls "$r/from-$e:1"
    digest=$(there "from-$e:1")
    expect_status 0 dk pull -q "$r/from-$e:1"
    expect_eq "$(dk inspect -f '{{.Id}}' "$r/from-$e:1")" "$own"
    expect_eq "$(repo_digests "$r/from-$e:1" | grep -F "from-$e")" "$r/from-$e@$digest"
    dk tag "$r/from-$e:1" "$r/back-$e:1"
    expect_status 0 dk push -q "$r/back-$e:1"
    expect_eq "$(there "back-$e:1")" "$digest"
    step "$e: archives"
    dk save -o "$w/ours.tar" "$r/back-$e:1"
    "$e" rmi -f $r/own:1 "$r/from-$e:1" >/dev/null
    expect_status 0 "$e" load -q -i "$w/ours.tar"
    there_id=$("$e" inspect -f '{{.Id}}' "$r/back-$e:1")
    expect_eq "sha256:${there_id#sha256:}" "$own"
    empty
    "$e" save -o "$w/theirs.tar" "$r/back-$e:1" >/dev/null 2>&1 || fail "$e save"
    expect_status 0 dk load -q -i "$w/theirs.tar"
    expect_eq "$(dk inspect -f '{{.Id}}' "$r/back-$e:1")" "$own"
}

if command -v podman >/dev/null; then
    pod() { in_net podman --root "$w/podman" --runroot "$w/podman-run" --storage-driver vfs --cgroup-manager cgroupfs \
        --events-backend none "$@"; }
    both_ways pod --tls-verify=false
    pod save -q --format oci-archive -o "$w/oci.tar" "$r/back-pod:1" || fail "podman save"
    empty
    # podman writes the config anew, as OCI's: what counts is that we take what it says.
    mkdir "$w/oci" && tar -C "$w/oci" -xf "$w/oci.tar"
    converted=$(python3 -c 'import json, sys; d = lambda p: json.load(open(sys.argv[1] + p))
print(d("/blobs/sha256/" + d("/index.json")["manifests"][0]["digest"][7:])["config"]["digest"])' "$w/oci")
    expect_status 0 dk load -i "$w/oci.tar"
    expect_eq "$(dk images -aq --no-trunc)" "$converted"
    empty
fi
peer_net=$net_pid
run_dockerd --iptables=false --bridge=none --storage-driver vfs && both_ways peer ''
pass
