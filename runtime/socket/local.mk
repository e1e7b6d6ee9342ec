# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/peer.c %D%/peer.h %D%/socket.c %D%/socket_call.c %D%/socket_dial.c %D%/socket_message.c %D%/socket_state.h \
    %D%/socket_wait.c
