-- The gate of every send, and what may be written down of its end.
--
-- Guards run with the owner's rights, so the runtime roles need no right to change what they check. Each fires once a
-- run of rows or a statement, never once a task.

-- So that a claim reads one index and joins nothing.
CREATE OR REPLACE FUNCTION chunk_work() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  NEW.work := (SELECT b.work FROM batch b WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id);
  IF NEW.work = 'import' THEN RAISE EXCEPTION 'an import has no work to lease' USING ERRCODE = 'BD422'; END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER chunk_work BEFORE INSERT ON chunk FOR EACH ROW EXECUTE FUNCTION chunk_work();

-- The gate of every send. An attempt that may not be is skipped (INSERT 0): the other runs of the same statement go on.
-- ONE rule of approval: a decision that allows it exists for exactly this content. What must be asked first is held.
CREATE OR REPLACE FUNCTION attempt_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE allowed record;
BEGIN
  -- take_over() alone may say so: it was sent in a past that is forgotten
  IF NEW.lost THEN RETURN NEW; END IF;
  PERFORM gate(NEW.organisation_id, false);                  -- before the look at what it guards
  SELECT v.revision, b.currency, gw.balances AND op.takes_from_orders AS balances,
         gw.preflight AND op.takes_from_orders AS preflight, p.class, p.key_window INTO allowed
    FROM batch b
    JOIN operation op ON op.code = b.operation
    JOIN organisation o ON o.id = b.organisation_id
    JOIN gateway gw ON gw.organisation_id = b.organisation_id AND gw.id = b.gateway_id
    LEFT JOIN gateway_promise p ON p.organisation_id = b.organisation_id AND p.gateway_id = b.gateway_id
     AND p.effect = op.effect
    JOIN batch_revision v ON v.organisation_id = b.organisation_id AND v.batch_id = b.id
     AND v.revision = CASE WHEN NEW.chunk_no IS NULL THEN NEW.revision
                           ELSE (SELECT c.revision FROM chunk c
                             WHERE c.organisation_id = NEW.organisation_id AND c.batch_id = NEW.batch_id
                             AND c.chunk_no = NEW.chunk_no) END
    JOIN decision d ON d.organisation_id = v.organisation_id AND d.batch_id = v.batch_id AND d.revision = v.revision
     AND d.verdict IN ('APPROVE', 'NOT_REQUIRED') AND d.content_sha256 = v.content_sha256
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND b.work = 'send'
     AND b.status = 'processing' AND o.sending AND gw.sending;
  IF NOT FOUND THEN RETURN NULL; END IF;
  NEW.revision := allowed.revision;
  NEW.currency := allowed.currency;
  NEW.balanced := NEW.chunk_no IS NOT NULL AND allowed.balances;
  IF NEW.chunk_no IS NOT NULL THEN
    -- What was not compared with the gateway's order is not sent.
    IF allowed.preflight AND EXISTS (
      SELECT FROM record r WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id
        AND r.revision = NEW.revision
         AND r.row_no BETWEEN NEW.from_row AND NEW.to_row
         AND NOT EXISTS (SELECT FROM order_seen s
           WHERE s.organisation_id = NEW.organisation_id AND s.batch_id = NEW.batch_id AND s.order_id = r.order_id
           OFFSET 0))
    THEN RETURN NULL; END IF;
    NEW.attempt := 1;
    -- in order, once: a repeat of the same run finds next_row moved on and is skipped
    UPDATE chunk SET next_row = NEW.to_row + 1
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND chunk_no = NEW.chunk_no
       AND epoch = NEW.epoch AND state = 'LEASED' AND owner = NEW.owner
       AND next_row = NEW.from_row AND to_row >= NEW.to_row AND NEW.to_row >= NEW.from_row
       -- the gateway was asked first, where it must be
       AND (asked_to IS NULL OR NEW.to_row < asked_to)
       -- 45 % of the lease is left: 27 s of 60 for a send of 20
       AND run_at > clock_timestamp() + 0.45 * (run_at - leased_at);
  ELSE
    UPDATE open_task SET state = 'SENDING', attempts = attempts + 1, queries = 0, last_sent_at = clock_timestamp(),
      updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND row_no = NEW.from_row
       AND NEW.to_row = NEW.from_row
       AND revision = NEW.revision AND epoch = NEW.epoch AND owner = NEW.owner
       AND (state = 'RETRY' OR (state = 'UNKNOWN' AND allowed.class = 'K'
         AND clock_timestamp() < first_sent_at + 0.8 * allowed.key_window))
       AND run_at > clock_timestamp() + 0.45 * (run_at - leased_at)
    RETURNING attempts INTO NEW.attempt;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;
