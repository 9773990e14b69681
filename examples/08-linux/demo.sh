#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest, as root: looks at the devices with the tools of every Linux.
device=/sys/bus/platform/devices
tty_of() {
    for tty in "$device"/*."$1"/*/*/tty/ttyS*; do
        echo "${tty##*/}"
    done
}
# Two serial ports with a cable between.
near=$(tty_of near)
far=$(tty_of far)
echo "driver: $(basename "$(readlink $device/*.near/driver)"), for $(cat "$device"/*.near/of_node/compatible | tr "\0" " ")"
exec 3<>"/dev/$near" 4<>"/dev/$far" # open all the time: closing one would drop what has come
stty -F "/dev/$near" raw -echo 115200
stty -F "/dev/$far" raw -echo 115200
cat <&4 >/tmp/heard &
for line in "hello, model" "and again"; do
    echo "$line" >&3
    until grep -q "$line" /tmp/heard; do :; done
done
echo "heard: $(tr '\n' '/' </tmp/heard)"
kill $!
echo "interrupts:$(grep "$far" /proc/interrupts | tr -s ' ')"
# A disk.
head -c 1048576 /dev/urandom >/tmp/data
dd if=/tmp/data of=/dev/vda bs=64k conv=fsync 2>/dev/null
echo 3 >/proc/sys/vm/drop_caches # what is read again comes from the disk
head -c 1048576 /dev/vda | cmp - /tmp/data &&
    echo "disk: $(cat /sys/block/vda/serial) of $(cat /sys/block/vda/size) sectors, written and read again"
# A clock, where the kernel has its driver. Its time is set, and has gone on when it is read.
if [ -e /dev/rtc1 ]; then
    echo "clock: $(cat /sys/class/rtc/rtc1/name) $(cat /sys/class/rtc/rtc1/date)"
    date -s "2031-05-06 07:08:09" >/dev/null
    hwclock -u -w -f /dev/rtc1
    echo "clock: $(hwclock -u -r -f /dev/rtc1)"
fi
# Two chips on an I2C bus.
for chip in /sys/bus/i2c/devices/*; do
    case $(cat "$chip/name") in
    24c02)
        printf "kept" | dd of="$chip/eeprom" bs=1 seek=16 2>/dev/null
        echo "eeprom: $(dd if="$chip/eeprom" bs=1 count=20 2>/dev/null | tr '\377' '.')"
        ;;
    tmp102)
        until temperature=$(cat "$chip"/hwmon/*/temp1_input 2>/dev/null); do :; done
        # What the chip measures is a register of its model, outside of the bus.
        devmem 0x"$(basename $device/*.around-tmp102 .around-tmp102)" 32 33250
        until warmer=$(cat "$chip"/hwmon/*/temp1_input) && [ "$warmer" != "$temperature" ]; do :; done
        echo "temperature: $temperature, then $warmer"
        ;;
    esac
done
# On all processors.
interrupts_of() {
    awk -v name="$1" '$NF == name { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' \
        /proc/interrupts
}
# Pins, where the kernel has their driver: an output and an input, with wires to a panel.
for chip in /sys/class/gpio/gpiochip*; do
    grep -q "\.gpio$" "$chip/label" 2>/dev/null || continue
    # The driver asks for its interrupts as of a PLIC, and gets none from an APLIC.
    grep -q APLIC /proc/interrupts && continue
    output=$(cat "$chip/base")
    input=$((output + 1))
    panel=0x$(basename $device/*.panel .panel)
    cd /sys/class/gpio || exit
    echo "$output" >/sys/class/gpio/export
    echo high >"gpio$output/direction"
    echo "$input" >/sys/class/gpio/export
    echo rising >"gpio$input/edge"
    devmem $((panel + 8)) 32 2 # the switch is on the input's wire
    before=$(cat "gpio$input/value")
    devmem $((panel + 4)) 32 2 # and is switched on
    until [ "$(interrupts_of gpiolib)" -gt 0 ]; do :; done
    echo "pins: lamps $(devmem "$panel" 32), switch $before, then $(cat "gpio$input/value")," \
        "interrupts $(interrupts_of gpiolib)"
    cd /
done
# A watchdog, where the kernel has its driver. Fed, it lets the guest live; closed with a V, it sleeps.
if [ -c /dev/watchdog0 ]; then
    dog=/sys/class/watchdog/watchdog0
    watchdog -t 1 -T 4 -F /dev/watchdog0 &
    until [ "$(cat $dog/state)" = active ]; do :; done
    echo "watchdog: $(cat $dog/identity), $(cat $dog/timeout) s, $(cat $dog/state)"
    kill $!
    wait
    echo "watchdog: $(cat $dog/state)"
fi
# No driver claims this one: its registers are there for whoever opens /dev/mem.
for id in "$device"/*.id; do
    base=0x$(basename "$id" .id)
done
echo "id: $(devmem "$base" 32) at $base"
