-- Batch Sync: orders brought up to date from the gateway and handed to the organisation's external system.
--
-- A sync goes through the tables of every batch (batch, batch_progress, batch_revision, decision, record, chunk, evidence): approval,
-- pause, cancel and counters are the same. It asks and tells and moves no money, so it has neither attempts nor outcomes: what becomes
-- of a record may change each time it is asked about, and stands in order_task.
--
-- LOCKS    as at the head of 0002, with order_task in the place of open_task, and stored_order (order_id) in that of order_balance. What
--          holds a batch never waits for an order_task (SKIP LOCKED).

ALTER TABLE batch DROP CONSTRAINT operation_known,
  ADD CONSTRAINT operation_known CHECK (operation IN ('refund', 'order_sync'));

-- What moves money has an amount and a key at the gateway; what only asks has neither.
ALTER TABLE record DROP CONSTRAINT record_amount_minor_check,
  ADD CONSTRAINT money_has_a_key CHECK ((amount_minor > 0 AND gateway_key <> '') OR (amount_minor = 0 AND gateway_key = ''));
CREATE FUNCTION revision_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  PERFORM FROM batch b JOIN record r ON r.organisation_id = b.organisation_id AND r.batch_id = b.id AND r.revision = NEW.revision
    WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND (r.amount_minor > 0) <> (b.operation = 'refund') LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'a record does not fit the operation' USING ERRCODE = 'BD422'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER revision_guard BEFORE INSERT ON batch_revision FOR EACH ROW EXECUTE FUNCTION revision_guard();

ALTER TABLE draft ADD COLUMN options text NOT NULL DEFAULT '';   -- what else was chosen with the file, so that it is still chosen when the form comes back

---------------------------------------------------------------------------------------------------- runs of rows know what is done with them
ALTER TABLE chunk ADD COLUMN operation text NOT NULL DEFAULT 'refund';        -- of the batch, so that a claim reads one index and joins nothing
CREATE FUNCTION chunk_operation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  NEW.operation := coalesce((SELECT b.operation FROM batch b WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id), NEW.operation);
  RETURN NEW;
END $$;
CREATE TRIGGER chunk_operation BEFORE INSERT ON chunk FOR EACH ROW EXECUTE FUNCTION chunk_operation();
DROP INDEX chunk_due;
CREATE INDEX chunk_due ON chunk (organisation_id, gateway_id, operation, run_at, batch_id, chunk_no) WHERE state IN ('WAITING', 'LEASED');

---------------------------------------------------------------------------------------------------- what is known of orders
CREATE TABLE stored_order (                     -- an order as the gateway had it when it was last asked
  organisation_id  uuid NOT NULL,
  order_id         text COLLATE "C" NOT NULL,
  gateway_id       uuid NOT NULL,
  batch_id         uuid NOT NULL,               -- which batch asked last
  status           text NOT NULL,               -- the gateway's word
  charged          boolean NOT NULL,
  amount_minor     bigint NOT NULL,
  currency         char(3) NOT NULL,
  refunded_minor   bigint NOT NULL,
  refundable_minor bigint,                      -- null: the gateway does not say
  transactions     text[] NOT NULL,             -- their ids
  refunds          jsonb NOT NULL,              -- [{unique_request_id, reference, amount_minor, status, kind}]
  body             text NOT NULL,               -- the answer as it came
  content_sha256   bytea NOT NULL CHECK (length(content_sha256) = 32),   -- of what is told to the external system: tells whether it changed
  seen_at          timestamptz NOT NULL,
  first_seen_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, order_id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);

CREATE TABLE external_system (                  -- where the organisation wants its synchronised orders; no row: they stay here
  organisation_id uuid PRIMARY KEY REFERENCES organisation,
  url             text NOT NULL,
  sealed_secret   bytea NOT NULL,               -- sealed for this organisation's id with a key that is not in the database
  enabled         boolean NOT NULL DEFAULT true,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now()
);

