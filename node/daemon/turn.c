/* turn.c: what one turn of the loop has written becomes durable before anything of it leaves the
 * node. Steps write to the database and say what is to be sent; at the end of the turn, before the
 * loop waits again, the database is synced once, then the scheduler's stream and the watchers get
 * what is new. What cannot be made durable is not sent: the stream is closed, and with the next one
 * the scheduler delivers again what was not acknowledged. Who watches a job is told that this node
 * cannot say how it goes on. */
#include "node/daemon/node.h"

pl_status pl_turn_flush(pl_node *node) {
    if (node->jobs == NULL)
        return PL_OK;
    pl_status status = pl_jobs_flush(node->jobs, false);
    if (!pl_is_ok(status)) {
        status = pl_wrap(status, "cannot write the node's state");
        if (node->uplink != NULL)
            pl_uplink_drop(node->uplink);
        pl_api_fail_watchers(node, status);
        return status;
    }
    if (node->uplink != NULL)
        pl_uplink_flush(node->uplink);
    pl_api_flush(node);
    return PL_OK;
}

static void on_prepare(uv_prepare_t *handle) {
    pl_log_status("turn.failed", NULL, pl_turn_flush(handle->data));
}

void pl_turn_open(pl_node *node) {
    uv_prepare_init(node->loop, &node->turn);
    node->turn.data = node;
    uv_prepare_start(&node->turn, on_prepare);
    uv_unref((uv_handle_t *)&node->turn);
}

void pl_turn_close(pl_node *node) {
    pl_log_status("turn.failed", NULL, pl_turn_flush(node));
    uv_close((uv_handle_t *)&node->turn, NULL);
}
