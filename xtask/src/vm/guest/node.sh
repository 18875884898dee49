#!/bin/sh
# What a node has running before its driver is called; then what this one of the two is there for, whose
# exit status is ours.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb
mount --make-rshared /
number=1
for word in $(cat /proc/cmdline); do
    case $word in node=?*) number=${word#node=} ;; esac
done
for module in iscsi_tcp sd_mod xfs ext4 veth loop dm_mod dm_flakey dm_multipath \
    virtio_pci virtio_net virtio_blk virtio_console virtio_scsi; do
    modprobe -q "$module"
done

# What outlives a reset, where there is a disk; otherwise nothing does.
mkdir -p /var /etc/iscsi
if [ -b /dev/vda ]; then
    [ "$(blkid /dev/vda)" ] || mkfs.ext4 -q /dev/vda
    mkdir /disk
    mount /dev/vda /disk
    mkdir -p /disk/var /disk/iscsi
    cp -n /etc/iscsi/* /disk/iscsi
    mount --bind /disk/var /var
    mount --bind /disk/iscsi /etc/iscsi
    # What is mounted below /var must not be seen here a second time.
    umount -l /disk
fi
mkdir -p /var/lib /var/log /run/lock /etc/multipath /var/lib/multipath
[ -e /var/run ] || ln -s /run /var/run
# No password: there is nothing else on the link.
printf 'root::0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >/etc/passwd
printf '%s:x:%s:\n' root 0 tty 5 disk 6 lp 7 dialout 20 cdrom 24 tape 26 audio 29 video 44 \
    input 104 kvm 105 sgx 106 render 107 kmem 15 nogroup 65534 >/etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' >/etc/nsswitch.conf
echo 127.0.0.1 localhost >/etc/hosts
echo "InitiatorName=iqn.2015-12.com.oracleiaas:node-$number" >/etc/iscsi/initiatorname.iscsi

# What Oracle's images have for consistent device paths: the name is that of the LUN, and the boot volume has 1.
lun=1
for letters in a b c d e f g h i j k l m n o p q r s t u v w x y z aa ab ac ad ae af ag; do
    echo "SUBSYSTEM==\"block\", KERNEL==\"sd*[!0-9]\", ENV{ID_PATH}==\"pci-*-scsi-0:0:0:$lun\"," \
        "SYMLINK+=\"oracleoci/oraclevd$letters\""
    lun=$((lun + 1))
done >/etc/udev/rules.d/99-oracleoci.rules

/lib/systemd/systemd-udevd --daemon --resolve-names=never
udevadm trigger --action=add --subsystem-match=block --subsystem-match=scsi --subsystem-match=net \
    --subsystem-match=virtio-ports
udevadm settle --timeout=20

# The link to the other node.
ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
    ip addr add "169.254.201.$number/24" dev eth0
    ip link set eth0 up
fi
exec "/suite/node-$number"
