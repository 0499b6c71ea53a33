-- One way to read a task's state, for single tasks, exports and checks.
--
-- Rows of a batch are joined by their whole key, one look-up a row, whatever the planner believes about the batch: here
-- and in every function that joins rows of a batch.
--
-- To the planner a batch that is newer than the statistics, or whose table was never analysed, is one row. It then sees
-- no difference between looking up one row by its whole key and reading the whole batch to pick one, and may take the
-- second for each row: 1,000 rows cost a million reads, 100,000 would never end, and all that inside the transaction
-- that holds the counters. OFFSET 0 keeps a sub-select what it is written as, a look-up of one row for each row, with
-- all of its key in the index's condition.

-- For single tasks, exports and checks.
DROP VIEW IF EXISTS task;
CREATE VIEW task WITH (security_invoker = true) AS
SELECT r.organisation_id, r.batch_id, r.row_no, r.sheet_row, r.revision, r.order_id, r.amount_minor, r.gateway_key,
  r.unique_id, r.txn_id, r.extra,
       s.state,
       CASE s.state WHEN 'SUCCEEDED' THEN 'ACCEPTED' WHEN 'PENDING' THEN 'ACCEPTED' WHEN 'FAILED' THEN 'FAILED'
         ELSE 'QUEUED' END AS status,
       coalesce(x.code, o.code, t.code) AS code, coalesce(x.message, o.message, t.message) AS message,
       coalesce(x.gw_ref, o.gw_ref, t.gw_ref) AS gw_ref,
         coalesce(x.gateway_status, o.gateway_status, t.gateway_status) AS gateway_status,
       coalesce(o.gateway_kind, t.gateway_kind) AS gateway_kind, NULL::text AS response,
       coalesce(o.attempts, t.attempts) AS attempts, coalesce(x.at, o.at, t.updated_at) AS updated_at
  FROM record r
  LEFT JOIN LATERAL (SELECT * FROM outcome k
    WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no
    AND k.revision = r.revision OFFSET 0) o ON true
  LEFT JOIN LATERAL (SELECT * FROM open_task k
    WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no
    AND k.revision = r.revision OFFSET 0) t ON true
  LEFT JOIN LATERAL (SELECT * FROM reversal k
    WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no
    AND k.revision = r.revision OFFSET 0) x ON true
  CROSS JOIN LATERAL (SELECT CASE
      WHEN coalesce(x.succeeded, o.succeeded) THEN 'SUCCEEDED'
      WHEN o.at IS NOT NULL                   THEN 'FAILED'
      WHEN t.state IS NOT NULL                THEN t.state
      WHEN EXISTS (SELECT FROM attempt a
        WHERE a.organisation_id = r.organisation_id AND a.batch_id = r.batch_id AND a.revision = r.revision
                      AND a.attempt = 1 AND a.from_row <= r.row_no AND a.to_row >= r.row_no) THEN 'SENDING'
      ELSE 'READY' END AS state) s
 WHERE NOT EXISTS (SELECT FROM record n
   WHERE n.organisation_id = r.organisation_id AND n.batch_id = r.batch_id AND n.row_no = r.row_no
   AND n.revision > r.revision OFFSET 0);

-- The columns of the view `task`, of a sync.
DROP VIEW IF EXISTS sync_task;
CREATE VIEW sync_task WITH (security_invoker = true) AS
SELECT r.organisation_id, r.batch_id, r.row_no, r.sheet_row, r.revision, r.order_id, r.amount_minor, r.gateway_key,
  r.unique_id, r.txn_id, r.extra,
       CASE coalesce(t.status, 'QUEUED') WHEN 'ACCEPTED' THEN 'SUCCEEDED' WHEN 'FAILED' THEN 'FAILED'
            ELSE CASE WHEN t.message IS NULL THEN 'READY' ELSE 'RETRY' END END AS state,
       coalesce(t.status, 'QUEUED') AS status, t.code, t.message, NULL::text AS gw_ref,
       t.gateway_status, NULL::text AS gateway_kind, t.response, t.tries AS attempts, t.updated_at
  FROM record r
  LEFT JOIN LATERAL (SELECT * FROM order_task k
    WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no OFFSET 0) t ON true;

---------------------------------------------------------------------------------------------------- grants
GRANT SELECT ON task, sync_task TO batchdesk_web, batchdesk_worker;
