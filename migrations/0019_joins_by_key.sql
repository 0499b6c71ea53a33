-- Rows of a batch are joined by their whole key, one look-up a row, whatever the planner believes about the batch.
--
-- To the planner a batch that is newer than the statistics, or whose table was never analysed, is one row. It then sees no difference between
-- looking up one row by its whole key and reading the whole batch to pick one, and may take the second for each row: 1,000 rows cost a million
-- reads, 100,000 would never end, and all that inside the transaction that holds the counters. OFFSET 0 keeps a sub-select what it is written as,
-- a look-up of one row for each row, with all of its key in the index's condition.

CREATE OR REPLACE VIEW task WITH (security_invoker = true) AS
SELECT r.organisation_id, r.batch_id, r.row_no, r.sheet_row, r.revision, r.order_id, r.amount_minor, r.gateway_key, r.unique_id, r.txn_id, r.extra,
       s.state,
       CASE s.state WHEN 'SUCCEEDED' THEN 'ACCEPTED' WHEN 'PENDING' THEN 'ACCEPTED' WHEN 'FAILED' THEN 'FAILED' ELSE 'QUEUED' END AS status,
       coalesce(x.code, o.code, t.code) AS code, coalesce(x.message, o.message, t.message) AS message,
       coalesce(x.gw_ref, o.gw_ref, t.gw_ref) AS gw_ref, coalesce(x.refund_status, o.refund_status, t.refund_status) AS refund_status,
       coalesce(o.refund_type, t.refund_type) AS refund_type,
       coalesce(o.attempts, t.attempts) AS attempts, coalesce(x.at, o.at, t.updated_at) AS updated_at
  FROM record r
  LEFT JOIN LATERAL (SELECT * FROM outcome k WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no AND k.revision = r.revision OFFSET 0) o ON true
  LEFT JOIN LATERAL (SELECT * FROM open_task k WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no AND k.revision = r.revision OFFSET 0) t ON true
  LEFT JOIN LATERAL (SELECT * FROM reversal k WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no AND k.revision = r.revision OFFSET 0) x ON true
  CROSS JOIN LATERAL (SELECT CASE
      WHEN coalesce(x.succeeded, o.succeeded) THEN 'SUCCEEDED'
      WHEN o.at IS NOT NULL                   THEN 'FAILED'
      WHEN t.state IS NOT NULL                THEN t.state
      WHEN EXISTS (SELECT FROM attempt a WHERE a.organisation_id = r.organisation_id AND a.batch_id = r.batch_id AND a.revision = r.revision
                      AND a.attempt = 1 AND a.from_row <= r.row_no AND a.to_row >= r.row_no) THEN 'SENDING'
      ELSE 'READY' END AS state) s
 WHERE NOT EXISTS (SELECT FROM record n WHERE n.organisation_id = r.organisation_id AND n.batch_id = r.batch_id AND n.row_no = r.row_no AND n.revision > r.revision OFFSET 0);

CREATE OR REPLACE VIEW sync_task WITH (security_invoker = true) AS
SELECT r.organisation_id, r.batch_id, r.row_no, r.sheet_row, r.revision, r.order_id, r.amount_minor, r.gateway_key, r.unique_id, r.txn_id, r.extra,
       CASE coalesce(t.status, 'QUEUED') WHEN 'ACCEPTED' THEN 'SUCCEEDED' WHEN 'FAILED' THEN 'FAILED'
            ELSE CASE WHEN t.message IS NULL THEN 'READY' ELSE 'RETRY' END END AS state,
       coalesce(t.status, 'QUEUED') AS status, t.code, t.message, NULL::text AS gw_ref, NULL::text AS refund_status, NULL::text AS refund_type,
       t.tries AS attempts, t.updated_at, t.gateway_status, t.response
  FROM record r
  LEFT JOIN LATERAL (SELECT * FROM order_task k WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no OFFSET 0) t ON true;

