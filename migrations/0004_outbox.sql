-- What happened, for whoever must hear of it: pages that are open, people, later other systems.
--
-- A row is written in the transaction of the change it tells of, so nothing is told that did not happen and nothing is forgotten
-- that did. Dispatchers (one a process) hand rows on after the commit: they alone NOTIFY, a few times a second, because NOTIFY takes
-- a lock of the whole database at COMMIT which the steps of the money protocol must never wait for.
--
-- Most rows are written by triggers on the facts themselves: a step that is added later cannot forget them. They fire once a
-- group and batch (batch_progress), or for what is rare; never once a task on the usual path.
CREATE TABLE outbox (
  id              bigint GENERATED ALWAYS AS IDENTITY,
  at              timestamptz NOT NULL DEFAULT now(),
  delivered_at    timestamptz,
  organisation_id uuid NOT NULL,              -- no foreign keys: each would lock a row that every step shares
  batch_id        uuid,
  kind            text NOT NULL,
  audience        text NOT NULL DEFAULT 'pages' CHECK (audience IN ('pages', 'maker', 'maker_and_checker', 'settings')),   -- who gets a notice
  payload         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(payload) = 'object'),   -- small, without secrets
  PRIMARY KEY (organisation_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX outbox_waiting ON outbox (organisation_id, id) WHERE delivered_at IS NULL;

-- One unread notice for a person, kind and batch: a thousand late failures are one line with a number, not a thousand lines.
CREATE TABLE notice (
  id              bigint GENERATED ALWAYS AS IDENTITY,
  at              timestamptz NOT NULL,       -- of the latest thing it tells of
  read_at         timestamptz,
  organisation_id uuid NOT NULL,
  person_id       uuid NOT NULL,
  batch_id        uuid,
  amount_minor    bigint NOT NULL DEFAULT 0,  -- of all tasks it tells of
  tasks           int NOT NULL DEFAULT 0,
  kind            text NOT NULL,
  payload         jsonb NOT NULL,             -- of the latest
  PRIMARY KEY (organisation_id, id)
);
CREATE UNIQUE INDEX notice_unread ON notice (organisation_id, person_id, kind, batch_id) NULLS NOT DISTINCT WHERE read_at IS NULL;
CREATE INDEX notice_of_person ON notice (organisation_id, person_id, at DESC, id DESC);

---------------------------------------------------------------------------------------------------- written with the facts
-- These run with the rights of whoever changes the fact; both runtime roles may append to the outbox.
CREATE FUNCTION tell_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind) VALUES (NEW.organisation_id, NEW.id, 'batch_changed');
  IF NEW.status = 'expired' AND OLD.status <> 'expired' THEN
    INSERT INTO desk.outbox (organisation_id, batch_id, kind, audience) VALUES (NEW.organisation_id, NEW.id, 'expired', 'maker');
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_batch AFTER UPDATE ON batch FOR EACH ROW EXECUTE FUNCTION tell_batch();

CREATE FUNCTION tell_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind) VALUES (NEW.organisation_id, NEW.batch_id, 'batch_changed');
  RETURN NULL;
END $$;
CREATE TRIGGER tell_progress AFTER UPDATE ON batch_progress FOR EACH ROW EXECUTE FUNCTION tell_progress();

-- Tasks that wait otherwise than before move no counter of batch_progress, but pages count them (being asked about, to be reviewed).
CREATE FUNCTION tell_opened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind) SELECT DISTINCT organisation_id, batch_id, 'batch_changed' FROM written;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_opened AFTER INSERT ON open_task REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_opened();
CREATE FUNCTION tell_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind)
  SELECT DISTINCT n.organisation_id, n.batch_id, 'batch_changed'
    FROM written n JOIN was w USING (organisation_id, batch_id, row_no, revision)
   WHERE (n.state, n.refund_status, n.message) IS DISTINCT FROM (w.state, w.refund_status, w.message);
  RETURN NULL;
END $$;
CREATE TRIGGER tell_moved AFTER UPDATE ON open_task REFERENCING OLD TABLE AS was NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_moved();

CREATE FUNCTION tell_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind, audience, payload)
  SELECT NEW.organisation_id, NEW.batch_id, 'review_needed', 'maker_and_checker',
         jsonb_build_object('tasks', 1, 'amount_minor', r.amount_minor, 'order_id', r.order_id, 'row', NEW.row_no)
    FROM desk.record r
   WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.row_no = NEW.row_no AND r.revision = NEW.revision;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_review_opened AFTER INSERT ON open_task FOR EACH ROW WHEN (NEW.state = 'REVIEW') EXECUTE FUNCTION tell_review();
