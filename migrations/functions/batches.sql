-- Batches: read in, submitted, controlled by people, completed by their counters.
--
-- Guards run with the owner's rights, so the runtime roles need no right to change what they check. Each fires once a
-- run of rows, a decision or a statement, never once a task.

-- What kind of work a batch is: of its operation, whatever the one who makes it says.
CREATE OR REPLACE FUNCTION batch_work() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  NEW.work := (SELECT o.work FROM operation o WHERE o.code = NEW.operation);
  IF NEW.work IS NULL THEN RAISE EXCEPTION 'no such operation' USING ERRCODE = 'BD422'; END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER batch_work BEFORE INSERT OR UPDATE OF operation, work ON batch
  FOR EACH ROW EXECUTE FUNCTION batch_work();

-- The batch that records may be added to: the session's, while it is being read in. Its share lock makes submit() wait
-- for the last insert.
CREATE OR REPLACE FUNCTION open_batch() RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT id FROM batch WHERE organisation_id = current_organisation()
    AND id = nullif(current_setting('app.batch', true), '')::uuid
     AND status = 'validating' FOR SHARE $$;

-- What a policy would say of new rows: one's own organisation, and only the batch that is being read in, as it was
-- uploaded; of the worker, only the import that it has the lease of. Once a statement.
CREATE OR REPLACE FUNCTION record_leaf_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE organisation uuid := current_organisation(); batch uuid; foreign_row boolean;
BEGIN
  IF current_user = 'batchdesk_worker' THEN batch := leased_import('store'); ELSE batch := open_batch(); END IF;
  SELECT w.organisation_id IS DISTINCT FROM organisation INTO foreign_row FROM written w
   WHERE w.organisation_id IS DISTINCT FROM organisation OR w.batch_id IS DISTINCT FROM batch OR w.revision <> 1
     LIMIT 1;
  IF foreign_row THEN RAISE EXCEPTION 'a record of another organisation' USING ERRCODE = 'BD403'; END IF;
  IF FOUND THEN RAISE EXCEPTION 'a record of a batch that is not being read in' USING ERRCODE = 'BD409'; END IF;
  RETURN NULL;
END $$;
-- Not even the owner keeps a right on a leaf.
GRANT TRIGGER ON record_leaf TO batchdesk_owner;
CREATE OR REPLACE TRIGGER record_leaf_guard AFTER INSERT ON record_leaf REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION record_leaf_guard();
REVOKE TRIGGER ON record_leaf FROM batchdesk_owner;