---------------------------------------------------------------------------------------------------- the work
CREATE TABLE order_task (                       -- one record of a sync, from when its run of rows was opened. Changes in place: a sync has no last word
  organisation_id  uuid NOT NULL,
  batch_id         uuid NOT NULL,
  row_no           int NOT NULL,
  gateway_id       uuid NOT NULL,
  asks             boolean NOT NULL,            -- whether the gateway is asked: as the toggle was, and always after Sync with Gateway
  status           text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'ACCEPTED', 'FAILED')),   -- what the counters count
  gateway_status   text CHECK (gateway_status IN ('SYNCED', 'FAILED', 'NOT REQUESTED')),
  response         text,                        -- External System Response
  code             text COLLATE "C",
  message          text,                        -- why it failed or waits
  delivered_sha256 bytea CHECK (length(delivered_sha256) = 32),   -- what the external system took last for this task
  tries            smallint NOT NULL DEFAULT 0, -- since it became due: the back-off's step
  asked_at         timestamptz NOT NULL DEFAULT now(),   -- since when it is due
  epoch            bigint NOT NULL DEFAULT 0,   -- the fence: + 1 with each claim, checked by each write
  owner            uuid,                        -- who works on it; null: nobody
  run_at           timestamptz,                 -- due from, or end of the lease; null: there is nothing to do
  updated_at       timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT queued_is_due CHECK (status <> 'QUEUED' OR run_at IS NOT NULL),
  PRIMARY KEY (organisation_id, batch_id, row_no),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
) WITH (fillfactor = 70);
CREATE INDEX order_task_due ON order_task (organisation_id, gateway_id, run_at) WHERE run_at IS NOT NULL;

ALTER TABLE evidence DROP CONSTRAINT evidence_source_check,
  ADD CONSTRAINT evidence_source_check CHECK (source IN ('SEND', 'QUERY', 'WEBHOOK', 'RECONCILE', 'PEOPLE', 'DELIVERY'));   -- DELIVERY: the external system's answer

-- The way from a run of rows to tasks, and the gate of it: ONE rule of approval, a decision that allows it exists for exactly this
-- content. Rows of a cancelled batch are called off. Answers the batches it touched.
CREATE FUNCTION open_order_tasks(p_gateway uuid) RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); k record; n int;
BEGIN
  PERFORM gate(org, false);                     -- before the look at what it guards
  FOR k IN SELECT c.batch_id, c.chunk_no, c.revision, c.from_row, c.to_row, b.status = 'cancelled' AS cancelled, b.options
             FROM chunk c JOIN batch b ON b.organisation_id = c.organisation_id AND b.id = c.batch_id
            WHERE c.organisation_id = org AND c.gateway_id = p_gateway AND c.operation = 'order_sync' AND c.state = 'WAITING' AND c.run_at <= now()
              AND b.operation = 'order_sync' AND (b.status = 'cancelled' OR b.status = 'processing'
                AND EXISTS (SELECT FROM batch_revision v JOIN decision d USING (organisation_id, batch_id, revision)
                             WHERE v.organisation_id = org AND v.batch_id = c.batch_id AND v.revision = c.revision
                               AND d.verdict IN ('APPROVE', 'NOT_REQUIRED') AND d.content_sha256 = v.content_sha256))
            ORDER BY c.run_at, c.batch_id, c.chunk_no LIMIT 100 FOR UPDATE OF c SKIP LOCKED LOOP
    INSERT INTO order_task (organisation_id, batch_id, row_no, gateway_id, asks, status, code, message, run_at)
    SELECT org, r.batch_id, r.row_no, p_gateway, k.options = 'sync_with_gateway=on',
           CASE WHEN k.cancelled THEN 'FAILED' ELSE 'QUEUED' END, CASE WHEN k.cancelled THEN 'CANCELLED' END,
           CASE WHEN k.cancelled THEN 'Cancelled before it was sent' END, CASE WHEN NOT k.cancelled THEN now() END
      FROM record r WHERE r.organisation_id = org AND r.batch_id = k.batch_id AND r.revision = k.revision AND r.row_no BETWEEN k.from_row AND k.to_row;
    GET DIAGNOSTICS n = ROW_COUNT;
    UPDATE chunk SET state = 'DONE', remaining = 0, next_row = to_row + 1 WHERE organisation_id = org AND batch_id = k.batch_id AND chunk_no = k.chunk_no;
    IF k.cancelled AND n > 0 THEN
      UPDATE batch_progress SET queued = queued - n, failed = failed + n, updated_at = now() WHERE organisation_id = org AND batch_id = k.batch_id;
    END IF;
    RETURN NEXT k.batch_id;
  END LOOP;
