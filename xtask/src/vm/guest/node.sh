#!/bin/sh
# What a node has running before its driver is called; then the suite. Its exit status is ours.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb
mount --make-rshared /
mkdir -p /var/lib /var/log /run/lock /etc/iscsi /etc/multipath /var/lib/multipath
[ -e /var/run ] || ln -s /run /var/run
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >/etc/passwd
printf '%s:x:%s:\n' root 0 tty 5 disk 6 lp 7 dialout 20 cdrom 24 tape 26 audio 29 video 44 \
    input 104 kvm 105 sgx 106 render 107 kmem 15 nogroup 65534 >/etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' >/etc/nsswitch.conf
echo 127.0.0.1 localhost >/etc/hosts
echo InitiatorName=iqn.2015-12.com.oracleiaas:node-1 >/etc/iscsi/initiatorname.iscsi
for module in iscsi_tcp sd_mod xfs ext4 veth loop dm_mod dm_flakey dm_multipath; do
    modprobe -q "$module"
done

# The block storage lies in a network of its own. It answers at every address of 169.254.2-4.0/24,
# and at the boot volume's; the node reaches them through one gateway.
ip link set lo up
ip netns add storage
ip link add node type veth peer name storage netns storage
ip addr add 169.254.200.2/24 dev node
ip link set node up
ip -n storage link set lo up
ip -n storage addr add 169.254.200.1/24 dev storage
ip -n storage link set storage up
for net in 169.254.0.2/32 169.254.2.0/24 169.254.3.0/24 169.254.4.0/24; do
    ip route add "$net" via 169.254.200.1
    ip -n storage route add local "$net" dev lo
done

/lib/systemd/systemd-udevd --daemon --resolve-names=never
udevadm trigger --action=add --subsystem-match=block --subsystem-match=scsi --subsystem-match=net
udevadm settle --timeout=20

for word in $(cat /proc/cmdline); do
    case $word in case=?*) only=${word#case=} ;; esac
done
export FAULT_MATRIX=/tmp/fault-matrix
status=0
# A process for each case: one that hangs or dies takes no other with it.
for case in $(/suite/vm --list --format terse | sed -n 's/: test$//p' | grep -F -e "$only"); do
    if timeout --kill-after=5 240 /suite/vm --exact "$case" --nocapture >/tmp/case.log 2>&1 </dev/null; then
        echo "CASE $case ok"
    else
        status=1
        echo "CASE $case FAILED"
        sed 's/^/LOG /' /tmp/case.log
    fi
done
cat "$FAULT_MATRIX"/*.jsonl 2>/dev/null | sed 's/^/ROW /'
exit $status
