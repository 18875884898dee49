#!/bin/sh
# The guest's first process under qemu: the kernel's file systems, then the node.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -n -t proc proc /proc
mount -n -t sysfs sysfs /sys
mount -n -t devtmpfs dev /dev
mount -n -t tmpfs tmpfs /tmp
mount -n -t tmpfs tmpfs /run
mkdir -p /dev/pts
mount -n -t devpts devpts /dev/pts
/suite/node
echo "VERDICT $?"
exec busybox poweroff -f
