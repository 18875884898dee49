#!/bin/sh
# The first node has the block storage beside it; then it runs the suite.
#
# The storage lies in a network of its own. It answers at every address of 169.254.2-4.0/24, and at the boot
# volume's; both nodes reach them through one gateway.
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
ip -n storage route add 169.254.201.0/24 via 169.254.200.2
echo 1 >/proc/sys/net/ipv4/ip_forward
exec /suite/cases
