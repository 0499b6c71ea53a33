-- Failed rows sent again in place: a new revision of the batch with its own content hash, decision and keys.
--
-- WHEN     Only a batch that is completed with failures: nothing of it is queued, so at most one revision waits or runs at a time.
-- DECISION As the organisation's rule says for every revision, also one that changes nothing: a checker allowed each row to be sent once,
--          and days later the buyer may have been paid in another way. (Before, an unchanged repeat needed none.)
-- KEYS     A key that any record of the batch had is never given again: FAILED is final at the gateway under its key.
COMMENT ON COLUMN batch_revision.needs_decision IS 'From approval_rule, for every revision alike.';

-- What a person has typed on the page that sends failed rows again, row by row, until it is sent: nothing typed is lost between its pages.
CREATE TABLE retry_draft (
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  person_id       uuid NOT NULL DEFAULT current_person(),   -- not granted for insert: always the session's person
  row_no          int NOT NULL,
  revision        smallint NOT NULL,            -- the revision of the batch it was typed over: void when there is a later one
  take            boolean NOT NULL,             -- whether the row is to be sent again
  cells           text,                         -- JSON array of the row's cells in the template's order; null: as they are
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, batch_id, person_id, row_no),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
ALTER TABLE retry_draft ENABLE ROW LEVEL SECURITY;
ALTER TABLE retry_draft FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON retry_draft TO batchdesk_web, batchdesk_worker, batchdesk_owner
  USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()));
CREATE POLICY own ON retry_draft AS RESTRICTIVE TO batchdesk_web
  USING (person_id = (SELECT current_person())) WITH CHECK (person_id = (SELECT current_person()));
GRANT SELECT, DELETE, INSERT (organisation_id, batch_id, row_no, revision, take, cells), UPDATE (revision, take, cells, updated_at) ON retry_draft TO batchdesk_web;
GRANT SELECT (organisation_id, updated_at), DELETE ON retry_draft TO batchdesk_worker;     -- what was left lying

-- What a decision is about: operation, organisation, gateway connection, options, and the canonical requests in row order. A later revision
-- names its number: what a checker was shown of an earlier one decides nothing about the same rows asked for again.
CREATE OR REPLACE FUNCTION content_sha256(p_batch uuid, p_revision smallint) RETURNS bytea LANGUAGE sql STABLE SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT sha256(convert_to(format(E'%s|%s|%s|%s\n', b.operation, b.organisation_id, b.gateway_id, b.options), 'UTF8')
         || CASE WHEN p_revision > 1 THEN convert_to(format(E'revision %s\n', p_revision), 'UTF8') ELSE ''::bytea END
         || coalesce((SELECT string_agg(r.request_sha256, ''::bytea ORDER BY r.row_no) FROM record r
                       WHERE r.organisation_id = b.organisation_id AND r.batch_id = b.id AND r.revision = p_revision), ''::bytea))
    FROM batch b WHERE b.organisation_id = current_organisation() AND b.id = p_batch $$;

-- A revision that is not sent after all: its rows are FAILED again, with the sentence, and counted so. The batch is completed with failures
-- again by the counters' own trigger, which also gives back unique ids that were never sent.
CREATE FUNCTION drop_revision(p_organisation uuid, p_batch uuid, p_revision smallint, p_code text, p_sentence text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE v desk.batch_revision;
BEGIN
  SELECT * INTO v FROM batch_revision WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision;
  UPDATE chunk SET state = 'DONE', remaining = 0 WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision;
  INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
  SELECT organisation_id, batch_id, row_no, revision, 0, false, p_code, p_sentence FROM record
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision;
  UPDATE batch SET status = 'processing', expires_at = NULL, updated_at = now()
   WHERE organisation_id = p_organisation AND id = p_batch AND status = 'awaiting_approval';
  UPDATE batch_progress SET queued = queued - v.records, failed = failed + v.records,
         queued_minor = queued_minor - v.amount_minor, failed_minor = failed_minor + v.amount_minor, updated_at = now()
   WHERE organisation_id = p_organisation AND batch_id = p_batch;
  IF p_code = 'EXPIRED' THEN
    INSERT INTO outbox (organisation_id, batch_id, kind, audience, payload) VALUES (p_organisation, p_batch, 'expired', 'maker', '{"retry": true}');
  END IF;
END $$;
REVOKE EXECUTE ON FUNCTION drop_revision(uuid, uuid, smallint, text, text) FROM PUBLIC;

-- One decision a revision, on the latest only; never by its maker nor by the batch's; bound to the rows as they are in the database now, not
-- to what the client says they are.
CREATE OR REPLACE FUNCTION decision_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE b desk.batch; v desk.batch_revision;
BEGIN
  PERFORM gate(NEW.organisation_id, true);
  NEW.at := clock_timestamp();
  SELECT * INTO b FROM batch WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  SELECT * INTO v FROM batch_revision WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision;
  IF NOT FOUND OR EXISTS (SELECT FROM decision d WHERE d.organisation_id = NEW.organisation_id AND d.batch_id = NEW.batch_id AND d.revision = NEW.revision)
  THEN RAISE EXCEPTION 'already decided' USING ERRCODE = 'BD409'; END IF;
  IF NEW.verdict = 'NOT_REQUIRED' THEN
    IF v.needs_decision THEN RAISE EXCEPTION 'a checker must decide' USING ERRCODE = 'BD403'; END IF;
    IF v.content_sha256 <> NEW.content_sha256 THEN RAISE EXCEPTION 'content differs' USING ERRCODE = 'BD412'; END IF;
    NEW.checker := NULL;
    RETURN NEW;
  END IF;
  NEW.checker := current_person();
  IF NOT v.needs_decision OR b.status <> 'awaiting_approval' OR b.revision <> NEW.revision
  THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF NEW.checker IS NULL OR NEW.checker IN (b.maker, v.maker) THEN RAISE EXCEPTION 'maker may not decide' USING ERRCODE = 'BD403'; END IF;
  IF v.content_sha256 <> NEW.content_sha256 OR v.content_sha256 <> content_sha256(NEW.batch_id, NEW.revision)
  THEN RAISE EXCEPTION 'content changed since shown' USING ERRCODE = 'BD412'; END IF;
  IF NEW.verdict = 'APPROVE' THEN
    UPDATE batch SET status = 'processing', expires_at = NULL, updated_at = now() WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id;
    UPDATE chunk SET state = 'WAITING', run_at = now()
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision AND state = 'HELD';
    PERFORM pg_notify('batchdesk_work', NEW.organisation_id::text);
  ELSIF NEW.revision = 1 THEN
    UPDATE batch SET status = 'rejected', ended_reason = NEW.reason, expires_at = NULL, updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id;
    PERFORM free_unique_ids(NEW.organisation_id, NEW.batch_id, true);
  ELSE
    PERFORM drop_revision(NEW.organisation_id, NEW.batch_id, NEW.revision, 'REJECTED', 'Refused by a checker and not sent: ' || btrim(NEW.reason));
  END IF;
  RETURN NEW;
END $$;

-- What makers are told says whether it was the batch or failed rows of it.
CREATE OR REPLACE FUNCTION tell_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind, audience, payload)
  VALUES (NEW.organisation_id, NEW.batch_id, CASE NEW.verdict WHEN 'APPROVE' THEN 'approved' ELSE 'rejected' END, 'maker',
          jsonb_build_object('by', (SELECT p.email FROM desk.person p WHERE p.id = NEW.checker), 'message', NEW.reason)
          || CASE WHEN NEW.revision > 1 THEN '{"retry": true}'::jsonb ELSE '{}'::jsonb END);
  RETURN NULL;
