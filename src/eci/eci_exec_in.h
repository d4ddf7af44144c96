/*
 * eci_exec_in.h - what the files of eci_exec share among themselves; nobody else includes it.
 * eci_exec_open.c is the way to an open WebSocket (or around it), eci_exec.c the session on it.
 *
 * Note on the order of things. Everything that moves bytes runs in eci_exec_turn(), which the loop
 * calls: when the socket is ready, when the owner has given something (the kick timer), when output
 * is welcome again. on_end is always the last thing a turn does.
 */
#ifndef ECILET_ECI_ECI_EXEC_IN_H
#define ECILET_ECI_ECI_EXEC_IN_H

#include "eci/eci_exec.h"

/* ---- eci_exec.c ------------------------------------------------------------------------------ */

/* The one door between phases; sets the deadline of the new one. */
void eci_exec_enter(struct eci_exec *exec, enum eci_exec_phase phase);
void eci_exec_turn(struct eci_exec *exec);
/* The end: stops the session and tells its owner. */
void eci_exec_finish(struct eci_exec *exec, const struct eci_exec_end *end);
/* The same for a session that failed, with a reason for people. */
void eci_exec_set_off(struct eci_exec *exec, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- eci_exec_open.c ------------------------------------------------------------------------- */

/* The WebSocket could not be opened: the command is asked for with Sync, or the session ends. what:
 * the reason, for people. */
void eci_exec_unreachable(struct eci_exec *exec, enum err err, const char *what);
/* What came in the phase ECI_EXEC_UPGRADE. False when the session is over or waits for more. */
bool eci_exec_take_upgrade(struct eci_exec *exec, str *input);

#endif
