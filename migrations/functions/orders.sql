-- Batch Sync, and the way from a transaction to its order.

-- The way from a run of rows to tasks, and the gate of it: ONE rule of approval, a decision that allows it exists for
-- exactly this content. Rows of a cancelled batch are called off. The gateway is asked unless the switch of the batch
-- is off. Answers the batches it touched.
CREATE OR REPLACE FUNCTION open_order_tasks(p_gateway uuid) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); k record; n int;
BEGIN
  PERFORM gate(org, false);                     -- before the look at what it guards
  FOR k IN SELECT c.batch_id, c.chunk_no, c.revision, c.from_row, c.to_row, b.status = 'cancelled' AS cancelled,
    b.options
             FROM chunk c JOIN batch b ON b.organisation_id = c.organisation_id AND b.id = c.batch_id
            WHERE c.organisation_id = org AND c.gateway_id = p_gateway AND c.work = 'query'
              AND c.state = 'WAITING' AND c.run_at <= now()
              AND b.work = 'query' AND (b.status = 'cancelled' OR b.status = 'processing'
                AND EXISTS (SELECT FROM batch_revision v JOIN decision d USING (organisation_id, batch_id, revision)
                             WHERE v.organisation_id = org AND v.batch_id = c.batch_id AND v.revision = c.revision
                               AND d.verdict IN ('APPROVE', 'NOT_REQUIRED') AND d.content_sha256 = v.content_sha256))
            ORDER BY c.run_at, c.batch_id, c.chunk_no LIMIT 100 FOR UPDATE OF c SKIP LOCKED LOOP
    INSERT INTO order_task (organisation_id, batch_id, row_no, gateway_id, asks, status, code, message, run_at)
    SELECT org, r.batch_id, r.row_no, p_gateway, k.options !~ '=off$',
           CASE WHEN k.cancelled THEN 'FAILED' ELSE 'QUEUED' END, CASE WHEN k.cancelled THEN 'CANCELLED' END,
           CASE WHEN k.cancelled THEN 'Cancelled before it was sent' END, CASE WHEN NOT k.cancelled THEN now() END
      FROM record r WHERE r.organisation_id = org AND r.batch_id = k.batch_id AND r.revision = k.revision
        AND r.row_no BETWEEN k.from_row AND k.to_row;
    GET DIAGNOSTICS n = ROW_COUNT;
    UPDATE chunk SET state = 'DONE', remaining = 0, next_row = to_row + 1
      WHERE organisation_id = org AND batch_id = k.batch_id AND chunk_no = k.chunk_no;
    IF k.cancelled AND n > 0 THEN
      UPDATE batch_progress SET queued = queued - n, failed = failed + n, updated_at = now()
        WHERE organisation_id = org AND batch_id = k.batch_id;
    END IF;
    RETURN NEXT k.batch_id;
  END LOOP;
END $$;

-- A sync that is cancelled: what nobody works on is called off at once. Rows that are being worked on run to their end,
-- and are called off by whoever would take them next.
CREATE OR REPLACE FUNCTION order_batch_cancelled() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE n int;
BEGIN
  UPDATE order_task t SET status = 'FAILED', code = 'CANCELLED', message = 'Cancelled before it was sent',
    run_at = NULL, updated_at = now()
    FROM (SELECT organisation_id, batch_id, row_no FROM order_task
      WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.id AND status = 'QUEUED'
                     AND (owner IS NULL OR run_at <= now())
             FOR UPDATE SKIP LOCKED) w
   WHERE t.organisation_id = w.organisation_id AND t.batch_id = w.batch_id AND t.row_no = w.row_no;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n > 0 THEN
    UPDATE batch_progress SET queued = queued - n, failed = failed + n, updated_at = now()
      WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.id;
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER order_batch_cancelled AFTER UPDATE OF status ON batch FOR EACH ROW
  WHEN (NEW.work = 'query' AND NEW.status = 'cancelled' AND OLD.status <> 'cancelled')
    EXECUTE FUNCTION order_batch_cancelled();

-- "Sync with Gateway" of a sync: every record is asked about now, whatever became of it. Answers how many are; a press
-- while one runs joins it.
CREATE OR REPLACE FUNCTION sync_orders(p_batch uuid) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b batchdesk.batch; n int;
BEGIN
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch AND work = 'query';
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  PERFORM open_order_tasks(b.gateway_id);       -- what was not begun is asked about with the rest
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF b.status NOT IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled')
    THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.last_synced_at IS NULL OR b.last_synced_at < now() - interval '10 seconds' THEN
    UPDATE order_task t SET asks = true, tries = 0, asked_at = now(), run_at = now()
      FROM (SELECT organisation_id, batch_id, row_no FROM order_task
        WHERE organisation_id = org AND batch_id = p_batch
        AND (owner IS NULL OR run_at <= now()) FOR UPDATE SKIP LOCKED) w
     WHERE t.organisation_id = w.organisation_id AND t.batch_id = w.batch_id AND t.row_no = w.row_no;
    UPDATE batch SET last_synced_at = now(), updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  SELECT count(*) INTO n FROM order_task WHERE organisation_id = org AND batch_id = p_batch AND run_at IS NOT NULL;
  RETURN n;
END $$;

-- Written by the statement that stores the order, whichever that is. What the gateway no longer lists goes. An id that
-- no index could hold is left out: it is on the order's page, and only not searched by.
CREATE OR REPLACE FUNCTION store_transactions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM stored_transaction t USING was w CROSS JOIN LATERAL unnest(w.transactions) AS x(txn_id)
     WHERE t.organisation_id = w.organisation_id AND t.txn_id = x.txn_id COLLATE "C" AND t.order_id = w.order_id
       AND NOT EXISTS (SELECT FROM seen n
         WHERE n.organisation_id = w.organisation_id AND n.order_id = w.order_id AND x.txn_id = ANY (n.transactions));
  END IF;
  INSERT INTO stored_transaction (organisation_id, txn_id, order_id)
  SELECT n.organisation_id, x.txn_id, n.order_id FROM seen n CROSS JOIN LATERAL unnest(n.transactions) AS x(txn_id)
   WHERE length(x.txn_id) BETWEEN 1 AND 256
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER store_transactions AFTER INSERT ON stored_order REFERENCING NEW TABLE AS seen
  FOR EACH STATEMENT EXECUTE FUNCTION store_transactions();
CREATE OR REPLACE TRIGGER restore_transactions AFTER UPDATE
  ON stored_order REFERENCING OLD TABLE AS was NEW TABLE AS seen
  FOR EACH STATEMENT EXECUTE FUNCTION store_transactions();

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION sync_orders(uuid) TO batchdesk_web;
GRANT EXECUTE ON FUNCTION open_order_tasks(uuid) TO batchdesk_worker;
