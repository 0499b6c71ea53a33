-- What is told, written with the facts. These run with the rights of whoever changes the fact; both runtime roles may
-- append to the outbox.

-- These run with the rights of whoever changes the fact; both runtime roles may append to the outbox.
CREATE OR REPLACE FUNCTION tell_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind) VALUES (NEW.organisation_id, NEW.id, 'batch_changed');
  IF NEW.status = 'expired' AND OLD.status <> 'expired' THEN
    INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind, audience)
      VALUES (NEW.organisation_id, NEW.id, 'expired', 'maker');
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_batch AFTER UPDATE ON batch FOR EACH ROW EXECUTE FUNCTION tell_batch();

CREATE OR REPLACE FUNCTION tell_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind) VALUES (NEW.organisation_id, NEW.batch_id, 'batch_changed');
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_progress AFTER UPDATE ON batch_progress FOR EACH ROW EXECUTE FUNCTION tell_progress();

-- Tasks that wait otherwise than before move no counter of batch_progress, but pages count them (being asked about, to
-- be reviewed).
CREATE OR REPLACE FUNCTION tell_opened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind) SELECT DISTINCT organisation_id, batch_id, 'batch_changed'
    FROM written;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_opened AFTER INSERT ON open_task REFERENCING NEW TABLE AS written FOR EACH STATEMENT
  EXECUTE FUNCTION tell_opened();

CREATE OR REPLACE FUNCTION tell_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind)
  SELECT DISTINCT n.organisation_id, n.batch_id, 'batch_changed'
    FROM written n JOIN was w USING (organisation_id, batch_id, row_no, revision)
   WHERE (n.state, n.gateway_status, n.message) IS DISTINCT FROM (w.state, w.gateway_status, w.message);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_moved AFTER UPDATE ON open_task REFERENCING OLD TABLE AS was NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION tell_moved();

CREATE OR REPLACE FUNCTION tell_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind, audience, payload)
  SELECT NEW.organisation_id, NEW.batch_id, 'review_needed', 'maker_and_checker',
         jsonb_build_object('tasks', 1, 'amount_minor', r.amount_minor, 'order_id', r.order_id, 'row', NEW.row_no)
    FROM batchdesk.record r
   WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.row_no = NEW.row_no
     AND r.revision = NEW.revision;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_review_opened AFTER INSERT ON open_task FOR EACH ROW WHEN (NEW.state = 'REVIEW')
  EXECUTE FUNCTION tell_review();
CREATE OR REPLACE TRIGGER tell_review_moved AFTER UPDATE OF state ON open_task FOR EACH ROW
  WHEN (NEW.state = 'REVIEW' AND OLD.state <> 'REVIEW')
  EXECUTE FUNCTION tell_review();
-- What is asked of people is told to them, also of what the gateway took before.
CREATE OR REPLACE TRIGGER tell_review_taken AFTER UPDATE ON open_task FOR EACH ROW
  WHEN (NEW.state = 'PENDING' AND NEW.gateway_status = 'MANUAL_REVIEW'
    AND OLD.gateway_status IS DISTINCT FROM 'MANUAL_REVIEW') EXECUTE FUNCTION tell_review();

-- What the gateway had taken and then did not do.
CREATE OR REPLACE FUNCTION tell_failed_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind, audience, payload)
  SELECT OLD.organisation_id, OLD.batch_id, 'failed_late', 'maker_and_checker',
         jsonb_build_object('tasks', 1, 'amount_minor', r.amount_minor, 'order_id', r.order_id, 'row', OLD.row_no,
           'message', o.message)
    FROM batchdesk.outcome o JOIN batchdesk.record r USING (organisation_id, batch_id, row_no, revision)
   WHERE o.organisation_id = OLD.organisation_id AND o.batch_id = OLD.batch_id AND o.row_no = OLD.row_no
     AND o.revision = OLD.revision AND NOT o.succeeded;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_failed_late AFTER DELETE ON open_task FOR EACH ROW WHEN (OLD.state = 'PENDING')
  EXECUTE FUNCTION tell_failed_late();

-- What the gateway had given its last word about, and takes it back.
CREATE OR REPLACE FUNCTION tell_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind, audience, payload)
  SELECT NEW.organisation_id, NEW.batch_id, CASE WHEN NEW.succeeded THEN 'carried_out_after_all' ELSE 'taken_back' END,
    'maker_and_checker',
         jsonb_build_object('tasks', 1, 'amount_minor', r.amount_minor, 'order_id', r.order_id, 'row', NEW.row_no,
           'message', NEW.message)
    FROM batchdesk.record r
   WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.row_no = NEW.row_no
     AND r.revision = NEW.revision;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_reversal AFTER INSERT ON reversal FOR EACH ROW EXECUTE FUNCTION tell_reversal();

-- What makers are told says whether it was the batch or failed rows of it.
CREATE OR REPLACE FUNCTION tell_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind, audience, payload)
  VALUES (NEW.organisation_id, NEW.batch_id, CASE NEW.verdict WHEN 'APPROVE' THEN 'approved' ELSE 'rejected' END,
    'maker',
          jsonb_build_object('by', (SELECT p.email FROM batchdesk.person p WHERE p.id = NEW.checker), 'message', NEW.reason)
          || CASE WHEN NEW.revision > 1 THEN '{"retry": true}'::jsonb ELSE '{}'::jsonb END);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_decision AFTER INSERT ON decision FOR EACH ROW WHEN (NEW.verdict <> 'NOT_REQUIRED')
  EXECUTE FUNCTION tell_decision();

-- Sending was stopped: those who can let it go on are told. The batches that wait for it show why.
CREATE OR REPLACE FUNCTION tell_stop() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE org uuid := CASE TG_TABLE_NAME WHEN 'organisation' THEN (to_jsonb(NEW) ->> 'id')::uuid
  ELSE (to_jsonb(NEW) ->> 'organisation_id')::uuid END;
BEGIN
  IF OLD.sending AND NOT NEW.sending THEN
    INSERT INTO batchdesk.outbox (organisation_id, kind, audience, payload)
    VALUES (org, TG_TABLE_NAME || '_stopped', 'settings', jsonb_build_object('message', NEW.stopped_reason));
  END IF;
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind)
  SELECT b.organisation_id, b.id, 'batch_changed' FROM batchdesk.batch b
   WHERE b.organisation_id = org AND b.status IN ('processing', 'paused')
     AND (TG_TABLE_NAME = 'organisation' OR b.gateway_id = (to_jsonb(NEW) ->> 'id')::uuid);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_stop AFTER UPDATE OF sending ON organisation FOR EACH ROW
  WHEN (OLD.sending IS DISTINCT FROM NEW.sending) EXECUTE FUNCTION tell_stop();
CREATE OR REPLACE TRIGGER tell_stop AFTER UPDATE OF sending ON gateway FOR EACH ROW
  WHEN (OLD.sending IS DISTINCT FROM NEW.sending) EXECUTE FUNCTION tell_stop();

-- Tasks that changed without moving a counter (they wait, or the external system answered otherwise): pages are told.
CREATE OR REPLACE FUNCTION tell_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batchdesk.outbox (organisation_id, batch_id, kind)
  SELECT DISTINCT n.organisation_id, n.batch_id, 'batch_changed' FROM written n
    JOIN was w USING (organisation_id, batch_id, row_no)
   WHERE (n.status, n.gateway_status, n.response, n.message) IS DISTINCT FROM (w.status, w.gateway_status, w.response,
     w.message);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_orders AFTER UPDATE ON order_task REFERENCING OLD TABLE AS was NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION tell_orders();