-- What a decision is about: operation, organisation, gateway connection, options, and the canonical requests in row
-- order, with what they come to, all in one pass. A later revision names its number: what a checker was shown of an
-- earlier one decides nothing about the same rows asked for again.
CREATE OR REPLACE FUNCTION content_of(p_batch uuid, p_revision smallint, OUT sha256 bytea, OUT records int,
  OUT last_row int, OUT amount_minor bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT sha256(convert_to(format(E'%s|%s|%s|%s\n', b.operation, b.organisation_id, b.gateway_id, b.options), 'UTF8')
         || CASE WHEN p_revision > 1 THEN convert_to(format(E'revision %s\n', p_revision), 'UTF8') ELSE ''::bytea END
         || coalesce(o.hashes, ''::bytea)), o.records, o.last_row, o.amount_minor
    FROM batch b
   CROSS JOIN LATERAL (
     SELECT string_agg(s.request_sha256, ''::bytea) AS hashes, count(*)::int AS records, max(s.row_no) AS last_row,
            coalesce(sum(s.amount_minor), 0)::bigint AS amount_minor
       -- in the order of the primary key, which an aggregate with an order of its own would sort again
       FROM (SELECT r.request_sha256, r.row_no, r.amount_minor FROM record r
              WHERE r.organisation_id = b.organisation_id AND r.batch_id = b.id AND r.revision = p_revision
              ORDER BY r.row_no) s) o
   WHERE b.organisation_id = current_organisation() AND b.id = p_batch $$;

CREATE OR REPLACE FUNCTION content_sha256(p_batch uuid, p_revision smallint) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT sha256 FROM content_of(p_batch, p_revision) $$;

CREATE OR REPLACE FUNCTION revision_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE money boolean; kind text;
BEGIN
  SELECT o.moves_money, b.work INTO money, kind FROM batch b JOIN operation o ON o.code = b.operation
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id;
  IF kind = 'import' THEN RAISE EXCEPTION 'nobody decides on an import' USING ERRCODE = 'BD422'; END IF;
  PERFORM FROM record r WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id
     AND r.revision = NEW.revision AND (r.amount_minor > 0) <> money LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'a record does not fit the operation' USING ERRCODE = 'BD422'; END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER revision_guard BEFORE INSERT ON batch_revision FOR EACH ROW EXECUTE FUNCTION revision_guard();

-- Whether a checker must decide on what is submitted: as the organisation's rule says, and where it has made none, as
-- the operation does. An import never waits for one, whatever a rule says.
CREATE OR REPLACE FUNCTION decision_needed(p_operation text, OUT needed boolean, OUT version int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT coalesce(r.needed, o.needs_decision) AND o.work <> 'import', r.version FROM operation o
    LEFT JOIN approval_rule r ON r.organisation_id = current_organisation() AND r.operation = o.code
   WHERE o.code = p_operation $$;

-- Seals a batch that was read in: counts, chunks, counters, and the hash of what is really there. Where no checker is
-- needed the decision that says so is written here, so that every send has one.
CREATE OR REPLACE FUNCTION submit(p_batch uuid, p_content_sha256 bytea, p_chunk_rows int DEFAULT 500,
  p_expires_after interval DEFAULT '7 days') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b batchdesk.batch; need boolean; rule int; n int; last int; total bigint;
  s text; stored bytea;
BEGIN
  IF p_chunk_rows NOT BETWEEN 1 AND 1000 THEN RAISE EXCEPTION 'chunk size' USING ERRCODE = 'BD422'; END IF;
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch AND status = 'validating' FOR UPDATE;
  IF NOT FOUND OR b.maker IS DISTINCT FROM current_person() OR b.source_id IS DISTINCT FROM current_key()
    THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  SELECT sha256, records, last_row, amount_minor INTO stored, n, last, total FROM content_of(p_batch, 1::smallint);
  IF stored IS DISTINCT FROM p_content_sha256 THEN RAISE EXCEPTION 'content differs' USING ERRCODE = 'BD412'; END IF;
  SELECT * INTO need, rule FROM decision_needed(b.operation);
  IF n = 0 THEN RAISE EXCEPTION 'no records' USING ERRCODE = 'BD422'; END IF;
  -- Each number stands once, so they are 1 to n, and what is in which chunk is known without looking at them again.
  IF last <> n THEN RAISE EXCEPTION 'the numbers of the records have gaps' USING ERRCODE = 'BD422'; END IF;
  PERFORM take_unique_ids(org, p_batch, 1::smallint);
  INSERT INTO batch_revision VALUES (org, p_batch, 1, b.maker, p_content_sha256, need, n, total, now());
  INSERT INTO chunk (organisation_id, batch_id, chunk_no, revision, gateway_id, from_row, to_row, next_row, size,
    remaining, state, run_at)
  SELECT org, p_batch, g, 1, b.gateway_id, first, final, first, final - first + 1, final - first + 1,
         CASE WHEN need THEN 'HELD' ELSE 'WAITING' END, CASE WHEN need THEN 'infinity' ELSE now() END
    FROM generate_series(0, (n - 1) / p_chunk_rows) g
   CROSS JOIN LATERAL (SELECT g * p_chunk_rows + 1 AS first, least((g + 1) * p_chunk_rows, n) AS final) r;
  INSERT INTO batch_progress (organisation_id, batch_id, records, queued, accepted, failed, amount_minor, queued_minor,
    accepted_minor, failed_minor)
  VALUES (org, p_batch, n, n, 0, 0, total, total, 0, 0);
  s := CASE WHEN need THEN 'awaiting_approval' ELSE 'processing' END;
  UPDATE batch SET status = s, records = n, amount_minor = total, updated_at = now(), expires_at = CASE WHEN need
    THEN now() + p_expires_after END
   WHERE organisation_id = org AND id = p_batch;
  IF NOT need THEN
    INSERT INTO decision (organisation_id, batch_id, revision, checker, verdict, content_sha256, rule_version)
    VALUES (org, p_batch, 1, NULL, 'NOT_REQUIRED', p_content_sha256, rule);
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  RETURN s;
END $$;

-- Pause, resume, cancel. Takes effect with its COMMIT: it holds the gate alone. Chunks are only moved out of the
-- claim's way, and one that is just being claimed is left (SKIP LOCKED): its intent will be refused, and the worker
-- gives it back. What an administrator paused, only an administrator resumes.
CREATE OR REPLACE FUNCTION control(p_batch uuid, p_action text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); s text;
BEGIN
  PERFORM gate(org, true);
  PERFORM FROM batch WHERE organisation_id = org AND id = p_batch AND status = 'paused' AND paused_by_admin FOR UPDATE;
  IF FOUND AND p_action = 'RESUME' AND NOT is_administrator()
    THEN RAISE EXCEPTION 'an administrator paused it' USING ERRCODE = 'BD403'; END IF;
  UPDATE batch SET updated_at = now(), status = CASE p_action WHEN 'PAUSE' THEN 'paused' WHEN 'RESUME' THEN 'processing'
    ELSE 'cancelled' END,
         paused_by = CASE p_action WHEN 'PAUSE' THEN current_person() END,
         paused_by_admin = p_action = 'PAUSE' AND is_administrator()
   WHERE organisation_id = org AND id = p_batch
     AND CASE p_action WHEN 'PAUSE' THEN status = 'processing' WHEN 'RESUME' THEN status = 'paused'
                       WHEN 'CANCEL' THEN status IN ('processing', 'paused') ELSE false END
  RETURNING status INTO s;
  IF s IS NULL THEN
    PERFORM FROM batch WHERE organisation_id = org AND id = p_batch;
    IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
    RAISE EXCEPTION 'not possible in this state' USING ERRCODE = 'BD409';
  END IF;
  -- The work of an import, if it is one. Whoever has its lease has it no more.
  UPDATE import_run SET epoch = epoch + 1, lease_until = CASE p_action WHEN 'PAUSE' THEN 'infinity' ELSE now() END
   WHERE organisation_id = org AND batch_id = p_batch AND phase <> 'done';
  IF FOUND AND p_action = 'CANCEL' THEN PERFORM end_import(org, p_batch); END IF;
  IF p_action = 'PAUSE' THEN
    UPDATE chunk c SET state = 'HELD', run_at = 'infinity'
      FROM (SELECT chunk_no FROM chunk
        WHERE organisation_id = org AND batch_id = p_batch AND state = 'WAITING' FOR UPDATE SKIP LOCKED) w
     WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.chunk_no = w.chunk_no;
  ELSE
    -- a cancelled batch's chunks are claimed too: the worker writes their outcomes
    UPDATE chunk c SET state = 'WAITING', run_at = now()
      FROM batch_revision v LEFT JOIN decision d USING (organisation_id, batch_id, revision)
     WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.state = 'HELD'
       AND v.organisation_id = org AND v.batch_id = p_batch AND v.revision = c.revision
       AND (p_action = 'CANCEL' OR d.verdict IN ('APPROVE', 'NOT_REQUIRED'));
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  RETURN s;
END $$;

-- Whoever asked for what waits takes it back before a decision: the whole batch, or the rows of a later revision. Of a
-- file that was fetched nobody asked: any person does, whose rights on the module the program looks at.
CREATE OR REPLACE FUNCTION withdraw(p_batch uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b batchdesk.batch; who uuid; theirs boolean;
BEGIN
  PERFORM gate(org, true);
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  SELECT v.maker INTO who FROM batch_revision v
    WHERE v.organisation_id = org AND v.batch_id = p_batch AND v.revision = b.revision;
  theirs := CASE WHEN who IS NOT NULL THEN who = current_person()
                 WHEN b.source = 'key' THEN b.source_id = current_key()
                 ELSE current_person() IS NOT NULL END;
  IF theirs IS NOT TRUE THEN RAISE EXCEPTION 'only its maker' USING ERRCODE = 'BD403'; END IF;
  IF b.status <> 'awaiting_approval' THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.revision = 1 THEN
    UPDATE batch SET status = 'withdrawn', ended_reason = 'Withdrawn by its maker.', expires_at = NULL,
      updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM free_unique_ids(org, p_batch, true);
  ELSE
    PERFORM drop_revision(org, p_batch, b.revision, 'WITHDRAWN',
      'Taken back by the person who asked to send it again, so it was not sent.');
  END IF;
END $$;

-- A revision that is not sent after all: its rows are FAILED again, with the sentence, and counted so. The batch is
-- completed with failures again by the counters' own trigger, which also gives back unique ids that were never sent.
CREATE OR REPLACE FUNCTION drop_revision(p_organisation uuid, p_batch uuid, p_revision smallint, p_code text,
  p_sentence text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE v batchdesk.batch_revision;
BEGIN
  SELECT * INTO v FROM batch_revision
    WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision;
  UPDATE chunk SET state = 'DONE', remaining = 0
    WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision;
  INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
  SELECT organisation_id, batch_id, row_no, revision, 0, false, p_code, p_sentence FROM record
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision;
  UPDATE batch SET status = 'processing', expires_at = NULL, updated_at = now()
   WHERE organisation_id = p_organisation AND id = p_batch AND status = 'awaiting_approval';
  UPDATE batch_progress SET queued = queued - v.records, failed = failed + v.records,
         queued_minor = queued_minor - v.amount_minor, failed_minor = failed_minor + v.amount_minor, updated_at = now()
   WHERE organisation_id = p_organisation AND batch_id = p_batch;
  IF p_code = 'EXPIRED' THEN
    INSERT INTO outbox (organisation_id, batch_id, kind, audience, payload)
      VALUES (p_organisation, p_batch, 'expired', 'maker', '{"retry": true}');
  END IF;
END $$;

-- Ends what nobody decided in time: the whole batch, or for a later revision its rows (they are FAILED again).
CREATE OR REPLACE FUNCTION expire_due() RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b batchdesk.batch;
BEGIN
  PERFORM gate(org, true);
  FOR b IN SELECT * FROM batch WHERE organisation_id = org AND status = 'awaiting_approval' AND expires_at <= now()
    ORDER BY id FOR UPDATE LOOP
    IF b.revision = 1 THEN
      UPDATE batch SET status = 'expired', ended_reason = 'Nobody decided in time.', expires_at = NULL,
        updated_at = now() WHERE organisation_id = org AND id = b.id;
      PERFORM free_unique_ids(org, b.id, true);
    ELSE
      PERFORM drop_revision(org, b.id, b.revision, 'EXPIRED',
        'Nobody decided in time whether to send it again, so it was not sent.');
    END IF;
    RETURN NEXT b.id;
  END LOOP;
END $$;

-- The state of a batch, held until the transaction ends: a pause or resume under way is waited for. The worker has no
-- right on batch.
CREATE OR REPLACE FUNCTION held_status(p_batch uuid) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT status FROM batch WHERE organisation_id = current_organisation() AND id = p_batch FOR SHARE $$;

-- Completed when nothing is queued. Completed can become completed with failures, never processing again (only a new
-- revision does that).
CREATE OR REPLACE FUNCTION progress_done() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE s text := CASE WHEN NEW.failed > 0 THEN 'completed_with_failures' ELSE 'completed' END;
BEGIN
  UPDATE batch b SET updated_at = now(), status = s
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id
     AND b.status IN ('processing', 'paused', 'completed', 'completed_with_failures') AND b.status <> s;
  PERFORM free_unique_ids(NEW.organisation_id, NEW.batch_id, false);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER progress_done AFTER UPDATE ON batch_progress FOR EACH ROW WHEN (NEW.queued = 0)
  EXECUTE FUNCTION progress_done();

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION content_of(uuid, smallint), content_sha256(uuid, smallint)
  TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION open_batch(), submit(uuid, bytea, int, interval), control(uuid, text), withdraw(uuid)
  TO batchdesk_web;
GRANT EXECUTE ON FUNCTION held_status(uuid), expire_due() TO batchdesk_worker;