END $$;

-- A sync that is cancelled: what nobody works on is called off at once. Rows that are being worked on run to their end, and are called
-- off by whoever would take them next.
CREATE FUNCTION order_batch_cancelled() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE n int;
BEGIN
  UPDATE order_task t SET status = 'FAILED', code = 'CANCELLED', message = 'Cancelled before it was sent', run_at = NULL, updated_at = now()
    FROM (SELECT row_no FROM order_task WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.id AND status = 'QUEUED'
                     AND (owner IS NULL OR run_at <= now())
             FOR UPDATE SKIP LOCKED) w
   WHERE t.organisation_id = NEW.organisation_id AND t.batch_id = NEW.id AND t.row_no = w.row_no;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n > 0 THEN
    UPDATE batch_progress SET queued = queued - n, failed = failed + n, updated_at = now() WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER order_batch_cancelled AFTER UPDATE OF status ON batch FOR EACH ROW
  WHEN (NEW.operation = 'order_sync' AND NEW.status = 'cancelled' AND OLD.status <> 'cancelled') EXECUTE FUNCTION order_batch_cancelled();

-- "Sync with Gateway" of a sync: every record is asked about now, whatever became of it. Answers how many are; a press while one runs
-- joins it.
CREATE FUNCTION sync_orders(p_batch uuid) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; n int;
BEGIN
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch AND operation = 'order_sync';
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  PERFORM open_order_tasks(b.gateway_id);       -- what was not begun is asked about with the rest
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF b.status NOT IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled') THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.last_synced_at IS NULL OR b.last_synced_at < now() - interval '10 seconds' THEN
    UPDATE order_task t SET asks = true, tries = 0, asked_at = now(), run_at = now()
      FROM (SELECT row_no FROM order_task WHERE organisation_id = org AND batch_id = p_batch AND (owner IS NULL OR run_at <= now()) FOR UPDATE SKIP LOCKED) w
     WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = w.row_no;
    UPDATE batch SET last_synced_at = now(), updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  SELECT count(*) INTO n FROM order_task WHERE organisation_id = org AND batch_id = p_batch AND run_at IS NOT NULL;
  RETURN n;
END $$;

-- Tasks that changed without moving a counter (they wait, or the external system answered otherwise): pages are told.
CREATE FUNCTION tell_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind)
  SELECT DISTINCT n.organisation_id, n.batch_id, 'batch_changed' FROM written n JOIN was w USING (organisation_id, batch_id, row_no)
   WHERE (n.status, n.gateway_status, n.response, n.message) IS DISTINCT FROM (w.status, w.gateway_status, w.response, w.message);
  RETURN NULL;
END $$;
CREATE TRIGGER tell_orders AFTER UPDATE ON order_task REFERENCING OLD TABLE AS was NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_orders();