-- Gives back those of these unique ids that the batch holds for rows of which nothing was ever sent under them. The row that holds an id
-- counts, not the one that had it when it failed: a retry may have given it to another.
CREATE FUNCTION free_unique_ids_of(p_organisation uuid, p_batch uuid, p_ids text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  DELETE FROM unique_id_taken u USING (
    SELECT t.unique_id FROM unnest(p_ids) AS k(unique_id)
     CROSS JOIN LATERAL (SELECT i.unique_id, i.row_no FROM unique_id_taken i WHERE i.organisation_id = p_organisation AND i.unique_id = k.unique_id COLLATE "C"
                            AND (i.batch_id = p_batch) IS TRUE OFFSET 0) t
     WHERE NOT EXISTS (SELECT FROM record p
                         CROSS JOIN LATERAL (SELECT FROM outcome q WHERE q.organisation_id = p.organisation_id AND q.batch_id = p.batch_id AND q.row_no = p.row_no
                                                AND q.revision = p.revision AND q.attempts > 0 OFFSET 0) q
                        WHERE p.organisation_id = p_organisation AND p.batch_id = p_batch AND p.row_no = t.row_no AND p.unique_id = t.unique_id OFFSET 0)
       AND NOT EXISTS (SELECT FROM open_task o WHERE o.organisation_id = p_organisation AND o.batch_id = p_batch AND o.row_no = t.row_no OFFSET 0)
     OFFSET 0) f
   WHERE u.organisation_id = p_organisation AND u.unique_id = f.unique_id;
$$;
REVOKE EXECUTE ON FUNCTION free_unique_ids_of(uuid, uuid, text[]) FROM PUBLIC;

-- A batch that ended gives back the unique ids of rows that were never sent.
CREATE OR REPLACE FUNCTION free_unique_ids(p_organisation uuid, p_batch uuid, p_all boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  IF p_all THEN
    PERFORM free_unique_ids_of(p_organisation, p_batch, ARRAY(
      SELECT r.unique_id FROM record r WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.unique_id IS NOT NULL));
  ELSE
    PERFORM free_unique_ids_of(p_organisation, p_batch, ARRAY(
      SELECT u.unique_id FROM outcome o
        CROSS JOIN LATERAL (SELECT r.unique_id FROM record r WHERE r.organisation_id = o.organisation_id AND r.batch_id = o.batch_id AND r.row_no = o.row_no
                               AND r.revision = o.revision AND r.unique_id IS NOT NULL OFFSET 0) u
       WHERE o.organisation_id = p_organisation AND o.batch_id = p_batch AND NOT o.succeeded AND o.attempts = 0));
  END IF;
END $$;

-- The gate of every send. An attempt that may not be is skipped (INSERT 0): the other runs of the same statement go on.
-- ONE rule of approval: a decision that allows it exists for exactly this content.
CREATE OR REPLACE FUNCTION attempt_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE allowed record;
BEGIN
  PERFORM gate(NEW.organisation_id, false);                  -- before the look at what it guards
  SELECT v.revision, b.currency, gw.balances, gw.preflight, gw.class, gw.key_window INTO allowed
    FROM batch b
    JOIN organisation o ON o.id = b.organisation_id
    JOIN gateway gw ON gw.organisation_id = b.organisation_id AND gw.id = b.gateway_id
    JOIN batch_revision v ON v.organisation_id = b.organisation_id AND v.batch_id = b.id
     AND v.revision = CASE WHEN NEW.chunk_no IS NULL THEN NEW.revision
                           ELSE (SELECT c.revision FROM chunk c WHERE c.organisation_id = NEW.organisation_id AND c.batch_id = NEW.batch_id AND c.chunk_no = NEW.chunk_no) END
    JOIN decision d ON d.organisation_id = v.organisation_id AND d.batch_id = v.batch_id AND d.revision = v.revision
     AND d.verdict IN ('APPROVE', 'NOT_REQUIRED') AND d.content_sha256 = v.content_sha256
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND b.operation = 'refund'
     AND b.status = 'processing' AND o.sending AND gw.sending;
  IF NOT FOUND THEN RETURN NULL; END IF;
  NEW.revision := allowed.revision;
  NEW.currency := allowed.currency;
  NEW.balanced := NEW.chunk_no IS NOT NULL AND allowed.balances;
  IF NEW.chunk_no IS NOT NULL THEN
    -- What was not compared with the gateway's order is not sent.
    IF allowed.preflight AND EXISTS (
      SELECT FROM record r WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.revision = NEW.revision
         AND r.row_no BETWEEN NEW.from_row AND NEW.to_row
         AND NOT EXISTS (SELECT FROM order_seen s WHERE s.organisation_id = NEW.organisation_id AND s.batch_id = NEW.batch_id AND s.order_id = r.order_id OFFSET 0))
    THEN RETURN NULL; END IF;
    NEW.attempt := 1;
    UPDATE chunk SET next_row = NEW.to_row + 1      -- in order, once: a repeat of the same run finds next_row moved on and is skipped
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND chunk_no = NEW.chunk_no
       AND epoch = NEW.epoch AND state = 'LEASED' AND owner = NEW.owner
       AND next_row = NEW.from_row AND to_row >= NEW.to_row AND NEW.to_row >= NEW.from_row
       AND run_at > clock_timestamp() + 0.45 * (run_at - leased_at);       -- 45 % of the lease is left: 27 s of 60 for a send of 20
  ELSE
    UPDATE open_task SET state = 'SENDING', attempts = attempts + 1, queries = 0, last_sent_at = clock_timestamp(), updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND row_no = NEW.from_row AND NEW.to_row = NEW.from_row
       AND revision = NEW.revision AND epoch = NEW.epoch AND owner = NEW.owner
       AND (state = 'RETRY' OR (state = 'UNKNOWN' AND allowed.class = 'K' AND clock_timestamp() < first_sent_at + 0.8 * allowed.key_window))
       AND run_at > clock_timestamp() + 0.45 * (run_at - leased_at)
    RETURNING attempts INTO NEW.attempt;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;

-- No outcome of a send without its intent, and none beside an open task. Once a statement, over the rows it wrote.
CREATE OR REPLACE FUNCTION outcome_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE s record; n bigint;
BEGIN
  FOR s IN SELECT organisation_id, batch_id, revision, least(attempts, 2) AS attempts, min(row_no) AS lo, max(row_no) AS hi, count(*) AS n,
                  bool_or(succeeded) AS succeeded, bool_or(code = 'CANCELLED') AS cancelled
             FROM written GROUP BY 1, 2, 3, 4 LOOP
    IF s.attempts = 0 AND s.succeeded THEN RAISE EXCEPTION 'succeeded without a send' USING ERRCODE = 'BD409'; END IF;
    IF s.attempts = 1 THEN
      PERFORM FROM attempt a WHERE a.organisation_id = s.organisation_id AND a.batch_id = s.batch_id AND a.revision = s.revision AND a.attempt = 1
         AND a.from_row <= s.lo AND a.to_row >= s.hi;                                 -- all of one run: the usual case
      IF NOT FOUND THEN
        SELECT count(*) INTO n FROM written w                                         -- runs of one attempt never overlap: the last one that begins before it is its own
          CROSS JOIN LATERAL (SELECT a.to_row FROM attempt a WHERE a.organisation_id = s.organisation_id AND a.batch_id = s.batch_id AND a.revision = s.revision
                                 AND a.attempt = 1 AND a.from_row <= w.row_no ORDER BY a.from_row DESC LIMIT 1) a
         WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision AND w.attempts = 1 AND a.to_row >= w.row_no;
        IF n <> s.n THEN RAISE EXCEPTION 'outcome without an intent' USING ERRCODE = 'BD409'; END IF;
      END IF;
    ELSIF s.attempts > 1 THEN
      SELECT count(*) INTO n FROM written w
        CROSS JOIN LATERAL (SELECT FROM attempt a WHERE a.organisation_id = w.organisation_id AND a.batch_id = w.batch_id AND a.revision = w.revision
                               AND a.attempt = w.attempts AND a.from_row = w.row_no OFFSET 0) a
       WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision AND w.attempts > 1;
      IF n <> s.n THEN RAISE EXCEPTION 'outcome without an intent' USING ERRCODE = 'BD409'; END IF;
    ELSIF s.cancelled THEN                              -- called off before it was ever sent: its unique_id is free again
      PERFORM free_unique_ids_of(s.organisation_id, s.batch_id, ARRAY(
        SELECT u.unique_id FROM written w
          CROSS JOIN LATERAL (SELECT r.unique_id FROM record r WHERE r.organisation_id = w.organisation_id AND r.batch_id = w.batch_id AND r.row_no = w.row_no
                                 AND r.revision = w.revision AND r.unique_id IS NOT NULL OFFSET 0) u
         WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision AND w.code = 'CANCELLED' AND w.attempts = 0));
    END IF;
    PERFORM FROM open_task t WHERE t.organisation_id = s.organisation_id AND t.batch_id = s.batch_id AND t.row_no BETWEEN s.lo AND s.hi AND t.revision = s.revision
        AND (t.row_no, t.revision) IN (SELECT w.row_no, w.revision FROM written w WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id);
    IF FOUND THEN RAISE EXCEPTION 'outcome beside an open task' USING ERRCODE = 'BD409'; END IF;
  END LOOP;
  RETURN NULL;
END $$;

-- "Sync with Gateway": everything that is not final there, and what is final but was never confirmed, is asked after now. It sends nothing.
-- Returns how many rows are being asked about; a press while one runs joins it.
CREATE OR REPLACE FUNCTION sync_batch(p_batch uuid) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; n int;
BEGIN
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF b.status NOT IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled') THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.last_synced_at IS NULL OR b.last_synced_at < now() - interval '10 seconds' THEN
    UPDATE open_task t SET run_at = now()
     WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state IN ('UNKNOWN', 'PENDING') AND t.run_at > now()
       AND (t.owner IS NULL OR t.leased_at + interval '1 minute' < now());
    INSERT INTO recheck (organisation_id, batch_id, row_no, revision, gateway_id)
    SELECT org, p_batch, t.row_no, t.revision, t.gateway_id FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state = 'REVIEW'
    UNION ALL
    SELECT org, p_batch, o.row_no, o.revision, b.gateway_id FROM outcome o
     WHERE o.organisation_id = org AND o.batch_id = p_batch AND o.attempts > 0 AND (NOT o.succeeded OR o.gw_ref IS NULL)
       AND NOT EXISTS (SELECT FROM reversal x WHERE x.organisation_id = org AND x.batch_id = p_batch AND x.row_no = o.row_no AND x.revision = o.revision OFFSET 0)
       AND NOT EXISTS (SELECT FROM record r WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.row_no = o.row_no AND r.revision > o.revision OFFSET 0)
    ON CONFLICT (organisation_id, batch_id, row_no, revision) DO UPDATE SET run_at = now(), tries = 0;
    UPDATE batch SET last_synced_at = now(), updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  SELECT (SELECT count(*) FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state IN ('UNKNOWN', 'PENDING'))
       + (SELECT count(*) FROM recheck k WHERE k.organisation_id = org AND k.batch_id = p_batch) INTO n;
  RETURN n;
END $$;

-- Failed rows again, in place: each given row becomes the next revision of its row_no and goes through the same path as the file did.
-- p_base is the revision of the batch that the person was shown: of two people at once, the second is refused.
CREATE OR REPLACE FUNCTION open_revision(p_batch uuid, p_base smallint, p_row int[], p_order text[], p_amount bigint[], p_key text[], p_unique text[], p_txn text[],
                              p_sha256 bytea[], p_extra text[], p_chunk_rows int DEFAULT 500) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; rev smallint; need boolean; rule int; n int; total bigint; was bigint; first_chunk int; hash bytea;
BEGIN
  IF p_chunk_rows NOT BETWEEN 1 AND 1000 THEN RAISE EXCEPTION 'chunk size' USING ERRCODE = 'BD422'; END IF;
  IF current_person() IS NULL THEN RAISE EXCEPTION 'nobody asks' USING ERRCODE = 'BD403'; END IF;
  PERFORM gate(org, true);                             -- before the batch: the decision written below takes it too
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF b.revision <> p_base THEN RAISE EXCEPTION 'failed rows were sent again meanwhile' USING ERRCODE = 'BD412'; END IF;
  IF b.status <> 'completed_with_failures' THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  -- A late word of the gateway can still turn such a row into a success.
  IF EXISTS (SELECT FROM recheck k WHERE k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = ANY (p_row))
  THEN RAISE EXCEPTION 'the gateway is being asked about these rows' USING ERRCODE = 'BD429'; END IF;
  rev := b.revision + 1;
  INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, revision, order_id, amount_minor, gateway_key, unique_id, txn_id, request_sha256, extra)
  SELECT org, p_batch, u.row_no, r.sheet_row, rev, u.order_id, u.amount_minor, u.gateway_key, u.unique_id, u.txn_id, u.request_sha256, u.extra
    FROM unnest(p_row, p_order, p_amount, p_key, p_unique, p_txn, p_sha256, p_extra)
         AS u(row_no, order_id, amount_minor, gateway_key, unique_id, txn_id, request_sha256, extra)
    JOIN LATERAL (SELECT l.sheet_row, l.revision FROM record l WHERE l.organisation_id = org AND l.batch_id = p_batch AND l.row_no = u.row_no
                   ORDER BY l.revision DESC LIMIT 1) r ON true
    CROSS JOIN LATERAL (SELECT k.succeeded FROM outcome k WHERE k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = u.row_no AND k.revision = r.revision OFFSET 0) o
    LEFT JOIN LATERAL (SELECT k.succeeded FROM reversal k WHERE k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = u.row_no AND k.revision = r.revision OFFSET 0) x ON true
   WHERE NOT coalesce(x.succeeded, o.succeeded)
     AND NOT EXISTS (SELECT FROM record k WHERE k.organisation_id = org AND k.gateway_key = u.gateway_key COLLATE "C" AND (k.batch_id = p_batch) IS TRUE OFFSET 0)
   ORDER BY u.row_no;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n = 0 OR n <> cardinality(p_row) OR n <> (SELECT count(DISTINCT k) FROM unnest(p_key) AS k)
  THEN RAISE EXCEPTION 'only failed rows can be sent again, each under a new key' USING ERRCODE = 'BD409'; END IF;
  PERFORM take_unique_ids(org, p_batch, rev);
  SELECT sum(r.amount_minor), sum(before.amount_minor) INTO total, was
    FROM record r
    JOIN LATERAL (SELECT l.amount_minor FROM record l WHERE l.organisation_id = org AND l.batch_id = p_batch AND l.row_no = r.row_no AND l.revision < rev
                   ORDER BY l.revision DESC LIMIT 1) before ON true
   WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.revision = rev AND r.row_no = ANY (p_row);
  SELECT a.needed, a.version INTO need, rule FROM approval_rule a WHERE a.organisation_id = org AND a.operation = b.operation;
  need := coalesce(need, true);
  hash := content_sha256(p_batch, rev);
  INSERT INTO batch_revision VALUES (org, p_batch, rev, current_person(), hash, need, n, total, now());
  SELECT max(chunk_no) + 1 INTO first_chunk FROM chunk WHERE organisation_id = org AND batch_id = p_batch;
  INSERT INTO chunk (organisation_id, batch_id, chunk_no, revision, gateway_id, from_row, to_row, next_row, size, remaining, state, run_at)
  SELECT org, p_batch, first_chunk + c.g, rev, b.gateway_id, min(c.row_no), max(c.row_no), min(c.row_no), count(*), count(*),
         CASE WHEN need THEN 'HELD' ELSE 'WAITING' END, CASE WHEN need THEN 'infinity' ELSE now() END
    FROM (SELECT k.row_no, ((row_number() OVER (ORDER BY k.row_no) - 1) / p_chunk_rows)::int AS g FROM unnest(p_row) AS k(row_no)) c GROUP BY c.g;
  UPDATE batch SET revision = rev, amount_minor = amount_minor - was + total, updated_at = now(),
         status = CASE WHEN need THEN 'awaiting_approval' ELSE 'processing' END,
         expires_at = CASE WHEN need THEN now() + (SELECT make_interval(days => o.approval_days) FROM organisation o WHERE o.id = org) END
   WHERE organisation_id = org AND id = p_batch;
  UPDATE batch_progress SET failed = failed - n, queued = queued + n, failed_minor = failed_minor - was, queued_minor = queued_minor + total,
         amount_minor = amount_minor - was + total, updated_at = now()
   WHERE organisation_id = org AND batch_id = p_batch;
  -- The orders are read anew before these rows are sent.
  DELETE FROM order_seen s WHERE s.organisation_id = org AND s.batch_id = p_batch AND s.order_id = ANY (p_order);
  DELETE FROM retry_draft d WHERE d.organisation_id = org AND d.batch_id = p_batch;
  IF NOT need THEN
    INSERT INTO decision (organisation_id, batch_id, revision, checker, verdict, content_sha256, rule_version)
    VALUES (org, p_batch, rev, NULL, 'NOT_REQUIRED', hash, rule);
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  RETURN rev;
END $$;

---------------------------------------------------------------------------------------------------- syncs
-- In the order of the claim: tasks that become due together are not sorted at each claim.
DROP INDEX order_task_due;
CREATE INDEX order_task_due ON order_task (organisation_id, gateway_id, run_at, batch_id, row_no) WHERE run_at IS NOT NULL;

CREATE OR REPLACE FUNCTION order_batch_cancelled() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE n int;
BEGIN
  UPDATE order_task t SET status = 'FAILED', code = 'CANCELLED', message = 'Cancelled before it was sent', run_at = NULL, updated_at = now()
    FROM (SELECT organisation_id, batch_id, row_no FROM order_task WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.id AND status = 'QUEUED'
                     AND (owner IS NULL OR run_at <= now())
             FOR UPDATE SKIP LOCKED) w
   WHERE t.organisation_id = w.organisation_id AND t.batch_id = w.batch_id AND t.row_no = w.row_no;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n > 0 THEN
    UPDATE batch_progress SET queued = queued - n, failed = failed + n, updated_at = now() WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.id;
  END IF;
  RETURN NULL;
END $$;

-- "Sync with Gateway" of a sync: every record is asked about now, whatever became of it. Answers how many are; a press while one runs
-- joins it.
CREATE OR REPLACE FUNCTION sync_orders(p_batch uuid) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; n int;
BEGIN
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch AND operation = 'order_sync';
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  PERFORM open_order_tasks(b.gateway_id);       -- what was not begun is asked about with the rest
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF b.status NOT IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled') THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.last_synced_at IS NULL OR b.last_synced_at < now() - interval '10 seconds' THEN
    UPDATE order_task t SET asks = true, tries = 0, asked_at = now(), run_at = now()
      FROM (SELECT organisation_id, batch_id, row_no FROM order_task WHERE organisation_id = org AND batch_id = p_batch AND (owner IS NULL OR run_at <= now()) FOR UPDATE SKIP LOCKED) w
     WHERE t.organisation_id = w.organisation_id AND t.batch_id = w.batch_id AND t.row_no = w.row_no;
    UPDATE batch SET last_synced_at = now(), updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  SELECT count(*) INTO n FROM order_task WHERE organisation_id = org AND batch_id = p_batch AND run_at IS NOT NULL;
  RETURN n;
END $$;
