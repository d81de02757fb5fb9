#!/bin/bash
# More command lines with the stock docker CLI and with corten: each command with too much and too little, filters, formats.
. "$(dirname "$0")/lib.sh"
. "$here/transcript.sh"
begin_transcript
ct run -d --name web -p 127.0.0.1:8099:80 busybox sleep 1000 >/dev/null || fail "web"
cd "$TEST_TMP" || exit 1

none="container context image manifest network plugin system volume"
few="builder.build attach commit cp create diff exec export history import inspect kill logs pause port pull push rename restart rm rmi run save
    start stop tag unpause update wait manifest.inspect manifest.create manifest.annotate manifest.push manifest.rm
    image.inspect container.inspect network.inspect network.connect network.disconnect network.create network.rm volume.inspect
    volume.rm context.create context.export context.rm context.update context.use plugin.create plugin.disable
    plugin.enable plugin.inspect plugin.install plugin.push plugin.rm plugin.set plugin.upgrade image.tag image.save container.rm
    image.build build checkpoint.create checkpoint.ls checkpoint.rm search"
much="builder.prune commit container.prune diff events export image.prune images info inspect.-f load logs network.connect
    network.disconnect network.create network.prune ps pull push rename tag version volume.create volume.prune system.df
    system.prune system.info context.show context.ls context.use manifest.inspect plugin.ls volume.ls network.ls history
    import port.web logout container.ls image.ls attach search"
step "each command with an unknown flag, too little, too much, and asked for help"
{
    for c in $none; do printf "!%s\n" "$c" "$c --help" "$c no-such" "$c --nope"; done
    for c in $few; do echo "!${c/./ }"; done
    for c in $much; do echo "!${c/./ } a b c d"; done
    # The peer warns of its old builder, and has checkpoints only when a daemon says that it is experimental.
    for c in $few $much; do echo "!${c/./ } --nope"; done | sort -u | grep -v '^.checkpoint'
    for c in $few $much; do echo "!${c/./ } --help"; done | sort -u | grep -v '^.builder\|build --help'
} >words
thin=3 compare "words of commands" <words
[ -z "${differs-}" ] || fail "the two command lines differ"
pass