-- A trigger of each row is made on the leaf as well, where the owner has no right of his own.
GRANT TRIGGER ON attempt_leaf TO batchdesk_owner;
CREATE OR REPLACE TRIGGER attempt_guard BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION attempt_guard();
REVOKE TRIGGER ON attempt_leaf FROM batchdesk_owner;

-- Before attempt_guard (triggers fire by name), which would have marked the task as being sent.
CREATE OR REPLACE FUNCTION ask_only() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  PERFORM FROM open_task t WHERE t.organisation_id = NEW.organisation_id AND t.batch_id = NEW.batch_id
    AND t.row_no = NEW.from_row AND t.revision = NEW.revision AND t.reviewed;
  IF FOUND THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;
GRANT TRIGGER ON attempt_leaf TO batchdesk_owner;
CREATE OR REPLACE TRIGGER ask_only BEFORE INSERT ON attempt FOR EACH ROW WHEN (NEW.chunk_no IS NULL)
  EXECUTE FUNCTION ask_only();
REVOKE TRIGGER ON attempt_leaf FROM batchdesk_owner;

-- No outcome of a send without its intent, and none beside an open task. Once a statement, over the rows it wrote.
CREATE OR REPLACE FUNCTION outcome_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE s record; n bigint; sent int4multirange;
BEGIN
  FOR s IN SELECT organisation_id, batch_id, revision, least(attempts, 2) AS attempts, min(row_no) AS lo,
    max(row_no) AS hi, count(*) AS n,
                  bool_or(succeeded) AS succeeded, bool_or(code = 'CANCELLED') AS cancelled
             FROM written GROUP BY 1, 2, 3, 4 LOOP
    IF s.attempts = 0 AND s.succeeded THEN RAISE EXCEPTION 'succeeded without a send' USING ERRCODE = 'BD409'; END IF;
    IF s.attempts = 0 THEN
      -- A row of an import that did not pass: only whoever has its lease says so.
      PERFORM FROM batch b WHERE b.organisation_id = s.organisation_id AND b.id = s.batch_id AND b.work = 'import'
        AND b.id IS DISTINCT FROM leased_import('store');
      IF FOUND THEN RAISE EXCEPTION 'an import under no lease' USING ERRCODE = 'BD409'; END IF;
    END IF;
    IF s.attempts = 1 THEN
      -- One range of the index, from the last run that begins before these rows to the last that begins among them.
      SELECT range_agg(int4range(a.from_row, a.to_row, '[]')) INTO sent FROM attempt a
       WHERE a.organisation_id = s.organisation_id AND a.batch_id = s.batch_id AND a.revision = s.revision AND a.attempt = 1
         AND a.from_row <= s.hi
         AND a.from_row >= (SELECT max(f.from_row) FROM attempt f
           WHERE f.organisation_id = s.organisation_id AND f.batch_id = s.batch_id AND f.revision = s.revision
             AND f.attempt = 1 AND f.from_row <= s.lo);
      PERFORM FROM written w
        WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision
          AND w.attempts = 1 AND (w.row_no <@ sent) IS NOT TRUE;
      IF FOUND THEN RAISE EXCEPTION 'outcome without an intent' USING ERRCODE = 'BD409'; END IF;
    ELSIF s.attempts > 1 THEN
      SELECT count(*) INTO n FROM written w
        CROSS JOIN LATERAL (SELECT FROM attempt a
          WHERE a.organisation_id = w.organisation_id AND a.batch_id = w.batch_id AND a.revision = w.revision
                               AND a.attempt = w.attempts AND a.from_row = w.row_no OFFSET 0) a
       WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision
         AND w.attempts > 1;
      IF n <> s.n THEN RAISE EXCEPTION 'outcome without an intent' USING ERRCODE = 'BD409'; END IF;
    ELSIF s.cancelled THEN
      -- called off before it was ever sent: its unique_id is free again
      PERFORM free_unique_ids_of(s.organisation_id, s.batch_id, ARRAY(
        SELECT u.unique_id FROM written w
          CROSS JOIN LATERAL (SELECT r.unique_id FROM record r
            WHERE r.organisation_id = w.organisation_id AND r.batch_id = w.batch_id AND r.row_no = w.row_no
                                 AND r.revision = w.revision AND r.unique_id IS NOT NULL OFFSET 0) u
         WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision
           AND w.code = 'CANCELLED' AND w.attempts = 0));
    END IF;
    PERFORM FROM open_task t WHERE t.organisation_id = s.organisation_id AND t.batch_id = s.batch_id
      AND t.row_no BETWEEN s.lo AND s.hi AND t.revision = s.revision
        AND (t.row_no, t.revision) IN (SELECT w.row_no, w.revision FROM written w
          WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id);
    IF FOUND THEN RAISE EXCEPTION 'outcome beside an open task' USING ERRCODE = 'BD409'; END IF;
  END LOOP;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER outcome_guard AFTER INSERT ON outcome REFERENCING NEW TABLE AS written FOR EACH STATEMENT
  EXECUTE FUNCTION outcome_guard();

