# SPDX-License-Identifier: MIT
# Runs in the guest, as root: looks at the devices with the tools of every Linux.
node=$(ls -d /sys/bus/platform/devices/*0000.serial | grep -v /[19]0*\.serial)
echo "driver: $(basename "$(readlink "$node/driver")"), for $(tr '\0' ' ' <"$node/of_node/compatible")"
port=/dev/$(ls "$node"/*/*/tty | grep ttyS)
exec 3<>"$port" # open all the time: closing it would drop what has come
stty -F "$port" raw -echo
cat <&3 >/tmp/heard &
for line in "hello, model" "and again"; do
    echo "$line" >&3
    until grep -q "$line" /tmp/heard; do :; done
done
echo "heard: $(tr '\n' '/' </tmp/heard)"
kill $!
echo "interrupts:$(grep "$(basename "$port")" /proc/interrupts | tr -s ' ')"
# No driver claims this one: its registers are there for whoever opens /dev/mem.
id=$(ls -d /sys/bus/platform/devices/*.id 2>/dev/null)
base=0x$(basename "$id" .id)
echo "id: $(devmem "$base" 32) at $base"