---------------------------------------------------------------------------------------------------- which lanes have work due
CREATE OR REPLACE FUNCTION runnable_lanes() RETURNS TABLE (organisation_id uuid, gateway_id uuid, kind text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  WITH RECURSIVE c AS (
    (SELECT k.organisation_id, k.gateway_id, k.operation, k.run_at FROM chunk k WHERE k.state IN ('WAITING', 'LEASED')
      ORDER BY k.organisation_id, k.gateway_id, k.operation, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM c, LATERAL (SELECT k.organisation_id, k.gateway_id, k.operation, k.run_at FROM chunk k WHERE k.state IN ('WAITING', 'LEASED')
      AND (k.organisation_id, k.gateway_id, k.operation) > (c.organisation_id, c.gateway_id, c.operation)
      ORDER BY k.organisation_id, k.gateway_id, k.operation, k.run_at LIMIT 1) n),
  t AS (
    (SELECT k.organisation_id, k.gateway_id, k.run_at FROM open_task k WHERE k.state <> 'REVIEW'
      ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM t, LATERAL (SELECT k.organisation_id, k.gateway_id, k.run_at FROM open_task k WHERE k.state <> 'REVIEW'
      AND (k.organisation_id, k.gateway_id) > (t.organisation_id, t.gateway_id) ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1) n),
  s AS (
    (SELECT k.organisation_id, k.gateway_id, k.run_at FROM order_task k WHERE k.run_at IS NOT NULL
      ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM s, LATERAL (SELECT k.organisation_id, k.gateway_id, k.run_at FROM order_task k WHERE k.run_at IS NOT NULL
      AND (k.organisation_id, k.gateway_id) > (s.organisation_id, s.gateway_id) ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1) n)
  SELECT c.organisation_id, c.gateway_id, CASE WHEN o.sending AND g.sending THEN 'chunks' ELSE 'leftovers' END
    FROM c JOIN organisation o ON o.id = c.organisation_id
    JOIN gateway g ON g.organisation_id = c.organisation_id AND g.id = c.gateway_id WHERE c.run_at <= now() AND c.operation = 'refund'
  UNION ALL
  SELECT t.organisation_id, t.gateway_id, 'open tasks' FROM t WHERE t.run_at <= now()
  UNION ALL
  SELECT k.organisation_id, k.gateway_id, 'rechecks' FROM recheck k WHERE k.run_at <= now() GROUP BY 1, 2
  UNION ALL
  SELECT w.organisation_id, w.gateway_id, 'orders'
    FROM (SELECT c.organisation_id, c.gateway_id FROM c WHERE c.run_at <= now() AND c.operation = 'order_sync'
          UNION
          SELECT s.organisation_id, s.gateway_id FROM s WHERE s.run_at <= now()) w
    JOIN organisation o ON o.id = w.organisation_id WHERE o.sending $$;

---------------------------------------------------------------------------------------------------- one way to read a sync task's state
-- The columns of the view `task`, and what only a sync has.
CREATE VIEW sync_task WITH (security_invoker = true) AS
SELECT r.organisation_id, r.batch_id, r.row_no, r.sheet_row, r.revision, r.order_id, r.amount_minor, r.gateway_key, r.unique_id, r.txn_id, r.extra,
       CASE coalesce(t.status, 'QUEUED') WHEN 'ACCEPTED' THEN 'SUCCEEDED' WHEN 'FAILED' THEN 'FAILED'
            ELSE CASE WHEN t.message IS NULL THEN 'READY' ELSE 'RETRY' END END AS state,
       coalesce(t.status, 'QUEUED') AS status, t.code, t.message, NULL::text AS gw_ref, NULL::text AS refund_status, NULL::text AS refund_type,
       t.tries AS attempts, t.updated_at, t.gateway_status, t.response
  FROM record r
  LEFT JOIN order_task t ON t.organisation_id = r.organisation_id AND t.batch_id = r.batch_id AND t.row_no = r.row_no;

---------------------------------------------------------------------------------------------------- row-level security and grants
DO $$ DECLARE t text; f regprocedure; BEGIN
  FOREACH t IN ARRAY ARRAY['stored_order', 'external_system', 'order_task'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %I FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON %I TO batchdesk_web, batchdesk_worker, batchdesk_owner
        USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()))', t, t, t);
  END LOOP;
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'desk'::regnamespace AND p.prokind = 'f'
              AND p.proname IN ('revision_guard', 'chunk_operation', 'open_order_tasks', 'order_batch_cancelled', 'sync_orders', 'tell_orders') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
CREATE POLICY lanes ON order_task FOR SELECT TO batchdesk_scheduler USING ((SELECT current_user = 'batchdesk_scheduler'));
GRANT EXECUTE ON FUNCTION sync_orders(uuid) TO batchdesk_web;
GRANT EXECUTE ON FUNCTION open_order_tasks(uuid) TO batchdesk_worker;
GRANT SELECT ON stored_order, external_system, order_task, sync_task TO batchdesk_web, batchdesk_worker;
GRANT INSERT, UPDATE (url, sealed_secret, enabled, updated_at) ON external_system TO batchdesk_web;
GRANT INSERT, UPDATE ON stored_order TO batchdesk_worker;
-- Neither the batch nor the row of a task can be made or changed by the processor: only what became of it.
GRANT UPDATE (status, gateway_status, response, code, message, delivered_sha256, tries, epoch, owner, run_at, updated_at) ON order_task TO batchdesk_worker;
GRANT SELECT (organisation_id, gateway_id, operation, state, run_at) ON chunk TO batchdesk_scheduler;
GRANT SELECT (organisation_id, gateway_id, run_at) ON order_task TO batchdesk_scheduler;
