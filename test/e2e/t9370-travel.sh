#!/bin/bash
# What an image says of itself and its ancestors goes with it: through a registry, an archive, skopeo's
# layout, several stages; of an image built elsewhere its OCI annotations tell, bounded and escaped.
. "$(dirname "$0")/lib.sh"
for p in docker-registry skopeo python3; do command -v $p >/dev/null || skip "$p is not installed"; done
start_daemon
cat >registry.yml <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $PWD/registry}}
http: {addr: '127.0.0.1:5000'}
END
in_net docker-registry serve registry.yml >registry.log 2>&1 &
at_end "kill $! 2>/dev/null"
r=127.0.0.1:5000
eventually 10 in_net curl -sf -o /dev/null http://$r/v2/
sk() { in_net skopeo --insecure-policy copy -q --preserve-digests "$@" || fail "skopeo copy $*"; }
notes() { dk inspect "$1" | jq -c '.[0].Annotations'; }
empty() { # the second time what the first one's were built on
    ct builder prune -af >/dev/null && dk image prune -af >/dev/null && dk image prune -af >/dev/null
    expect_eq "$(dk images -q)" ''
}
python3 - >notes.json <<'EOF2'
import json
o = "org.opencontainers.image."
print(json.dumps({
    "manifest": {o + "revision": "0123456789abcdef", o + "vendor": "\u001b[31mred\u202e", "made.elsewhere": "yes",
                 o + "licenses": "x" * 5000, "corten.method.validate": "touch /owned", o + "ref.name": "lies"},
    "descriptor": {o + "source": "https://example.org/made.git", o + "revision": "far"},
    "index": dict({o + "version": "7.1"}, **{"k%d" % i: "v" for i in range(100)})}))
EOF2
python3 "$here/foreign-layout.py" foreign "$(command -v busybox)" --annotate notes.json >/dev/null || fail "layout"
sk --all --dest-tls-verify=false oci:foreign:1 docker://$r/made:1

step "pulled: what is nearest to the image is believed; all of it bounded, shown escaped"
expect_status 0 dk pull -q $r/made:1
expect_eq "$(dk inspect $r/made:1 | jq -r '.[0].Annotations | length, .["org.opencontainers.image.revision"], .["org.opencontainers.image.source"],
    .["org.opencontainers.image.version"], .["made.elsewhere"], .["org.opencontainers.image.licenses"], .["org.opencontainers.image.ref.name"]')" \
    "$(printf '%s\n' 64 0123456789abcdef https://example.org/made.git 7.1 yes null null)"
expect_eq "$(ct metadata $r/made:1 | jq -r '.gitref, .git_remote, .annotations["org.opencontainers.image.version"], .validate')" \
    "$(printf '%s\n' 0123456789abcdef https://example.org/made.git 7.1 false)"
ct examine $r/made:1 >shown
expect_match "$(cat shown)" '^  source +https://example.org/made.git at 0123456789abcdef$'
expect_match "$(cat shown)" '^  vendor +.x1b\[31mred.xe2.x80.xae$'
expect_match "$(cat shown)" '^  version +7.1$'
expect_eq "$(tr -d '\n\t -~' <shown | wc -c)" 0
expect_eq "$(dk run --rm --network none $r/made:1 sh -c 'ls -d /owned' 2>&1 | grep -c '^/owned$')" 0
before=$(notes $r/made:1)
restart_daemon
expect_eq "$(notes $r/made:1)" "$before"

step "they are in the ancestry of what is built on it, through several stages"
printf 'FROM %s\nLABEL corten.method.validate=true corten.metadata="{\\"team\\":\\"dns\\"}"\n' $r/made:1 | ct build -q -t base - >/dev/null || fail "base"
printf 'FROM base AS tools\nRUN ["/bin/busybox","touch","/t"]\nFROM %s\nCOPY --from=tools /t /t\n' $r/made:1 | ct build -q -t $r/app:1 - >/dev/null || fail "app"
chain() { ct metadata "$1" | jq -c '[.ancestors[] | [.image_name, .by, .gitref, .annotations["org.opencontainers.image.version"], .validate_method, .metadata.team]]'; }
seen=$(chain $r/app:1)
made="\"$r/made:1\",\"from\",\"0123456789abcdef\",\"7.1\",null,null"
expect_match "$seen" 'base","copy",.*"true","dns"'
expect_eq "$(jq -c '.[-1]' <<<"$seen")" "[$made]"
expect_match "$(ct examine $r/app:1)" '^ancestor 127.0.0.1:5000/made:1$'

step "they go through the registry, an archive, and skopeo's layout"
expect_status 0 dk push $r/app:1
dk save -o app.tar $r/app:1 $r/made:1
empty
expect_status 0 dk pull -q $r/app:1
expect_eq "$(chain $r/app:1)" "$seen"
empty
dk load -q -i app.tar >/dev/null || fail "load"
expect_eq "$(chain $r/app:1)" "$seen"
expect_eq "$(notes $r/made:1)" "$before"
empty
sk --src-tls-verify=false docker://$r/app:1 oci:layout:app
tar -C layout -cf layout.tar . && dk load -q -i layout.tar >/dev/null || fail "load layout"
expect_eq "$(chain "$(dk images -q)")" "$seen"
empty
sk --src-tls-verify=false docker://$r/made:1 oci:lone:made
tar -C lone -cf lone.tar . && dk load -q -i lone.tar >/dev/null || fail "load lone"
expect_eq "$(ct metadata -k gitref "$(dk images -q)")" 0123456789abcdef
empty

step "without them they are gone; ten megabytes of them harm nobody"
python3 "$here/foreign-layout.py" plain "$(command -v busybox)" --tag plain:1 >/dev/null
tar -C plain -cf plain.tar . && dk load -q -i plain.tar >/dev/null || fail "load plain"
expect_eq "$(notes plain:1)" '{"org.example.made":"elsewhere"}'
echo '{"manifest": {}, "descriptor": {}, "index": {}}' >none.json
python3 "$here/foreign-layout.py" none "$(command -v busybox)" --tag plain:1 --annotate none.json >/dev/null
tar -C none -cf none.tar . && dk load -q -i none.tar >/dev/null || fail "load none"
expect_eq "$(notes plain:1)" null
python3 -c 'import json; print(json.dumps({"manifest": {"a": "y" * (10 << 20)}, "descriptor": {}, "index": {}}))' >huge.json
python3 "$here/foreign-layout.py" huge "$(command -v busybox)" --annotate huge.json >/dev/null
tar -C huge -cf huge.tar . && expect_fails . dk load -i huge.tar
expect_eq "$(dk images -q plain:1 | wc -l)" 1
pass
