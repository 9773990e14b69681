#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the Linux guest: what its own driver makes of the disk.
disk=/dev/nvme0n1
echo "driver: $(basename "$(readlink /sys/class/nvme/nvme0/device/driver)")"
read -r model </sys/class/nvme/nvme0/model # without the spaces that fill it up
blocks=$(cat /sys/block/nvme0n1/size)
echo "disk: $model of $blocks blocks"
echo "begins with: $(head -n 1 $disk)"
dd if=$disk of=/tmp/first bs=128k count=8 2>/dev/null
dd if=/tmp/first of=$disk bs=4k seek=1024 conv=fsync 2>/dev/null
echo 3 >/proc/sys/vm/drop_caches
dd if=$disk of=/tmp/copy bs=64k skip=64 count=16 iflag=direct 2>/dev/null
cmp /tmp/first /tmp/copy && echo "copied: $(wc -c </tmp/copy) bytes, and back"
# Several readers at once, each on a queue of its processor where there are queues for all.
for i in 0 1 2 3; do
    dd if=$disk of=/tmp/part$i bs=4k skip=$((i * 64)) count=64 iflag=direct 2>/dev/null &
done
wait
cat /tmp/part0 /tmp/part1 /tmp/part2 /tmp/part3 | cmp - /tmp/first && echo "read by four at once"
echo "interrupts:$(grep nvme /proc/interrupts | tr -s ' ')"
dd if=$disk of=/tmp/beyond bs=512 skip="$blocks" count=1 2>/dev/null
echo "beyond the end: $(wc -c </tmp/beyond) bytes"
echo 1 >/sys/class/nvme/nvme0/reset_controller
dd if=$disk of=/tmp/again bs=1M count=1 iflag=direct 2>/dev/null
cmp /tmp/again /tmp/first && echo "reset, and there again"
dmesg | grep -i "nvme.*\(timeout\|error\|fail\)" || echo "no complaint"
