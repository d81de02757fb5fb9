#!/bin/bash
# A toolbox beside a container without a shell; containers as units of systemd.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

step "a container with one program and no shell"
mkdir "$TEST_TMP/bare" && cp "$(readlink -f "$(command -v busybox)")" "$TEST_TMP/bare/sleep"
tar -C "$TEST_TMP/bare" -c . | ct import - bare >/dev/null || fail "import"
ct run -d --name naked --hostname naked -v shared:/data bare /sleep 1000 >/dev/null || fail "naked"
expect_fails 'not found|no such file' ct exec naked sh
expect_match "$(ct debug naked ps)" 'sleep 1000'
expect_eq "$(ct debug naked ls /proc/1/root/)" "$(printf 'data\ndev\netc\nproc\nsleep\nsys')"
ct debug naked touch /data/from-toolbox && [ -e "$(ct volume inspect -f '{{.Mountpoint}}' shared)/from-toolbox" ] || fail "its volumes are not there"
expect_eq "$(ct debug naked readlink /proc/self/ns/net)" "$(readlink "/proc/$(ct inspect -f '{{.State.Pid}}' naked)/ns/net")"
expect_status 7 ct debug naked sh -c 'exit 7'
expect_eq "$(echo words | ct debug naked cat)" words
expect_eq "$(ct debug -e A=b -u 5 naked sh -c 'echo $A $(id -u)')" "b 5"
expect_eq "$(ct ps -q | wc -l)" 1
ct stop -t 0 naked >/dev/null
expect_fails "^corten: naked does not run, .*corten why dead naked" ct debug naked ps

step "units"
unit=$(ct generate systemd naked)
expect_match "$unit" '^ExecStart=/usr/bin/corten start --attach naked$'
expect_match "$unit" '^Requires=corten.service$'
if command -v systemd-analyze >/dev/null; then
    ct generate systemd naked | sed 's#/usr/bin/corten#/bin/true#; /corten.service/d' >"$TEST_TMP/naked.service"
    systemd-analyze verify "$TEST_TMP/naked.service" || fail "systemd does not take it"
fi
ct run -d --name always --restart always bare /sleep 1000 >/dev/null
expect_fails "restart policy 'always'.*update --restart no always" ct generate systemd always
mkdir "$TEST_TMP/units"
cat >"$TEST_TMP/bin/systemctl" <<END
#!/bin/sh
echo "\$*" >>"$TEST_TMP/systemctl.log"
[ "\$1" != enable ] || [ -e "$TEST_TMP/units/\$3" ]
END
chmod +x "$TEST_TMP/bin/systemctl"
id=$(SYSTEMD_UNIT_PATH=$TEST_TMP/units ct run --name kept --systemd-unit kept bare /sleep 1000) || fail "run --systemd-unit"
expect_eq "$(ct inspect -f '{{.Id}} {{.State.Status}}' kept)" "$id created"
expect_eq "$(tr '\n' ';' <"$TEST_TMP/systemctl.log")" 'daemon-reload;enable --now kept.service;'
expect_match "$(cat "$TEST_TMP/units/kept.service")" '^ExecStop=/usr/bin/corten stop kept$'
ct run --name inplace --systemd-unit ./inplace.service bare /sleep 1 >/dev/null && [ -s inplace.service ] || fail "a path"
expect_status 125 ct run --rm --systemd-unit x bare /sleep 1
printf '#!/bin/sh\nexit 3\n' >"$TEST_TMP/bin/systemctl"
expect_fails 'systemctl daemon-reload failed with status 3' env SYSTEMD_UNIT_PATH="$TEST_TMP/units" "$bin/corten" run --name gone --systemd-unit gone bare /sleep 1
expect_fails 'No such' ct inspect gone
ct rm -f naked always kept inplace >/dev/null
pass
