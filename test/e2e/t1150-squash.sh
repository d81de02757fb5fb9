#!/bin/bash
# image squash: the layers of an image, all or those above a base, become one; files, config and history stay.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box

step "an image of five layers that add, change, hide and remove"
layer() { # FROM TO COMMAND
    dk run --name step "$1" sh -c "$3" || fail "run for $2"
    dk commit -c "LABEL step=$2" step "$2" >/dev/null || fail "commit $2"
    dk rm step >/dev/null
}
layer box one 'mkdir -p /d/sub /e /gone/deep; echo 1 >/d/a; echo 1 >/d/sub/b; echo x >/e/below; echo 1 >/once; ln /d/a /d/hard'
layer one two 'rm /d/a; rm -r /gone; echo 2 >/d/sub/b; rm -r /e; mkdir /e; echo y >/e/above; chmod 4755 /once'
layer two three 'rm -r /d; echo file >/d; rm /bin/vi; mkdir /gone; echo 3 >/gone/new'
layer three four 'rm /d; mkdir /d; echo 4 >/d/again; chown 7:8 /d/again; ln -s /d/again /link; rm -r /usr /var; mkdir /var'

listing() { dk create --name look "$1" true >/dev/null && dk export look | tar -tv | grep -vE ' (dev|proc|sys|etc)/' | sort -k6; dk rm look >/dev/null; }
listing four >"$TEST_TMP/before"

step "all of them"
id=$(ct image squash -t flat:1 -t flat:also four) || fail "squash: $id"
expect_eq "$(dk images -q --no-trunc flat:1)" "$id"
expect_eq "$(dk images -q --no-trunc flat:also)" "$id"
expect_eq "$(dk inspect -f '{{len .RootFS.Layers}} {{.Config.Labels.step}} {{json .Config.Cmd}}' flat:1)" \
    "$(dk inspect -f '1 {{.Config.Labels.step}} {{json .Config.Cmd}}' four)"
listing flat:1 >"$TEST_TMP/after"
diff "$TEST_TMP/before" "$TEST_TMP/after" || fail "other files than before"
expect_eq "$(dk history -q flat:1 | wc -l)" 6
expect_match "$(dk history --no-trunc flat:1 | sed -n 2p)" "create new from $(dk images -q --no-trunc four)"
expect_eq "$(dk history --format '{{.Size}}' --human=false flat:1 | grep -vc '^0$')" 1

step "above a base: its layers stay, what they hide is hidden"
dk tag four team/deep/four
id=$(ct image squash --base box -t based team/deep/four) || fail "squash: $id"
expect_eq "$(dk inspect -f '{{len .RootFS.Layers}} {{index .RootFS.Layers 0}}' based)" "2 $(dk inspect -f '{{index .RootFS.Layers 0}}' box)"
listing based >"$TEST_TMP/after"
diff "$TEST_TMP/before" "$TEST_TMP/after" || fail "other files than before"
expect_eq "$(dk inspect -f '{{.Parent}}' based)" "$(dk images -q --no-trunc box)"
id=$(ct image squash --base two -t upper four) || fail "squash: $id"
expect_eq "$(dk inspect -f '{{len .RootFS.Layers}}' upper)" 4
listing upper >"$TEST_TMP/after"
diff "$TEST_TMP/before" "$TEST_TMP/after" || fail "other files than before"

step "it is an image like others: saved, loaded, proved"
dk save based -o "$TEST_TMP/based.tar"
dk rmi based >/dev/null
dk load -qi "$TEST_TMP/based.tar" >/dev/null || fail "load"
listing based >"$TEST_TMP/after"
diff "$TEST_TMP/before" "$TEST_TMP/after" || fail "other files than before"
expect_match "$(ct system check 2>&1)" 'all is well'

step "refused"
expect_fails 'was not built on image' ct image squash --base four two
expect_fails 'was not built on image' ct image squash --base four four
expect_fails 'No such image' ct image squash nothing
expect_fails 'invalid reference format' ct image squash -t 'A B' four
pass
