#!/bin/bash
# Options of create and run for rights, networks, volumes, logs and health, with the stock docker CLI and with corten: the same container comes of it.
. "$(dirname "$0")/lib.sh"
. "$here/transcript.sh"
begin_transcript
make_create_files
thin=3
cd "$TEST_TMP" || exit 1

compare "rights and namespaces" <<'LINES'
+ --cap-add NET_ADMIN --cap-drop ALL busybox
+ --cap-add net_admin --cap-add CAP_SYS_TIME busybox
+ --cap-add nope busybox
+ --cap-drop chown,fowner busybox
+ --cap-add all --cap-add CHOWN busybox
+ --cap-add ALL --cap-add chown --cap-drop CHOWN busybox
+ --cap-add chown --cap-drop kill --cap-drop CAP_CHOWN --cap-drop ALL --cap-drop fowner busybox
+ --group-add 5 --group-add extra busybox
+ --security-opt no-new-privileges busybox
+ --security-opt no-new-privileges=true busybox
+ --security-opt no-new-privileges:false busybox
+ --security-opt seccomp=unconfined busybox
+ --security-opt seccomp=seccomp.json busybox
+ --security-opt seccomp:unconfined busybox
+ --security-opt seccomp=none.json busybox
+ --security-opt label=disable busybox
+ --security-opt systempaths=unconfined busybox
+ --security-opt systempaths=nope busybox
+ --security-opt nope busybox
+ --security-opt nope=x busybox
+ --pid host busybox
+ --pid container:other busybox
+ --pid nope busybox
+ --pid container: busybox
+ --ipc host busybox
+ --ipc shareable busybox
+ --ipc none busybox
+ --ipc nope busybox
+ --ipc container:other busybox
+ --uts host busybox
+ --uts nope busybox
+ --uts host -h x busybox
+ --userns host busybox
+ --userns nope busybox
LINES

compare "networks" <<'LINES'
+ --network none busybox
+ --network host busybox
+ --net bridge busybox
+ --network default busybox
+ --network nope busybox
+ --network container:other busybox
+ --network container:nobody busybox
+ --network container: busybox
+ --network host -p 1:1 busybox
+ --network host -h x busybox
+ --network n1 busybox
+ --network n1 --ip 10.66.0.9 --network-alias x --net-alias y busybox
+ --network n1 --ip 10.9.0.9 busybox
+ --network n1 --ip nonsense busybox
+ --network n1 --ip6 nonsense busybox
+ --network n1 --network n2 busybox
+ --network n1 --network n1 busybox
+ --network n1 --network host busybox
+ --network name=n1,ip=10.66.0.9,alias=a,alias=b busybox
+ --network name=n1,mac-address=02:42:ac:11:00:09 busybox
+ --network name=n1,gw-priority=3 busybox
+ --network name=n1,gw-priority=x busybox
+ --network name=n1,nope=1 busybox
+ --network name=n1,driver-opt=com.docker.network.endpoint.ifname=foo0 busybox
+ --network alias=x busybox
+ --network name=n1,ip=10.66.0.9 --ip 10.66.0.8 busybox
+ --network name=n1 --network-alias z busybox
+ --network n1,alias=x busybox
+ --ip 172.17.0.99 busybox
+ --network-alias x busybox
+ --mac-address 02:42:ac:11:00:09 busybox
+ --mac-address nonsense busybox
+ --link-local-ip 169.254.9.9 busybox
+ --link other busybox
+ --link other:alias busybox
+ --network n1 --link other:alias busybox
+ --network n1 --link other busybox
+ --link nobody busybox
+ --link other:a:b busybox
+ --link : busybox
+ --network none --network-alias x busybox
+ --add-host a:1.2.3.4 --add-host b=::1 --add-host c:host-gateway busybox
+ --add-host d:[::1] busybox
+ --add-host a busybox
+ --add-host a:nonsense busybox
+ --add-host =1.2.3.4 busybox
+ --dns 1.2.3.4 --dns 5.6.7.8 --dns-search x.y --dns-search . --dns-option ndots:3 --dns-opt rotate busybox
+ --dns nonsense busybox
+ --dns ::1 busybox
+ --dns 127.0.0.1 --dns-search a-b.c. --dns-search 1.2 busybox
+ --dns-search a..b busybox
+ --dns-search 'a b' busybox
+ -p 80 busybox
+ -p 8080:80 -p 8081:81/udp busybox
+ -p 127.0.0.1:8080:80 busybox
+ -p 127.0.0.1::80 busybox
+ -p [::1]:8080:80 busybox
+ -p ::1:8080:80 busybox
+ -p 8000-8002:80-82 busybox
+ -p 8000-8005:80 busybox
+ -p 8000-8002:80-81 busybox
+ -p 80/nope busybox
+ -p 80/TCP busybox
+ -p 80/sctp busybox
+ -p 99999 busybox
+ -p x:80 busybox
+ -p 1:2:3:4 busybox
+ -p nope.example:1:2 busybox
+ -p "" busybox
+ -p 80:80 -p 80:80 busybox
+ -p 0:80 busybox
+ -p 0 busybox
+ -p 80: busybox
+ -p 1.2.3.4:80 busybox
+ -p [1.2.3.4]:80:80 busybox
+ -p 80- busybox
+ -p published=8080,target=80 busybox
+ -p published=8080,target=80,protocol=udp,mode=host busybox
+ -p target=80 busybox
+ -p target=x busybox
+ -p published=1,nope=2 busybox
+ -P --expose 80 --expose 90-92/udp busybox
+ --expose 0 busybox
+ --expose x busybox
+ --expose 5-3 busybox
+ --expose 80/nope busybox
LINES

