// SPDX-License-Identifier: MIT
//
// The directions of an AXI4 or AXI4-Lite slave. A core may have only the channels for reads, or
// only those for writes. The signals of the missing channels get values here, so that the masters
// need no special case. AXI4-Lite uses only some of them.
#ifndef TRESTLE_VERILATOR_AXI_WAYS_H
#define TRESTLE_VERILATOR_AXI_WAYS_H

#ifdef BUS_AWVALID
#define BUS_WRITES true
#else // the core has only the channels for reads
#define BUS_WRITES false
#define BUS_AWVALID trestle_rtl::nowhere()
#define BUS_AWREADY 0
#define BUS_AWID trestle_rtl::nowhere()
#define BUS_BITS_AWID BUS_BITS_ARID
#define BUS_AWADDR trestle_rtl::nowhere()
#define BUS_AWLEN trestle_rtl::nowhere()
#define BUS_AWSIZE trestle_rtl::nowhere()
#define BUS_AWBURST trestle_rtl::nowhere()
#define BUS_WVALID trestle_rtl::nowhere()
#define BUS_WREADY 0
#define BUS_WDATA trestle_rtl::nowhere()
#define BUS_WSTRB trestle_rtl::nowhere()
#define BUS_WLAST trestle_rtl::nowhere()
#define BUS_WID trestle_rtl::nowhere()
#define BUS_BVALID 0
#define BUS_BREADY trestle_rtl::nowhere()
#define BUS_HAS_BID 0
#define BUS_BID 0
#define BUS_BRESP 0
#endif
#ifdef BUS_ARVALID
#define BUS_READS true
#else // the core has only the channels for writes
#define BUS_READS false
#define BUS_ARVALID trestle_rtl::nowhere()
#define BUS_ARREADY 0
#define BUS_ARID trestle_rtl::nowhere()
#define BUS_ARADDR trestle_rtl::nowhere()
#define BUS_ARLEN trestle_rtl::nowhere()
#define BUS_ARSIZE trestle_rtl::nowhere()
#define BUS_ARBURST trestle_rtl::nowhere()
#define BUS_RVALID 0
#define BUS_RREADY trestle_rtl::nowhere()
#define BUS_HAS_RID 0
#define BUS_RID 0
#define BUS_RDATA 0
#define BUS_RRESP 0
#define BUS_RLAST 0
#endif

#endif
