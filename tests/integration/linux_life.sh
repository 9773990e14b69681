#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest: uses each device, takes its driver away and brings it back in the two ways that there are,
# and resets the machine; after that, uses them once more. The EEPROM knows that there was a boot before.
device=/sys/bus/platform/devices
unshare -n sleep 100000 &
other=$!
there() { nsenter -t $other -n "$@"; }

tty_of() {
    for tty in "$device"/*."$1"/*/*/tty/ttyS*; do
        echo "/dev/${tty##*/}"
    done
}
card() {
    for card in "$device"/*."$1"/virtio*/net/*; do
        echo "${card##*/}"
    done
}
chip() {
    for chip in /sys/bus/i2c/devices/*; do
        [ "$(cat "$chip/name")" = "$1" ] && echo "$chip"
    done
}
eeprom() { echo "$(chip 24c02)/eeprom"; }

use() {
    case $1 in
    uart)
        exec 3<>"$(tty_of near)" 4<>"$(tty_of far)"
        stty raw -echo <&3
        stty raw -echo <&4
        echo "over the cable" >&3
        read -r line <&4
        exec 3>&- 4>&-
        [ "$line" = "over the cable" ]
        ;;
    clock)
        clock=$(basename $device/*.clock/rtc/rtc*)
        hwclock -u -w -f "/dev/$clock" && hwclock -u -r -f "/dev/$clock" >/dev/null
        ;;
    eeprom)
        printf "%s" "$2" | dd of="$(eeprom)" bs=1 seek=8 2>/dev/null
        [ "$(dd if="$(eeprom)" bs=1 skip=8 count=${#2} 2>/dev/null)" = "$2" ]
        ;;
    thermometer)
        until temperature=$(cat "$(chip tmp102)"/hwmon/*/temp1_input 2>/dev/null); do :; done
        [ "$temperature" = 21500 ]
        ;;
    pins)
        for chip in "$device"/*.gpio/gpio/gpiochip*; do # the latest: gpio-sifive leaves its chip behind
            pin=$(cat "$chip/base")
        done
        panel=0x$(basename $device/*.panel .panel)
        echo "$pin" >/sys/class/gpio/export
        echo high >"/sys/class/gpio/gpio$pin/direction"
        lit=$(devmem "$panel" 32)
        echo low >"/sys/class/gpio/gpio$pin/direction"
        dark=$(devmem "$panel" 32)
        echo "$pin" >/sys/class/gpio/unexport
        [ "$lit $dark" = "0x00000001 0x00000000" ]
        ;;
    watchdog)
        watchdog -t 1 -T 4 -F /dev/watchdog0 &
        until [ "$(cat /sys/class/watchdog/watchdog0/state)" = active ]; do :; done
        kill $!
        wait $!
        [ "$(cat /sys/class/watchdog/watchdog0/state)" = inactive ]
        ;;
    entropy)
        [ "$(head -c 16 /dev/hwrng | wc -c)" = 16 ]
        ;;
    disk)
        head -c 100000 /dev/urandom >/tmp/data
        dd if=/tmp/data of=/dev/vda conv=fsync 2>/dev/null
        echo 3 >/proc/sys/vm/drop_caches
        head -c 100000 /dev/vda | cmp - /tmp/data
        ;;
    console)
        for console in /dev/hvc*; do # only the one with a console behind it can be opened
            (echo "$2" >"$console") 2>/dev/null && return 0
        done
        return 1
        ;;
    net)
        left=$(card left)
        right=$(card right)
        ip address add 10.7.0.1/24 dev "$left"
        ip link set "$left" up
        ip link set "$right" netns $other
        there ip address add 10.7.0.2/24 dev "$right"
        there ip link set "$right" up
        ping -q -c 1 10.7.0.2 >/dev/null
        ;;
    esac
}

use_all() {
    for name in uart clock eeprom thermometer pins watchdog entropy disk console net; do
        if use $name "$1"; then
            echo "$1: $name"
        else
            echo "$1: $name FAILED"
        fi
    done
}

if [ "$(dd if="$(eeprom)" bs=1 count=5 2>/dev/null)" = again ]; then
    use_all reset
    poweroff -f
fi
use_all fresh
for node in "$device"/*.*; do
    case ${node##*.} in
    near | far | clock | i2c | gpio | watchdog | entropy | disk | console | left | right) ;;
    *) continue ;;
    esac
    driver=$(readlink -f "$node/driver")
    echo "${node##*/}" >"$driver/unbind" && echo "${node##*/}" >"$driver/bind" || echo "$node FAILED"
done
use_all bound
mkdir -p "/lib/modules/$(uname -r)"
cp /modules/*.ko "/lib/modules/$(uname -r)"
depmod
for module in virtio_net virtio_blk virtio_rng virtio_mmio at24 tmp102 i2c_ocores sunxi_wdt; do
    rmmod $module && modprobe $module || echo "module $module FAILED"
done
modprobe -a at24 tmp102 virtio_net virtio_blk virtio_rng
use_all loaded
printf "again" | dd of="$(eeprom)" bs=1 2>/dev/null
reboot -f
