/* SPDX-License-Identifier: MIT */
/* models.h: the registers of the bundled models, as their guests see them. */
#ifndef MODELS_H
#define MODELS_H

enum {
    ECHO_DATA_IN = 0x00,
    ECHO_DATA_OUT = 0x04,
    ECHO_STATUS = 0x08,
    ECHO_CONTROL = 0x0c,
    ECHO_DATA_IN64 = 0x10,
    ECHO_DATA_OUT64 = 0x18,
    ECHO_STATUS_BUSY = 1,
    ECHO_STATUS_READY = 2,
    ECHO_CONTROL_RESET = 1,
};

enum {
    COMPUTE_OPERAND_A = 0x00,
    COMPUTE_OPERAND_B = 0x04,
    COMPUTE_OPERATION = 0x08,
    COMPUTE_RESULT = 0x0c,
    COMPUTE_STATUS = 0x10,
    COMPUTE_CONTROL = 0x14,
    COMPUTE_PEER_OUT = 0x18,
    COMPUTE_PEER_IN = 0x1c,
    COMPUTE_ADD = 0,
    COMPUTE_SUB = 1,
    COMPUTE_MUL = 2,
    COMPUTE_DIV = 3,
    COMPUTE_STATUS_BUSY = 1,
    COMPUTE_STATUS_READY = 2,
    COMPUTE_STATUS_ERROR = 4,
    COMPUTE_STATUS_PEER_READY = 8,
    COMPUTE_CONTROL_RESET = 1,
    COMPUTE_CONTROL_TRIGGER = 2,
};

enum {
    TIMER_COUNT = 0x00,   /* 64 bits */
    TIMER_COMPARE = 0x08, /* 64 bits */
    TIMER_CONTROL = 0x10,
    TIMER_STATUS = 0x14,
    TIMER_CONTROL_ENABLE = 1,
    TIMER_STATUS_EXPIRED = 1,
};

enum {
    DMA_CTRL = 0x00,
    DMA_STATUS = 0x04,
    DMA_INT_STATUS = 0x08,
    DMA_INT_ENABLE = 0x0c,
    DMA_SRC = 0x10,
    DMA_DST = 0x14,
    DMA_LENGTH = 0x18,
    DMA_LATENCY = 0x1c,
    DMA_DATA_IN = 0x20,
    DMA_SRC_HIGH = 0x2c,
    DMA_DST_HIGH = 0x30,
    DMA_CTRL_START = 1,
    DMA_CTRL_RESET = 2,
    DMA_CTRL_INT_ENABLE = 4,
    DMA_STATUS_BUSY = 1,
    DMA_STATUS_DONE = 2,
    DMA_STATUS_ERROR = 4,
    DMA_INT_DONE = 1,
    DMA_INT_ERROR = 2,
};

enum {
    ID_ID = 0x00, /* 64 bits: the base address of the device, unless configured otherwise */
    ID_SCRATCH = 0x08,
};

#endif
