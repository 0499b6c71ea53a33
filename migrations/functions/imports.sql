-- Imports: submitted by people and programs, checked and stored by the worker, run by run.
--
-- Each step of the worker is one transaction that begins with hold_import() and ends with count_import(),
-- store_import() or fail_import(), so what is stored, the counters and the place from which it goes on move together or
-- not at all.
-- Locks: batch -> import_run -> batch_source -> batch_progress. A pause or a cancel waits for the run that is being
-- stored, at most, and takes the lease away from it.

-- The import that the worker may add rows to: the session's, while the session has its lease under this epoch. Held
-- until the transaction ends.
CREATE OR REPLACE FUNCTION leased_import(p_phase text) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT batch_id FROM import_run WHERE organisation_id = current_organisation()
     AND batch_id = nullif(current_setting('app.batch', true), '')::uuid
     AND epoch = nullif(current_setting('app.epoch', true), '')::bigint
     AND phase = p_phase AND lease_until > clock_timestamp() FOR UPDATE $$;

-- Takes the batch, then its work; false where the lease is another's by now, or its time is over.
CREATE OR REPLACE FUNCTION hold_import(p_batch uuid, p_epoch bigint, p_phase text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  PERFORM FROM batch WHERE organisation_id = current_organisation() AND id = p_batch FOR NO KEY UPDATE;
  PERFORM set_config('app.batch', p_batch::text, true), set_config('app.epoch', p_epoch::text, true);
  RETURN leased_import(p_phase) IS NOT NULL;
END $$;

-- Seals an import that was uploaded: it waits to be checked.
CREATE OR REPLACE FUNCTION submit_import(p_batch uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b batchdesk.batch;
BEGIN
  SELECT * INTO b FROM batch
   WHERE organisation_id = org AND id = p_batch AND work = 'import' AND status = 'validating' FOR UPDATE;
  IF NOT FOUND OR b.maker IS DISTINCT FROM current_person() OR b.source_id IS DISTINCT FROM current_key()
    THEN RAISE EXCEPTION 'no such import' USING ERRCODE = 'BD404'; END IF;
  INSERT INTO batch_progress (organisation_id, batch_id, records, queued, accepted, failed, amount_minor, queued_minor,
    accepted_minor, failed_minor)
  VALUES (org, p_batch, 0, 0, 0, 0, 0, 0, 0, 0);
  INSERT INTO batch_source (organisation_id, batch_id, source_no, file_name, sha256, bytes)
  VALUES (org, p_batch, 1, b.file_name, b.file_sha256, b.file_bytes);
  INSERT INTO import_run (organisation_id, batch_id) VALUES (org, p_batch);
  PERFORM pg_notify('batchdesk_work', org::text);
END $$;

-- Its sources can be read, and have so many rows each: they are stored from now on.
CREATE OR REPLACE FUNCTION count_import(p_totals int[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); batch_ uuid := leased_import('check'); n int;
BEGIN
  IF batch_ IS NULL THEN RAISE EXCEPTION 'the lease is gone' USING ERRCODE = 'BD409'; END IF;
  UPDATE batch_source s SET total = t.total FROM unnest(p_totals) WITH ORDINALITY AS t(total, source_no)
   WHERE s.organisation_id = org AND s.batch_id = batch_ AND s.source_no = t.source_no;
  SELECT sum(total) INTO n FROM batch_source WHERE organisation_id = org AND batch_id = batch_
  HAVING min(total) >= 0 AND count(total) = count(*) AND sum(total) > 0;
  IF n IS NULL THEN RAISE EXCEPTION 'no records' USING ERRCODE = 'BD422'; END IF;
  UPDATE import_run SET phase = 'store', source_no = 1, byte_offset = 0
   WHERE organisation_id = org AND batch_id = batch_;
  UPDATE batch_progress SET records = n, queued = n, updated_at = now()
   WHERE organisation_id = org AND batch_id = batch_;
  UPDATE batch SET status = 'processing', records = n, updated_at = now()
   WHERE organisation_id = org AND id = batch_ AND status = 'validating';
END $$;

-- A run was stored, in this transaction: the counters and the place after it. No place: the source is read to its end.
-- Ends the import with its last row.
CREATE OR REPLACE FUNCTION store_import(p_byte_offset bigint, p_created int, p_skipped int, p_failed int,
  p_lease interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); batch_ uuid := leased_import('store'); ended boolean;
BEGIN
  IF batch_ IS NULL THEN RAISE EXCEPTION 'the lease is gone' USING ERRCODE = 'BD409'; END IF;
  UPDATE batch_source s SET created = s.created + p_created, skipped = s.skipped + p_skipped,
         failed = s.failed + p_failed
    FROM import_run r WHERE r.organisation_id = org AND r.batch_id = batch_
     AND s.organisation_id = org AND s.batch_id = batch_ AND s.source_no = r.source_no;
  UPDATE batch_progress SET queued = queued - p_created - p_skipped - p_failed, accepted = accepted + p_created,
         failed = failed + p_skipped + p_failed, updated_at = now()
   WHERE organisation_id = org AND batch_id = batch_ RETURNING queued = 0 INTO ended;
  UPDATE import_run SET source_no = source_no + (p_byte_offset IS NULL)::int, byte_offset = coalesce(p_byte_offset, 0),
         phase = CASE WHEN ended THEN 'done' ELSE phase END, lease_until = clock_timestamp() + p_lease
   WHERE organisation_id = org AND batch_id = batch_;
  IF ended THEN PERFORM tell_import(org, batch_, NULL); END IF;
  RETURN ended;
END $$;

-- It cannot be stored, or not to its end. What was stored stays; the rest is skipped.
CREATE OR REPLACE FUNCTION fail_import(p_phase text, p_sentence text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); batch_ uuid := leased_import(p_phase);
BEGIN
  IF batch_ IS NULL THEN RAISE EXCEPTION 'the lease is gone' USING ERRCODE = 'BD409'; END IF;
  UPDATE batch SET status = 'invalid', ended_reason = p_sentence, updated_at = now()
   WHERE organisation_id = org AND id = batch_ AND status IN ('validating', 'processing');
  PERFORM end_import(org, batch_);
  PERFORM tell_import(org, batch_, p_sentence);
END $$;

-- Nothing more is stored: what was not handled is skipped. Its batch has ended already.
CREATE OR REPLACE FUNCTION end_import(p_organisation uuid, p_batch uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  UPDATE import_run SET phase = 'done', epoch = epoch + 1
   WHERE organisation_id = p_organisation AND batch_id = p_batch;
  UPDATE batch_source SET skipped = total - created - failed
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND total IS NOT NULL;
  UPDATE batch_progress SET queued = 0, failed = records - accepted, updated_at = now()
   WHERE organisation_id = p_organisation AND batch_id = p_batch $$;

-- Its maker is told that it ended, and how.
CREATE OR REPLACE FUNCTION tell_import(p_organisation uuid, p_batch uuid, p_sentence text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  INSERT INTO outbox (organisation_id, batch_id, kind, audience, payload)
  SELECT p_organisation, p_batch, CASE WHEN p_sentence IS NULL THEN 'import_ended' ELSE 'import_failed' END, 'maker',
         jsonb_strip_nulls(jsonb_build_object('created', sum(created), 'skipped', sum(skipped), 'failed', sum(failed),
           'message', p_sentence))
    FROM batch_source WHERE organisation_id = p_organisation AND batch_id = p_batch $$;

-- The columns of the view `task`, of an import: rows that are stored, or refused with a sentence. What was not read
-- yet is no row.
DROP VIEW IF EXISTS import_task;
CREATE VIEW import_task WITH (security_invoker = true) AS
SELECT r.organisation_id, r.batch_id, r.row_no, r.sheet_row, r.revision, r.order_id, r.amount_minor, r.gateway_key,
  r.unique_id, r.txn_id, r.extra,
       CASE WHEN o.at IS NULL THEN 'SUCCEEDED' ELSE 'FAILED' END AS state,
       CASE WHEN o.at IS NULL THEN 'ACCEPTED' ELSE 'FAILED' END AS status,
       o.code, o.message, NULL::text AS gw_ref, NULL::text AS gateway_status, NULL::text AS gateway_kind,
       NULL::text AS response, 0::smallint AS attempts, o.at AS updated_at
  FROM record r
  LEFT JOIN LATERAL (SELECT * FROM outcome k
    WHERE k.organisation_id = r.organisation_id AND k.batch_id = r.batch_id AND k.row_no = r.row_no
    AND k.revision = r.revision OFFSET 0) o ON true;

---------------------------------------------------------------------------------------------------- grants
GRANT SELECT ON import_task TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION submit_import(uuid) TO batchdesk_web;
GRANT EXECUTE ON FUNCTION leased_import(text), hold_import(uuid, bigint, text), count_import(int[]),
  store_import(bigint, int, int, int, interval), fail_import(text, text) TO batchdesk_worker;