CREATE TRIGGER tell_review_moved AFTER UPDATE OF state ON open_task FOR EACH ROW WHEN (NEW.state = 'REVIEW' AND OLD.state <> 'REVIEW')
  EXECUTE FUNCTION tell_review();

-- What the gateway had taken and then did not do.
CREATE FUNCTION tell_failed_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind, audience, payload)
  SELECT OLD.organisation_id, OLD.batch_id, 'failed_late', 'maker_and_checker',
         jsonb_build_object('tasks', 1, 'amount_minor', r.amount_minor, 'order_id', r.order_id, 'row', OLD.row_no, 'message', o.message)
    FROM desk.outcome o JOIN desk.record r USING (organisation_id, batch_id, row_no, revision)
   WHERE o.organisation_id = OLD.organisation_id AND o.batch_id = OLD.batch_id AND o.row_no = OLD.row_no AND o.revision = OLD.revision AND NOT o.succeeded;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_failed_late AFTER DELETE ON open_task FOR EACH ROW WHEN (OLD.state = 'PENDING') EXECUTE FUNCTION tell_failed_late();

-- What the gateway had given its last word about, and takes it back.
CREATE FUNCTION tell_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind, audience, payload)
  SELECT NEW.organisation_id, NEW.batch_id, CASE WHEN NEW.succeeded THEN 'carried_out_after_all' ELSE 'taken_back' END, 'maker_and_checker',
         jsonb_build_object('tasks', 1, 'amount_minor', r.amount_minor, 'order_id', r.order_id, 'row', NEW.row_no, 'message', NEW.message)
    FROM desk.record r
   WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.row_no = NEW.row_no AND r.revision = NEW.revision;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_reversal AFTER INSERT ON reversal FOR EACH ROW EXECUTE FUNCTION tell_reversal();

CREATE FUNCTION tell_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO desk.outbox (organisation_id, batch_id, kind, audience, payload)
  VALUES (NEW.organisation_id, NEW.batch_id, CASE NEW.verdict WHEN 'APPROVE' THEN 'approved' ELSE 'rejected' END, 'maker',
          jsonb_build_object('by', (SELECT p.email FROM desk.person p WHERE p.id = NEW.checker), 'message', NEW.reason));
  RETURN NULL;
END $$;
CREATE TRIGGER tell_decision AFTER INSERT ON decision FOR EACH ROW WHEN (NEW.verdict <> 'NOT_REQUIRED') EXECUTE FUNCTION tell_decision();

-- Sending was stopped: those who can let it go on are told. The batches that wait for it show why.
CREATE FUNCTION tell_stop() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE org uuid := CASE TG_TABLE_NAME WHEN 'organisation' THEN (to_jsonb(NEW) ->> 'id')::uuid ELSE (to_jsonb(NEW) ->> 'organisation_id')::uuid END;
BEGIN
  IF OLD.sending AND NOT NEW.sending THEN
    INSERT INTO desk.outbox (organisation_id, kind, audience, payload)
    VALUES (org, TG_TABLE_NAME || '_stopped', 'settings', jsonb_build_object('message', NEW.stopped_reason));
  END IF;
  INSERT INTO desk.outbox (organisation_id, batch_id, kind)
  SELECT b.organisation_id, b.id, 'batch_changed' FROM desk.batch b
   WHERE b.organisation_id = org AND b.status IN ('processing', 'paused')
     AND (TG_TABLE_NAME = 'organisation' OR b.gateway_id = (to_jsonb(NEW) ->> 'id')::uuid);
  RETURN NULL;
END $$;
CREATE TRIGGER tell_stop AFTER UPDATE OF sending ON organisation FOR EACH ROW WHEN (OLD.sending IS DISTINCT FROM NEW.sending) EXECUTE FUNCTION tell_stop();
CREATE TRIGGER tell_stop AFTER UPDATE OF sending ON gateway FOR EACH ROW WHEN (OLD.sending IS DISTINCT FROM NEW.sending) EXECUTE FUNCTION tell_stop();

---------------------------------------------------------------------------------------------------- handed on
-- A number of the payload; none where there is none, whatever else stands there: a row that cannot be read must not hold up those after it.
CREATE FUNCTION payload_number(p jsonb, name text) RETURNS bigint LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT CASE WHEN p ->> name ~ '^[0-9]{1,15}$' THEN (p ->> name)::bigint END $$;