END $$;

-- Ends what nobody decided in time: the whole batch, or for a later revision its rows (they are FAILED again).
CREATE OR REPLACE FUNCTION expire_due() RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch;
BEGIN
  PERFORM gate(org, true);
  FOR b IN SELECT * FROM batch WHERE organisation_id = org AND status = 'awaiting_approval' AND expires_at <= now() ORDER BY id FOR UPDATE LOOP
    IF b.revision = 1 THEN
      UPDATE batch SET status = 'expired', ended_reason = 'Nobody decided in time.', expires_at = NULL, updated_at = now() WHERE organisation_id = org AND id = b.id;
      PERFORM free_unique_ids(org, b.id, true);
    ELSE
      PERFORM drop_revision(org, b.id, b.revision, 'EXPIRED', 'Nobody decided in time whether to send it again, so it was not sent.');
    END IF;
    RETURN NEXT b.id;
  END LOOP;
END $$;

-- The maker of what waits takes it back before a decision: the whole batch, or the rows of a later revision.
CREATE OR REPLACE FUNCTION withdraw(p_batch uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; who uuid;
BEGIN
  PERFORM gate(org, true);
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  SELECT v.maker INTO who FROM batch_revision v WHERE v.organisation_id = org AND v.batch_id = p_batch AND v.revision = b.revision;
  IF who IS DISTINCT FROM current_person() THEN RAISE EXCEPTION 'only its maker' USING ERRCODE = 'BD403'; END IF;
  IF b.status <> 'awaiting_approval' THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.revision = 1 THEN
    UPDATE batch SET status = 'withdrawn', ended_reason = 'Withdrawn by its maker.', expires_at = NULL, updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM free_unique_ids(org, p_batch, true);
  ELSE
    PERFORM drop_revision(org, p_batch, b.revision, 'WITHDRAWN', 'Taken back by the person who asked to send it again, so it was not sent.');
  END IF;
END $$;

-- Failed rows again, in place: each given row becomes the next revision of its row_no and goes through the same path as the file did.
-- p_base is the revision of the batch that the person was shown: of two people at once, the second is refused.
DROP FUNCTION open_revision(uuid, int[], text[], bigint[], text[], text[], text[], bytea[], text[], int);
CREATE FUNCTION open_revision(p_batch uuid, p_base smallint, p_row int[], p_order text[], p_amount bigint[], p_key text[], p_unique text[], p_txn text[],
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
    JOIN outcome o ON o.organisation_id = org AND o.batch_id = p_batch AND o.row_no = u.row_no AND o.revision = r.revision
    LEFT JOIN reversal x ON x.organisation_id = org AND x.batch_id = p_batch AND x.row_no = u.row_no AND x.revision = r.revision
   WHERE NOT coalesce(x.succeeded, o.succeeded)
     AND NOT EXISTS (SELECT FROM record k WHERE k.organisation_id = org AND k.batch_id = p_batch AND k.gateway_key = u.gateway_key COLLATE "C")
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
REVOKE EXECUTE ON FUNCTION open_revision(uuid, smallint, int[], text[], bigint[], text[], text[], text[], bytea[], text[], int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_revision(uuid, smallint, int[], text[], bigint[], text[], text[], text[], bytea[], text[], int) TO batchdesk_web;
