-- The database goes back to an older state: a backup is restored, or an asynchronous standby takes over. What was sent since then is
-- forgotten here and done at the gateways.
--
-- MARKS    While something is sent a mark with a random token is added about once a second. Every process keeps the newest one that it saw,
--          and its own last intents, in its data folder: a database without them has gone back. The token, not the number: a database that
--          went back and goes on reaches the same number again.
-- RESTORE  `batchdesk restored` writes a row here and puts everything unfinished into ask first. What a process misses and is older than the
--          newest finished row is known to be forgotten.
-- ASK      chunk.asked_to: rows from it on are looked up at the gateway before they are sent. The gate of every send holds it.

---------------------------------------------------------------------------------------------------- what the past is known by
CREATE TABLE mark (                             -- global: the history of the whole database
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token  uuid NOT NULL DEFAULT gen_random_uuid(),
  at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX mark_by_time ON mark (at);
CREATE TABLE restore (                          -- global: each time that the operator said that this is an older state
  number    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  ask_after timestamptz NOT NULL,               -- until then something that was sent before may still arrive at a gateway
  done_at   timestamptz                         -- null: not everything is in ask first yet
);
CREATE TABLE installation (                     -- global, one row: the cluster that this database was last known to be in
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),
  system text                                   -- what was dumped and restored finds itself in another one
);

-- The cluster's own name and how far its log is on disk. Where a service hides either it is null, and tokens decide alone.
CREATE FUNCTION log_position(OUT system text, OUT at_byte bigint) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  BEGIN SELECT c.system_identifier::text INTO system FROM pg_control_system() c; EXCEPTION WHEN OTHERS THEN system := NULL; END;
  BEGIN at_byte := (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint; EXCEPTION WHEN OTHERS THEN at_byte := NULL; END;
END $$;

-- How many of these intents are not here. An intent is named by who committed it under which lease: the same rows sent again by a database
-- that went back are another one.
CREATE FUNCTION missing_intents(p_organisation uuid[], p_batch uuid[], p_revision smallint[], p_row int[], p_epoch bigint[], p_owner uuid[]) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE was text := current_setting('app.organisation', true); i record; n int := 0;
BEGIN
  FOR i IN SELECT * FROM unnest(p_organisation, p_batch, p_revision, p_row, p_epoch, p_owner) AS u(organisation, batch, revision, row_no, epoch, owner) LOOP
    PERFORM set_config('app.organisation', i.organisation::text, true);
    PERFORM FROM attempt a WHERE a.organisation_id = i.organisation AND a.batch_id = i.batch AND a.revision = i.revision AND a.from_row = i.row_no
        AND a.epoch = i.epoch AND a.owner = i.owner;
    IF NOT FOUND THEN n := n + 1; END IF;
  END LOOP;
  PERFORM set_config('app.organisation', coalesce(was, ''), true);
  RETURN n;
END $$;

---------------------------------------------------------------------------------------------------- ask first
ALTER TABLE chunk ADD asked_to int;                               -- null: nothing is to be asked first
ALTER TABLE chunk ADD ask_after timestamptz;                      -- and not before
ALTER TABLE chunk ADD forgotten boolean NOT NULL DEFAULT false;   -- the older state had these rows: they may have been sent since
ALTER TABLE attempt ADD lost boolean NOT NULL DEFAULT false;      -- not committed here: the gateway's word for a past that is forgotten

-- What is submitted after a restore may repeat what was forgotten with its file: its unique ids, and with them its keys, are known to the
-- gateway alone. For 30 days, as long as a repeated file is asked about; without end for failed rows of a batch older than the restore.
CREATE FUNCTION chunk_asks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE r desk.restore;
BEGIN
  SELECT * INTO r FROM restore ORDER BY number DESC LIMIT 1;
  IF FOUND AND (r.at > now() - interval '30 days'
                OR EXISTS (SELECT FROM batch b WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND b.created_at < r.at)) THEN
    NEW.asked_to := NEW.from_row;
    NEW.ask_after := r.ask_after;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER chunk_asks BEFORE INSERT ON chunk FOR EACH ROW EXECUTE FUNCTION chunk_asks();

-- A row that the gateway has, or may have, without an intent that is known here: its lost intent is written down again, and it becomes an
-- open task of this worker (epoch 1), who records in the same transaction what he heard. False: the lease is lost.
-- What the gateway had refunded beyond ours had it in; now it is ours.
CREATE FUNCTION take_over(p_batch uuid, p_chunk int, p_epoch bigint, p_owner uuid, p_row int) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); c desk.chunk; r desk.record; b record;
BEGIN
  SELECT * INTO c FROM chunk WHERE organisation_id = org AND batch_id = p_batch AND chunk_no = p_chunk AND epoch = p_epoch AND owner = p_owner
     AND state = 'LEASED' AND asked_to IS NOT NULL AND ask_after <= clock_timestamp() AND p_row BETWEEN next_row AND to_row FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  SELECT * INTO r FROM record WHERE organisation_id = org AND batch_id = p_batch AND row_no = p_row AND revision = c.revision;
  -- In order, as intents are: between the rows of a retry lie rows that are not of it.
  IF NOT FOUND OR EXISTS (SELECT FROM record x WHERE x.organisation_id = org AND x.batch_id = p_batch AND x.revision = c.revision
                             AND x.row_no >= c.next_row AND x.row_no < p_row)
  THEN RAISE EXCEPTION 'not the next row' USING ERRCODE = 'BD409'; END IF;
  SELECT bt.gateway_id, g.balances, bt.currency, v.created_at INTO b FROM batch bt
    JOIN gateway g ON g.organisation_id = org AND g.id = bt.gateway_id
    JOIN batch_revision v ON v.organisation_id = org AND v.batch_id = p_batch AND v.revision = c.revision
   WHERE bt.organisation_id = org AND bt.id = p_batch;
  UPDATE chunk SET next_row = p_row + 1, asked_to = greatest(asked_to, p_row + 1), remaining = remaining - 1,
         state = CASE WHEN remaining = 1 THEN 'DONE' ELSE state END
   WHERE organisation_id = org AND batch_id = p_batch AND chunk_no = p_chunk;
  INSERT INTO attempt (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner, currency, balanced, lost)
  VALUES (org, p_batch, p_row, p_row, c.revision, 1, p_chunk, p_epoch, p_owner, b.currency, b.balances, true);
  -- When it was sent is forgotten; no window of a key may be counted from later than this.
  INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, epoch, owner, leased_at, run_at, attempts, first_sent_at, last_sent_at)
  VALUES (org, p_batch, p_row, c.revision, b.gateway_id, 'UNKNOWN', 1, p_owner, now(), c.run_at, 1, b.created_at, b.created_at);
  IF b.balances THEN
    INSERT INTO order_balance AS ob (organisation_id, order_id, currency, committed_minor) VALUES (org, r.order_id, b.currency, r.amount_minor)
    ON CONFLICT (organisation_id, order_id) DO UPDATE SET committed_minor = ob.committed_minor + excluded.committed_minor,
      outside_minor = greatest(ob.outside_minor - excluded.committed_minor, 0);
  END IF;
  RETURN true;