compare "volumes and mounts" <<'LINES'
+ -v /data busybox
+ -v named:/data busybox
+ -v named:/data:ro busybox
+ -v named:/data:nocopy busybox
+ -v named:/data:ro,nocopy busybox
+ -v named:/data:nope busybox
+ -v named:data busybox
+ -v $TEST_TMP/dir:/data busybox
+ -v ./dir:/data busybox
+ -v dir:/data:z busybox
+ -v $TEST_TMP/dir:/data:rw,rshared busybox
+ -v $TEST_TMP/dir:/data:ro,rslave busybox
+ -v $TEST_TMP/dir:/data:shared,slave busybox
+ -v $TEST_TMP/not-there:/data busybox
+ -v a:b:c:d busybox
+ -v :/data busybox
+ -v ./dir/../dir/:/data busybox
+ -v .:/data busybox
+ -v a::b busybox
+ -v /a: busybox
+ -v a:/b:ro: busybox
+ -v / busybox
+ -v named:/ busybox
+ -v "" busybox
+ -v data busybox
+ -v 'bad name:/data' busybox
+ -v named:/data -v other:/data busybox
+ --volume-driver local -v x:/data busybox
+ --volume-driver nope -v x:/data busybox
+ --volumes-from store busybox
+ --volumes-from store:ro busybox
+ --volumes-from store:nope busybox
+ --volumes-from nobody busybox
+ --tmpfs /t busybox
+ --tmpfs /t:size=1m,mode=1777 busybox
+ --tmpfs t busybox
+ --tmpfs /t:nope=1 busybox
+ --mount type=bind,source=$TEST_TMP/dir,target=/data busybox
+ --mount type=bind,src=./dir,dst=/data,ro busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,readonly=false,bind-propagation=rslave busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,bind-propagation=nope busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,bind-recursive=disabled busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,bind-recursive=readonly busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,bind-recursive=readonly,readonly,bind-propagation=rprivate busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,bind-recursive=nope busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,bind-nonrecursive busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,consistency=cached busybox
+ --mount type=bind,src=$TEST_TMP/not-there,dst=/data busybox
+ --mount type=bind,dst=/data busybox
+ --mount type=bind,src=$TEST_TMP/dir,dst=/data,volume-nocopy busybox
+ --mount type=volume,src=named,dst=/data busybox
+ --mount src=named,dst=/data busybox
+ --mount dst=/data busybox
+ --mount destination=/data busybox
+ --mount type=volume,src=named,dst=/data,volume-nocopy,volume-label=a=b busybox
+ --mount type=volume,src=fresh,dst=/data,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs busybox
+ --mount type=volume,src=named,dst=/data,volume-subpath=sub busybox
+ --mount type=volume,dst=/data,bind-propagation=rslave busybox
+ --mount type=volume,dst=/data,tmpfs-size=1 busybox
+ --mount type=tmpfs,dst=/data busybox
+ --mount type=tmpfs,dst=/data,tmpfs-size=1m,tmpfs-mode=1700 busybox
+ --mount type=tmpfs,dst=/data,tmpfs-mode=9 busybox
+ --mount type=tmpfs,dst=/data,tmpfs-size=x busybox
+ --mount type=tmpfs,src=x,dst=/data busybox
+ --mount type=image,src=busybox,dst=/data busybox
+ --mount type=image,src=busybox,dst=/data,image-subpath=bin busybox
+ --mount type=nope,dst=/data busybox
+ --mount type=bind busybox
+ --mount dst=/data,nope=1 busybox
+ --mount dst=/data,readonly=x busybox
+ --mount nonsense busybox
+ --mount "" busybox
+ --mount '"type=tmpfs","dst=/a,b"' busybox
+ --mount type=tmpfs,dst=/a --mount type=tmpfs,dst=/a busybox
LINES

compare "logs, health" <<'LINES'
+ --log-driver none busybox
+ --log-driver json-file --log-opt max-size=1m --log-opt max-file=3 busybox
+ --log-driver nope busybox
+ --log-driver none --log-opt max-size=1m busybox
+ --log-opt nope=1 busybox
+ --log-opt max-size=x busybox
+ --log-opt nonsense busybox
+ --health-cmd 'test -f /x' --health-interval 5s --health-timeout 2s --health-retries 2 --health-start-period 1m --health-start-interval 3s busybox
+ --health-interval 1m30s busybox
+ --health-interval 5 busybox
+ --health-interval -1s busybox
+ --health-interval 1ns busybox
+ --health-retries -1 busybox
+ --health-timeout x busybox
+ --no-healthcheck busybox
+ --no-healthcheck --health-retries 2 busybox
LINES
[ -z "${differs-}" ] || fail "the two command lines differ"
pass
