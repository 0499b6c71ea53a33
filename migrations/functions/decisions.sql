-- Decisions: one a revision, by somebody else than who asked for it.

-- Whether the session's person had a part in what is asked: made the batch or what waits of it, or had a hand in the API
-- key that submitted it. Nobody's session has. Not IN: what came from a key or a file has no maker, and IN over NULL is
-- neither true nor false. Runs with the caller's rights.
CREATE OR REPLACE FUNCTION had_part(b batch, p_asked_by uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT batchdesk.current_person() IS NULL
      OR b.maker IS NOT DISTINCT FROM batchdesk.current_person()
      OR p_asked_by IS NOT DISTINCT FROM batchdesk.current_person()
      OR (b.source = 'key' AND EXISTS (SELECT FROM batchdesk.api_key_hand h WHERE h.organisation_id = b.organisation_id
            AND h.api_key_id = b.source_id AND h.person_id = batchdesk.current_person())) $$;
GRANT EXECUTE ON FUNCTION had_part(batch, uuid) TO batchdesk_web;

-- One decision a revision, on the latest only; by a member, never by its maker nor by the batch's, nor by anybody who
-- had a hand in the API key that submitted it; bound to the rows as they are in the database now, not to what the
-- client says they are.
CREATE OR REPLACE FUNCTION decision_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE b batchdesk.batch; v batchdesk.batch_revision;
BEGIN
  PERFORM gate(NEW.organisation_id, true);
  NEW.at := clock_timestamp();
  SELECT * INTO b FROM batch WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  SELECT * INTO v FROM batch_revision
    WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision;
  IF NOT FOUND OR EXISTS (SELECT FROM decision d
    WHERE d.organisation_id = NEW.organisation_id AND d.batch_id = NEW.batch_id AND d.revision = NEW.revision)
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
  IF NEW.checker IS NULL OR current_key() IS NOT NULL
     OR NOT EXISTS (SELECT FROM membership m
                     WHERE m.organisation_id = NEW.organisation_id AND m.person_id = NEW.checker)
    THEN RAISE EXCEPTION 'a member must decide' USING ERRCODE = 'BD403'; END IF;
  IF had_part(b, v.maker) THEN RAISE EXCEPTION 'maker may not decide' USING ERRCODE = 'BD403'; END IF;
  IF v.content_sha256 <> NEW.content_sha256 OR v.content_sha256 <> content_sha256(NEW.batch_id, NEW.revision)
  THEN RAISE EXCEPTION 'content changed since shown' USING ERRCODE = 'BD412'; END IF;
  IF NEW.verdict = 'APPROVE' THEN
    UPDATE batch SET status = 'processing', expires_at = NULL, updated_at = now()
      WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id;
    UPDATE chunk SET state = 'WAITING', run_at = now()
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision
       AND state = 'HELD';
    PERFORM pg_notify('batchdesk_work', NEW.organisation_id::text);
  ELSIF NEW.revision = 1 THEN
    UPDATE batch SET status = 'rejected', ended_reason = NEW.reason, expires_at = NULL, updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id;
    PERFORM free_unique_ids(NEW.organisation_id, NEW.batch_id, true);
  ELSE
    PERFORM drop_revision(NEW.organisation_id, NEW.batch_id, NEW.revision, 'REJECTED',
      'Refused by a checker and not sent: ' || btrim(NEW.reason));
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER decision_guard BEFORE INSERT ON decision FOR EACH ROW EXECUTE FUNCTION decision_guard();