END $$;

-- As in 0019, and holds what must be asked first.
CREATE OR REPLACE FUNCTION attempt_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE allowed record;
BEGIN
  IF NEW.lost THEN RETURN NEW; END IF;                       -- take_over() alone may say so: it was sent in a past that is forgotten
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
       AND (asked_to IS NULL OR NEW.to_row < asked_to)                     -- the gateway was asked first, where it must be
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

---------------------------------------------------------------------------------------------------- grants
REVOKE EXECUTE ON FUNCTION log_position(), missing_intents(uuid[], uuid[], smallint[], int[], bigint[], uuid[]), chunk_asks(),
  take_over(uuid, int, bigint, uuid, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_position(), missing_intents(uuid[], uuid[], smallint[], int[], bigint[], uuid[]) TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION take_over(uuid, int, bigint, uuid, int) TO batchdesk_worker;
GRANT SELECT ON mark, restore, installation TO batchdesk_web, batchdesk_worker;
GRANT INSERT (token, at), DELETE ON mark TO batchdesk_worker;
GRANT INSERT (ask_after), UPDATE (done_at) ON restore TO batchdesk_worker;
GRANT INSERT (system), UPDATE (system) ON installation TO batchdesk_worker;
GRANT UPDATE (asked_to, ask_after, forgotten) ON chunk TO batchdesk_worker;
GRANT DELETE ON order_seen TO batchdesk_worker;                    -- an order is read again before anything else of it is sent
