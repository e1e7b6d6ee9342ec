/* SPDX-License-Identifier: Apache-2.0 */
/* Looks after the processes of a service: starts them, starts anew what dies, and ends them. One loop, which sleeps in poll for
 * signals, for what the children say, and for the next thing that is due.
 *
 *   SIGTERM, SIGINT   the broker drains, then all end; the second one ends them at once
 *   SIGHUP            configuration and files are read anew; the log is opened anew
 *   SIGUSR1           a snapshot of the data is written
 *
 * A child that fails before the service was ready for the first time ends the service with its reason, unless waiting may help.
 * Later, a child that dies is started again: at once the first time, then after 100 ms, 200 ms, ... up to 10 s; after so many
 * times in a row as the option `restarts` says, the service ends. A child that has served for 10 s begins anew with that. */
#ifndef PSY_COMMAND_SERVE_SUPERVISOR_H
#define PSY_COMMAND_SERVE_SUPERVISOR_H

#include "command/serve_data.h"

/* Serves until it is told to end. `argc` and `argv` are the command line, to be read again on SIGHUP. Gives the exit status: 0
 * where it was told to end, 1 where it could not go on, 3 where memory ran out. Of `options` and `served`, what is live
 * changes. */
int psy__serve_supervise(psy__serve_options *options, psy__served *served, int argc, char **argv);

#endif