-- Only what is sent has tasks that are not final.
CREATE OR REPLACE FUNCTION open_task_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  PERFORM FROM (SELECT DISTINCT organisation_id, batch_id FROM written) w
    JOIN batch b ON b.organisation_id = w.organisation_id AND b.id = w.batch_id AND b.work <> 'send';
  IF FOUND THEN RAISE EXCEPTION 'an open task of what is not sent' USING ERRCODE = 'BD422'; END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER open_task_guard AFTER INSERT ON open_task REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION open_task_guard();

-- Adds what still fits, in row order, and skips what does not: refuses the row that is too large, not those after it.
CREATE OR REPLACE FUNCTION fit_step(used bigint, amount bigint, room bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
  AS $$ SELECT CASE WHEN room IS NULL OR used + amount <= room THEN used + amount ELSE used END $$;

CREATE OR REPLACE AGGREGATE fit(bigint, bigint) (sfunc = fit_step, stype = bigint, initcond = '0');

-- "Sync with Gateway": everything that is not final there, and what is final but was never confirmed, is asked after
-- now. It sends nothing. Returns how many rows are being asked about; a press while one runs joins it.
CREATE OR REPLACE FUNCTION sync_batch(p_batch uuid) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b batchdesk.batch; n int;
BEGIN
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF b.status NOT IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled')
    THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.last_synced_at IS NULL OR b.last_synced_at < now() - interval '10 seconds' THEN
    UPDATE open_task t SET run_at = now()
     WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state IN ('UNKNOWN', 'PENDING') AND t.run_at > now()
       AND (t.owner IS NULL OR t.leased_at + interval '1 minute' < now());
    INSERT INTO recheck (organisation_id, batch_id, row_no, revision, gateway_id)
    SELECT org, p_batch, t.row_no, t.revision, t.gateway_id FROM open_task t
      WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state = 'REVIEW'
    UNION ALL
    SELECT org, p_batch, o.row_no, o.revision, b.gateway_id FROM outcome o
     WHERE o.organisation_id = org AND o.batch_id = p_batch AND o.attempts > 0 AND (NOT o.succeeded OR o.gw_ref IS NULL)
       AND NOT EXISTS (SELECT FROM reversal x
         WHERE x.organisation_id = org AND x.batch_id = p_batch AND x.row_no = o.row_no AND x.revision = o.revision
         OFFSET 0)
       AND NOT EXISTS (SELECT FROM record r
         WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.row_no = o.row_no AND r.revision > o.revision
         OFFSET 0)
    ON CONFLICT (organisation_id, batch_id, row_no, revision) DO UPDATE SET run_at = now(), tries = 0;
    UPDATE batch SET last_synced_at = now(), updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  SELECT (SELECT count(*) FROM open_task t
    WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state IN ('UNKNOWN', 'PENDING'))
       + (SELECT count(*) FROM recheck k WHERE k.organisation_id = org AND k.batch_id = p_batch) INTO n;
  RETURN n;
END $$;

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION sync_batch(uuid) TO batchdesk_web;
GRANT EXECUTE ON FUNCTION fit_step(bigint, bigint, bigint), fit(bigint, bigint) TO batchdesk_worker;