-- Hands on what waits: files notices, tells open pages, marks the rows, all of it in one transaction. Answers how many rows, or -1
-- while another dispatcher does so for this organisation: one at a time, so that what follows one another arrives in that order.
CREATE FUNCTION dispatch_outbox(p_limit int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); taken bigint[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('outbox' || org, 0)) THEN RETURN -1; END IF;
  SELECT array_agg(w.id) INTO taken
    FROM (SELECT o.id FROM outbox o WHERE o.organisation_id = org AND o.delivered_at IS NULL ORDER BY o.id LIMIT p_limit FOR UPDATE SKIP LOCKED) w;
  IF taken IS NULL THEN RETURN 0; END IF;
  INSERT INTO notice AS n (organisation_id, person_id, kind, batch_id, at, payload, tasks, amount_minor)
  SELECT org, who.person_id, o.kind, o.batch_id, max(o.at), (array_agg(o.payload ORDER BY o.id DESC))[1],
         least(sum(coalesce(payload_number(o.payload, 'tasks'), 0)), 2000000000)::int,
         least(sum(coalesce(payload_number(o.payload, 'amount_minor'), 0)), 9000000000000000000)::bigint
    FROM outbox o
   CROSS JOIN LATERAL (
         SELECT v.maker FROM batch_revision v WHERE o.audience IN ('maker', 'maker_and_checker') AND v.organisation_id = org AND v.batch_id = o.batch_id
         UNION
         SELECT d.checker FROM decision d WHERE o.audience = 'maker_and_checker' AND d.organisation_id = org AND d.batch_id = o.batch_id
         UNION
         SELECT m.person_id FROM membership m JOIN role_permission p ON p.organisation_id = org AND p.role_id = m.role_id
          WHERE o.audience = 'settings' AND m.organisation_id = org AND p.module = 'settings' AND p."right" = 'read_write') AS who(person_id)
   WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.audience <> 'pages'
     AND EXISTS (SELECT FROM membership m WHERE m.organisation_id = org AND m.person_id = who.person_id)      -- a person, and still a member
   GROUP BY who.person_id, o.kind, o.batch_id
  ON CONFLICT (organisation_id, person_id, kind, batch_id) WHERE read_at IS NULL DO UPDATE
     SET at = excluded.at, payload = excluded.payload, tasks = least(n.tasks::bigint + excluded.tasks, 2000000000)::int,
         amount_minor = least(n.amount_minor::numeric + excluded.amount_minor, 9000000000000000000)::bigint;
  PERFORM pg_notify('batchdesk_changed', org || ':' || c.batch_id)
     FROM (SELECT DISTINCT o.batch_id FROM outbox o WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.batch_id IS NOT NULL) c;
  -- That a batch changed is worth nothing once it was said; what happened is kept for a day.
  DELETE FROM outbox o WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.kind = 'batch_changed';
  UPDATE outbox o SET delivered_at = now() WHERE o.organisation_id = org AND o.id = ANY (taken);
  RETURN cardinality(taken);
END $$;

-- Rows that were handed on a day ago, and notices that were read long ago.
CREATE FUNCTION tidy_outbox() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  DELETE FROM outbox WHERE organisation_id = current_organisation() AND delivered_at < now() - interval '1 day';
  DELETE FROM notice WHERE organisation_id = current_organisation() AND (read_at < now() - interval '90 days' OR at < now() - interval '1 year') $$;

-- Which organisations have rows to hand on; seen across organisations, nothing else is.
CREATE FUNCTION outbox_backlog() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp
  AS $$ SELECT DISTINCT organisation_id FROM outbox WHERE delivered_at IS NULL $$;

---------------------------------------------------------------------------------------------------- row-level security and grants
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['outbox', 'notice'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %I FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON %I TO batchdesk_web, batchdesk_worker, batchdesk_owner
        USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()))', t, t, t);
  END LOOP;
END $$;
CREATE POLICY lanes ON outbox FOR SELECT TO batchdesk_scheduler USING ((SELECT current_user = 'batchdesk_scheduler'));
-- A notice is its person's own.
CREATE POLICY own ON notice AS RESTRICTIVE TO batchdesk_web USING (person_id = (SELECT current_person()));

DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'desk'::regnamespace AND p.prokind = 'f'
              AND (p.proname LIKE 'tell\_%' OR p.proname IN ('payload_number', 'dispatch_outbox', 'tidy_outbox', 'outbox_backlog')) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
GRANT INSERT (organisation_id, batch_id, kind, audience, payload) ON outbox TO batchdesk_web, batchdesk_worker;
GRANT SELECT, UPDATE (read_at) ON notice TO batchdesk_web;
GRANT EXECUTE ON FUNCTION dispatch_outbox(int), tidy_outbox(), outbox_backlog() TO batchdesk_worker;
GRANT SELECT (organisation_id, delivered_at) ON outbox TO batchdesk_scheduler;
GRANT CREATE ON SCHEMA desk TO batchdesk_scheduler;
ALTER FUNCTION outbox_backlog() OWNER TO batchdesk_scheduler;
REVOKE CREATE ON SCHEMA desk FROM batchdesk_scheduler;
