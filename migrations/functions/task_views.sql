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
      -- Runs never overlap: only the last one that begins at or before the row can have it.
      WHEN (SELECT a.to_row FROM attempt a
        WHERE a.organisation_id = r.organisation_id AND a.batch_id = r.batch_id AND a.revision = r.revision
                      AND a.attempt = 1 AND a.from_row <= r.row_no ORDER BY a.from_row DESC LIMIT 1) >= r.row_no
        THEN 'SENDING'
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

-- Tasks of a whole batch. What is one look-up a row above is here a scan of each table's range of the batch, joined by
-- hash: without nested loops, for the planner takes a new batch for one row.

-- The numbers of the tasks with a status (null: all) and the beginning of an order's id (empty: all), in file order.
CREATE OR REPLACE FUNCTION task_numbers(p_organisation uuid, p_batch uuid, p_status text, p_order text)
RETURNS TABLE (row_no int)
LANGUAGE sql STABLE SET search_path = pg_catalog, batchdesk, pg_temp SET enable_nestloop = off AS $$
  WITH asked_again AS (
    SELECT n.row_no, max(n.revision) AS revision FROM record n
     WHERE n.organisation_id = p_organisation AND n.batch_id = p_batch AND n.revision > 1
       -- Most batches have no row of a later revision, and are not read for one.
       AND (SELECT b.revision > 1 FROM batch b WHERE b.organisation_id = p_organisation AND b.id = p_batch)
     GROUP BY n.row_no)
  SELECT r.row_no FROM record r
    LEFT JOIN asked_again n ON n.row_no = r.row_no
    LEFT JOIN outcome o ON o.organisation_id = p_organisation AND o.batch_id = p_batch AND o.row_no = r.row_no
      AND o.revision = r.revision
    LEFT JOIN reversal x ON x.organisation_id = p_organisation AND x.batch_id = p_batch AND x.row_no = r.row_no
      AND x.revision = r.revision
    LEFT JOIN open_task t ON t.organisation_id = p_organisation AND t.batch_id = p_batch AND t.row_no = r.row_no
      AND t.revision = r.revision AND t.state = 'PENDING'
   WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.revision = coalesce(n.revision, 1)
     AND r.order_id ^@ p_order
     AND (p_status IS NULL OR p_status = CASE
       WHEN coalesce(x.succeeded, o.succeeded, t.state IS NOT NULL) THEN 'ACCEPTED'
       WHEN o.at IS NOT NULL THEN 'FAILED' ELSE 'QUEUED' END)
   ORDER BY r.row_no $$;

-- The same of a sync.
CREATE OR REPLACE FUNCTION sync_task_numbers(p_organisation uuid, p_batch uuid, p_status text, p_order text)
RETURNS TABLE (row_no int)
LANGUAGE sql STABLE SET search_path = pg_catalog, batchdesk, pg_temp SET enable_nestloop = off AS $$
  SELECT r.row_no FROM record r
    LEFT JOIN order_task t ON t.organisation_id = p_organisation AND t.batch_id = p_batch AND t.row_no = r.row_no
   WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.order_id ^@ p_order
     AND (p_status IS NULL OR p_status = coalesce(t.status, 'QUEUED'))
   ORDER BY r.row_no $$;

-- A sentence about a row without the ids of that row, so that it is the same for each. What is shorter than four
-- characters may as well be part of another word.
CREATE OR REPLACE FUNCTION without_ids(p_message text, p_order text, p_txn text, p_unique text, p_key text)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT replace(replace(replace(replace(p_message,
    CASE WHEN length(p_order) > 3 THEN p_order ELSE '' END, '…'),
    CASE WHEN length(p_txn) > 3 THEN p_txn ELSE '' END, '…'),
    CASE WHEN length(p_unique) > 3 THEN p_unique ELSE '' END, '…'),
    CASE WHEN length(p_key) > 3 THEN p_key ELSE '' END, '…') $$;

-- Why tasks failed: each reason once, without what names the row, with its tasks and their sum.
CREATE OR REPLACE FUNCTION failure_reasons(p_organisation uuid, p_batch uuid)
RETURNS TABLE (code text, message text, tasks bigint, amount_minor bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, batchdesk, pg_temp SET enable_nestloop = off AS $$
  WITH asked_again AS (
    SELECT n.row_no, max(n.revision) AS revision FROM record n
     WHERE n.organisation_id = p_organisation AND n.batch_id = p_batch AND n.revision > 1
       AND (SELECT b.revision > 1 FROM batch b WHERE b.organisation_id = p_organisation AND b.id = p_batch)
     GROUP BY n.row_no)
  SELECT f.code, f.message, count(*), coalesce(sum(f.amount_minor), 0)::bigint FROM (
    SELECT coalesce(x.code, o.code) AS code, r.amount_minor,
           without_ids(coalesce(x.message, o.message), r.order_id, r.txn_id, r.unique_id, r.gateway_key) AS message
      FROM record r
      LEFT JOIN asked_again n ON n.row_no = r.row_no
      JOIN outcome o ON o.organisation_id = p_organisation AND o.batch_id = p_batch AND o.row_no = r.row_no
        AND o.revision = r.revision
      LEFT JOIN reversal x ON x.organisation_id = p_organisation AND x.batch_id = p_batch AND x.row_no = r.row_no
        AND x.revision = r.revision
     WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.revision = coalesce(n.revision, 1)
       AND NOT coalesce(x.succeeded, o.succeeded)
    UNION ALL
    SELECT t.code, 0, without_ids(t.message, r.order_id, r.txn_id, r.unique_id, '') FROM order_task t
      JOIN record r ON r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.row_no = t.row_no
     WHERE t.organisation_id = p_organisation AND t.batch_id = p_batch AND t.status = 'FAILED') f
   GROUP BY f.code, f.message $$;

---------------------------------------------------------------------------------------------------- grants
GRANT SELECT ON task, sync_task TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION task_numbers(uuid, uuid, text, text), sync_task_numbers(uuid, uuid, text, text),
  failure_reasons(uuid, uuid), without_ids(text, text, text, text, text) TO batchdesk_web, batchdesk_worker;
