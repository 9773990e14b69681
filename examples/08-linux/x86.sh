#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest on x86_64, where devices are in ACPI's tables.
for node in /sys/bus/pnp/drivers/serial/0*; do
    grep -q "^mem" "$node/resources" || continue # the board's own is at ports
    for tty in "$node"/*/*/tty/ttyS*; do
        port=$(basename "$tty")
    done
    echo "serial port: $port, driver $(basename "$(readlink "$node/driver")"), $(
        grep -E "^(mem|irq)" "$node/resources" | sed ":a; N; s/\\n/, /; ta")"
    stty -F "/dev/$port" raw
    echo "hello, model" >"/dev/$port"
done
# No driver knows this one, but would find it by its compatible.
for node in /sys/bus/platform/devices/PRP0001:*; do
    echo "id: $(cat "$node/modalias") at $(grep "$(basename "$node")" /proc/iomem | tr -s ' ' | cut -d ' ' -f 2)"
done
