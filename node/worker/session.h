/* Mode `session`: one party's part in one session. Descriptor 3 is the control socket to parleyd
 * (framed SessionControl in, WorkerMessage out); descriptor 4 brings the connections that parleyd
 * accepted (node/link/fd.h).
 *
 * Order: start read -> links up, charter digest echoed both ways -> inputs shared, computed -> all
 * ready -> OPENING recorded by parleyd -> all recorded -> opened -> disclosures exchanged -> end.
 * Before agree_opening returns nothing has been opened. */
#ifndef PL_NODE_WORKER_SESSION_H
#define PL_NODE_WORKER_SESSION_H

#include <stdbool.h>

/* has_kept: descriptor 5 leads to this node's own source child, which stays for the session.
 * Returns the exit code. */
int pl_worker_session(bool has_kept);

#endif
