# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/broker.c %D%/broker_admit.c %D%/broker_describe.c %D%/broker_edit.c %D%/broker_health.c %D%/broker_layout.c %D%/broker_link.c %D%/broker_open.c %D%/broker_program.c %D%/broker_route.c \
    %D%/broker_stage.c %D%/broker_state.h %D%/broker_tell.c %D%/channel.c %D%/channel_call.c %D%/channel_describe.c %D%/channel_edit.c %D%/channel_program.c %D%/channel_reply.c %D%/channel_state.h %D%/channel_wake.c %D%/counting.c %D%/counting.h \
    %D%/dataset.c %D%/dataset.h %D%/edit_file.c %D%/edit_file.h %D%/events.c %D%/events.def %D%/events.h %D%/gather.h %D%/guard.c %D%/guard.h %D%/intake.c %D%/intake.h %D%/measure.c %D%/measure.h %D%/module_file.c %D%/module_file.h %D%/payloads.c %D%/payloads.h %D%/protocol.c %D%/protocol.h \
    %D%/region.c %D%/region.h %D%/response.c %D%/response.h %D%/revision.c %D%/revision.h %D%/scatter.h %D%/service.c %D%/share.c %D%/share.h %D%/worker.c %D%/worker_edit.c %D%/worker_link.c %D%/worker_load.c %D%/worker_move.c %D%/worker_program.c %D%/worker_run.c %D%/worker_state.h \
    %D%/worker_tell.c %D%/worker_texts.c \
    %D%/worker_variant.c %D%/broker_snapshot.c %D%/errand.c %D%/errand.h %D%/snapshot.c %D%/snapshot.h %D%/snapshot_folder.c %D%/snapshot_rows.c %D%/snapshot_rows.h %D%/worker_restore.c %D%/worker_snapshot.c
