-- A database that went back to an older state: how it is noticed, and what is asked first.

-- The cluster's own name and how far its log is on disk. Where a service hides either it is null, and tokens decide
-- alone.
CREATE OR REPLACE FUNCTION log_position(OUT system text, OUT at_byte bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  BEGIN SELECT c.system_identifier::text INTO system
    FROM pg_control_system() c; EXCEPTION WHEN OTHERS THEN system := NULL; END;
  BEGIN at_byte := (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint; EXCEPTION WHEN OTHERS THEN at_byte := NULL;
    END;
END $$;

-- How many of these intents are not here. An intent is named by who committed it under which lease: the same rows sent
-- again by a database that went back are another one.
CREATE OR REPLACE FUNCTION missing_intents(p_organisation uuid[], p_batch uuid[], p_revision smallint[], p_row int[],
  p_epoch bigint[], p_owner uuid[]) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE was text := current_setting('app.organisation', true); i record; n int := 0;
BEGIN
  FOR i IN SELECT * FROM unnest(p_organisation, p_batch, p_revision, p_row, p_epoch, p_owner) AS u(organisation, batch,
    revision, row_no, epoch, owner) LOOP
    PERFORM set_config('app.organisation', i.organisation::text, true);
    PERFORM FROM attempt a WHERE a.organisation_id = i.organisation AND a.batch_id = i.batch AND a.revision = i.revision
      AND a.from_row = i.row_no
        AND a.epoch = i.epoch AND a.owner = i.owner;
    IF NOT FOUND THEN n := n + 1; END IF;
  END LOOP;
  PERFORM set_config('app.organisation', coalesce(was, ''), true);
  RETURN n;
END $$;

-- What is submitted after a restore may repeat what was forgotten with its file: its unique ids, and with them its
-- keys, are known to the gateway alone. For 30 days, as long as a repeated file is asked about; without end for failed
-- rows of a batch older than the restore.
CREATE OR REPLACE FUNCTION chunk_asks() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE r batchdesk.restore;
BEGIN
  SELECT * INTO r FROM restore ORDER BY number DESC LIMIT 1;
  IF FOUND AND (r.at > now() - interval '30 days'
                OR EXISTS (SELECT FROM batch b
                  WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND b.created_at < r.at)) THEN
    NEW.asked_to := NEW.from_row;
    NEW.ask_after := r.ask_after;
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER chunk_asks BEFORE INSERT ON chunk FOR EACH ROW EXECUTE FUNCTION chunk_asks();

-- A row that the gateway has, or may have, without an intent that is known here: its lost intent is written down again,
-- and it becomes an open task of this worker (epoch 1), who records in the same transaction what he heard. False: the
-- lease is lost. What the gateway had refunded beyond ours had it in; now it is ours.
CREATE OR REPLACE FUNCTION take_over(p_batch uuid, p_chunk int, p_epoch bigint, p_owner uuid, p_row int) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); c batchdesk.chunk; r batchdesk.record; b record;
BEGIN
  SELECT * INTO c FROM chunk WHERE organisation_id = org AND batch_id = p_batch AND chunk_no = p_chunk
    AND epoch = p_epoch AND owner = p_owner
     AND state = 'LEASED' AND asked_to IS NOT NULL AND ask_after <= clock_timestamp()
       AND p_row BETWEEN next_row AND to_row FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  SELECT * INTO r FROM record WHERE organisation_id = org AND batch_id = p_batch AND row_no = p_row
    AND revision = c.revision;
  -- In order, as intents are: between the rows of a retry lie rows that are not of it.
  IF NOT FOUND OR EXISTS (SELECT FROM record x
    WHERE x.organisation_id = org AND x.batch_id = p_batch AND x.revision = c.revision
                             AND x.row_no >= c.next_row AND x.row_no < p_row)
  THEN RAISE EXCEPTION 'not the next row' USING ERRCODE = 'BD409'; END IF;
  SELECT bt.gateway_id, g.balances AND op.takes_from_orders AS balances, bt.currency, v.created_at INTO b
    FROM batch bt JOIN operation op ON op.code = bt.operation
    JOIN gateway g ON g.organisation_id = org AND g.id = bt.gateway_id
    JOIN batch_revision v ON v.organisation_id = org AND v.batch_id = p_batch AND v.revision = c.revision
   WHERE bt.organisation_id = org AND bt.id = p_batch;
  UPDATE chunk SET next_row = p_row + 1, asked_to = greatest(asked_to, p_row + 1), remaining = remaining - 1,
         state = CASE WHEN remaining = 1 THEN 'DONE' ELSE state END
   WHERE organisation_id = org AND batch_id = p_batch AND chunk_no = p_chunk;
  INSERT INTO attempt (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner, currency,
    balanced, lost)
  VALUES (org, p_batch, p_row, p_row, c.revision, 1, p_chunk, p_epoch, p_owner, b.currency, b.balances, true);
  -- When it was sent is forgotten; no window of a key may be counted from later than this.
  INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, epoch, owner, leased_at,
    run_at, attempts, first_sent_at, last_sent_at)
  VALUES (org, p_batch, p_row, c.revision, b.gateway_id, 'UNKNOWN', 1, p_owner, now(), c.run_at, 1, b.created_at,
    b.created_at);
  IF b.balances THEN
    INSERT INTO order_balance AS ob (organisation_id, order_id, currency, committed_minor)
      VALUES (org, r.order_id, b.currency, r.amount_minor)
    ON CONFLICT (organisation_id, order_id) DO UPDATE
      SET committed_minor = ob.committed_minor + excluded.committed_minor,
      outside_minor = greatest(ob.outside_minor - excluded.committed_minor, 0);
  END IF;
  RETURN true;
END $$;

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION log_position(), missing_intents(uuid[], uuid[], smallint[], int[], bigint[], uuid[])
  TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION take_over(uuid, int, bigint, uuid, int) TO batchdesk_worker;
