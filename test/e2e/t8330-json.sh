#!/bin/bash
# --json: every command prints what docs/json.md says of it, one object a line.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
start_daemon
make_busybox_image
cd "$TEST_TMP" || exit 1
printf 'FROM busybox\nRUN --mount=type=cache,id=cache,target=/c echo x >/x\nHEALTHCHECK --interval=1h CMD true\n' >Dockerfile

# What a command prints is kept; the keys of its first object are compared with the row of the page at the end.
keys() { # COMMAND ARGUMENTS…: the command's name is that of the page, with _ for blanks; $row: another one
    local name=${1//_/ }
    shift
    n=$((n + 1))
    ct $name --json "$@" >"$TEST_TMP/json.$n" 2>"$TEST_TMP/err" </dev/null || fail "$name $*: $(cat "$TEST_TMP/err")"
    printf '%s\t%s\n' "${row:-$name}" "$TEST_TMP/json.$n" >>"$TEST_TMP/names"
}
compare_with_page() { # collects rows with $WRITE_ROWS
    python3 - "$root/docs/json.md" "$TEST_TMP/names" <<'PY'
import json, os, sys
page = open(sys.argv[1]).read().splitlines()
bad = []
for line in open(sys.argv[2]):
    name, path = line.rstrip("\n").split("\t")
    first = json.JSONDecoder().raw_decode(open(path).read())[0]
    many = isinstance(first, list)
    keys = sorted(first[0] if many else first)
    if "inspect" in name or name in ("info", "version", "events"):
        keys = ["as the API has it"]
    row = "| `%s` | %s | %s |" % (name, "array" if many else "object", " ".join(keys))
    if os.environ.get("WRITE_ROWS"):
        open(os.environ["WRITE_ROWS"], "a").write(row + "\n")
    elif row not in page:
        bad.append(row)
sys.exit("docs/json.md does not say:\n" + "\n".join(bad) if bad else 0)
PY
}
n=0 row=
keys build -t made .
keys run -d --name web -p 127.0.0.1:8096:80 -v data:/data busybox sh -c 'echo line; sleep 1000'
keys create --name idle busybox true
keys ps
keys images
keys history made
keys image_explain made
keys image_ancestry made
keys image_attestation made
keys rebuild --dry-run made
keys builder_ls
keys builder_export -o cache.tar cache
keys builder_import cache cache.tar
keys system_backup "$TEST_TMP/copy"
keys port web
keys top web
row="top, of all" keys top
keys stats --no-stream web
keys logs web
keys diff web
keys inspect web
keys container_inspect web
keys image_inspect made
keys update --cpu-shares 512 web
keys pause web
keys unpause web
keys stop -t 0 web
keys start web
keys restart -t 0 web
keys kill web
keys wait web
keys rename idle lazy
keys commit lazy committed
keys tag made other:1
keys save -o made.tar made
keys export -o lazy.tar lazy
keys cp lazy:/etc/passwd ./passwd
keys load -i made.tar
keys import lazy.tar imported
keys rmi other:1
keys volume_create v1
keys volume_ls
keys volume_inspect v1
keys volume_update --label-add a=b v1
keys volume_export -o v1.tar v1
keys volume_import v1 v1.tar
keys volume_snapshot v1 v2
keys volume_rename v2 v3
keys volume_rm v1 v3
keys network_create n1
keys network_ls
keys network_inspect n1
keys network_connect n1 lazy
keys network_disconnect n1 lazy
keys network_rm n1
keys network_stats --no-stream bridge
keys events --since 0 --until 0s
keys version
keys info
keys system_df
keys system_check
keys system_gc -n
keys why_dead web
keys why_disk
keys why_name lazy x
keys why_unreachable web
keys context_create here --docker host=unix:///x
keys context_update here --description d
keys context_ls
keys context_inspect here
keys context_show
keys context_export here here.tar
keys context_import there here.tar
keys context_use default
keys context_rm here there
keys rm -f lazy
keys container_prune -f
keys image_prune -f
keys volume_prune -f
keys network_prune -f
keys builder_prune -f
keys system_prune -f
keys logout registry.example

step "the life cycle"
printf 'FROM busybox\nLABEL corten.method.validate=true corten.method.monitor=true corten.method.backup=true corten.method.update=true\nCMD ["sleep","1000"]\n' |
    ct build -q -t lives - >/dev/null || fail "build"
ct run -d --name life lives >/dev/null
keys call validate life
keys validate life
keys monitor life
keys backup life
keys generate_systemd life
keys methods life
keys webhook_create life
keys webhook_rm life

step "what a registry is asked"
if command -v docker-registry >/dev/null; then
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:5000"}\n' \
        "$TEST_TMP/registry" >"$TEST_TMP/registry.yml"
    in_net docker-registry serve "$TEST_TMP/registry.yml" >"$TEST_TMP/registry.log" 2>&1 &
    at_end "kill $! 2>/dev/null"
    eventually 10 in_net curl -sf -o /dev/null http://127.0.0.1:5000/v2/
    ct tag busybox 127.0.0.1:5000/a/b:1
    keys push 127.0.0.1:5000/a/b:1
    keys pull 127.0.0.1:5000/a/b:1
    keys manifest_create 127.0.0.1:5000/a/all:1 127.0.0.1:5000/a/b:1
    keys manifest_annotate --arch arm64 127.0.0.1:5000/a/all:1 127.0.0.1:5000/a/b:1
    keys manifest_inspect 127.0.0.1:5000/a/b:1
    keys manifest_push 127.0.0.1:5000/a/all:1
    keys manifest_rm 127.0.0.1:5000/a/all:1
    keys login -u me -p secret 127.0.0.1:5000
fi

step "of an engine that has plugins, checkpoints, a search"
python3 "$here/engine.py" "$TEST_TMP/engine.sock" >"$TEST_TMP/asked" &
at_end "kill $! 2>/dev/null"
eventually 5 test -S "$TEST_TMP/engine.sock"
mkdir -p plug/rootfs && echo '{}' >plug/config.json
(
    export CORTEN_HOST=unix://$TEST_TMP/engine.sock DOCKER_HOST=unix://$TEST_TMP/engine.sock
    n=900
    keys search box
    keys checkpoint_create web one
    keys checkpoint_ls web
    keys checkpoint_rm web one
    keys plugin_ls
    keys plugin_inspect vieux/sshfs
    keys plugin_create mine plug
    keys plugin_install --grant-all-permissions vieux/sshfs
    keys plugin_set vieux/sshfs A=b
    keys plugin_enable vieux/sshfs
    keys plugin_disable vieux/sshfs
    keys plugin_upgrade vieux/sshfs
    keys plugin_push vieux/sshfs
    keys plugin_rm vieux/sshfs
) || exit 1
expect_match "$(cat "$TEST_TMP/asked")" '^POST /containers/web/checkpoints [1-9]'
expect_match "$(cat "$TEST_TMP/asked")" '^DELETE /containers/web/checkpoints/one 0$'

step "the page says so"
compare_with_page || fail "docs/json.md"
step "what is no object is refused"
for plain in attach exec debug; do
    expect_fails 'as it is' ct $plain --json web true
done
expect_fails 'only with --output' ct save --json busybox
pass
