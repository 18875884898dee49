#!/bin/sh
# The second node reaches the storage through the first, and does what the cases there tell it.
for net in 169.254.0.2/32 169.254.2.0/24 169.254.3.0/24 169.254.4.0/24; do
    ip route add "$net" via 169.254.201.1
done
iscsid
# Its key outlives a reset, so that it is known.
mkdir -p /var/dropbear
ln -s /var/dropbear /etc/dropbear
exec dropbear -F -E -R -B
