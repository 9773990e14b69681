/* SPDX-License-Identifier: MIT */
/* The devices of a bridge: trestle_bridge_add_device() makes them. */
#ifndef TRESTLE_BRIDGE_DEVICES_H
#define TRESTLE_BRIDGE_DEVICES_H

struct port;

/* With its device and its sockets. */
void devices_free_port(struct port *port);

#endif
