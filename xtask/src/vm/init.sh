#!/bin/busybox sh
# The first process of a guest: makes the machine as a Debian one would be, runs /command in /files,
# and reports. Its output goes over the second serial port; lines that start with the byte 036 are
# for `cargo xtask vm`, not for people.
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root TMPDIR=/tmp
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t securityfs securityfs /sys/kernel/security
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
while read -r module; do
    insmod "/modules/$module" || echo "the module $module was refused" > /dev/console
done < /modules/order
stty -F /dev/ttyS1 raw -echo
exec < /dev/null > /dev/ttyS1 2>&1
echo '<4>rawbpf guest: ready' > /dev/kmsg
printf '\036ready\n'
cd /files
sh /command
printf '\036exit %d\n' $?
sync
# The other side ends the machine as soon as it has read that.
sleep 5
poweroff -f
