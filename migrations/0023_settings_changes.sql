-- Changes that weaken a control, or say where money and data go, are not one person's: a second administrator confirms them where
-- there is one, and everybody who decides on requests is told.
--
-- A row of settings_change is what somebody asked for; a row of settings_change_end is what became of it, at most one. What the change
-- does is applied in the transaction of its end, by the code that applies a change of one administrator, too.

CREATE TABLE settings_change (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('approval', 'limits', 'external', 'connection_added', 'connection_account', 'connection_chosen', 'connection_limits')),
  object          text NOT NULL,                -- what it is about: an operation, a connection, or nothing; one change of it may wait
  module          text,                         -- whose checkers are told; null: those of all
  summary         text NOT NULL,                -- the change as a sentence, for notices
  was             jsonb NOT NULL,               -- the setting as it was, with its version; another by the time of the confirmation: void
  becomes         jsonb NOT NULL,               -- the setting as it is to be, without secrets
  sealed_secret   bytea,                        -- sealed with a key that is not in the database; wiped when the change ends
  reason          text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 500),
  alone           boolean NOT NULL,             -- there was no second administrator, so it was made at once
  proposer        uuid NOT NULL REFERENCES person,
  content_sha256  bytea NOT NULL CHECK (length(content_sha256) = 32),   -- of all of the above, as a confirmer is shown it
  at              timestamptz NOT NULL,
  expires_at      timestamptz NOT NULL CHECK (expires_at > at),
  PRIMARY KEY (organisation_id, id)
);
CREATE TABLE settings_change_end (              -- the primary key is the rule "ended once"
  organisation_id uuid NOT NULL,
  change_id       uuid NOT NULL,
  verdict         text NOT NULL CHECK (verdict IN ('CONFIRM', 'REJECT', 'WITHDRAW', 'EXPIRE', 'ALONE')),
  person_id       uuid REFERENCES person,       -- null: its time was over
  content_sha256  bytea NOT NULL,               -- of what was shown
  note            text CHECK (length(note) <= 500),
  at              timestamptz NOT NULL,
  CHECK ((person_id IS NULL) = (verdict = 'EXPIRE')),
  CHECK (verdict <> 'REJECT' OR length(btrim(coalesce(note, ''))) >= 1),
  PRIMARY KEY (organisation_id, change_id),
  FOREIGN KEY (organisation_id, change_id) REFERENCES settings_change (organisation_id, id)
);

-- Members who may change settings, besides the person of this transaction.
CREATE FUNCTION other_administrators() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT count(DISTINCT m.person_id) FROM membership m JOIN role_permission p ON p.organisation_id = m.organisation_id AND p.role_id = m.role_id
   WHERE m.organisation_id = current_organisation() AND p.module = 'settings' AND p."right" = 'read_write' AND m.person_id IS DISTINCT FROM current_person() $$;
CREATE FUNCTION is_administrator() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT EXISTS (SELECT FROM membership m JOIN role_permission p ON p.organisation_id = m.organisation_id AND p.role_id = m.role_id
   WHERE m.organisation_id = current_organisation() AND p.module = 'settings' AND p."right" = 'read_write' AND m.person_id = current_person()) $$;

CREATE FUNCTION settings_change_sha256(c settings_change) RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT sha256(convert_to(jsonb_build_array(c.organisation_id, c.id, c.kind, c.object, c.summary, c.was, c.becomes, c.reason, c.proposer,
                                             encode(sha256(coalesce(c.sealed_secret, ''::bytea)), 'hex'))::text, 'UTF8')) $$;

CREATE FUNCTION settings_change_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  NEW.proposer := current_person();
  IF NEW.proposer IS NULL OR NOT is_administrator() THEN RAISE EXCEPTION 'an administrator must ask' USING ERRCODE = 'BD403'; END IF;
  -- One at a time: two that ask for the same thing at once would both find that nothing waits.
  PERFORM pg_advisory_xact_lock(hashtextextended('settings' || NEW.organisation_id, 0));
  IF NEW.alone AND other_administrators() > 0 THEN RAISE EXCEPTION 'another administrator must confirm' USING ERRCODE = 'BD403'; END IF;
  IF EXISTS (SELECT FROM settings_change c WHERE c.organisation_id = NEW.organisation_id AND c.kind = NEW.kind AND c.object = NEW.object AND c.expires_at > NEW.at
                AND NOT EXISTS (SELECT FROM settings_change_end e WHERE e.organisation_id = c.organisation_id AND e.change_id = c.id))
  THEN RAISE EXCEPTION 'a change of this waits already' USING ERRCODE = 'BD409'; END IF;
  NEW.content_sha256 := settings_change_sha256(NEW);
  RETURN NEW;
END $$;
CREATE TRIGGER settings_change_guard BEFORE INSERT ON settings_change FOR EACH ROW EXECUTE FUNCTION settings_change_guard();

CREATE FUNCTION settings_change_end_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE c desk.settings_change;
BEGIN
  SELECT * INTO c FROM settings_change WHERE organisation_id = NEW.organisation_id AND id = NEW.change_id FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such change' USING ERRCODE = 'BD404'; END IF;
  IF EXISTS (SELECT FROM settings_change_end e WHERE e.organisation_id = NEW.organisation_id AND e.change_id = NEW.change_id)
  THEN RAISE EXCEPTION 'ended already' USING ERRCODE = 'BD409'; END IF;
  IF NEW.verdict = 'EXPIRE' THEN
    IF NEW.at < c.expires_at THEN RAISE EXCEPTION 'it still waits' USING ERRCODE = 'BD409'; END IF;
    NEW.person_id := NULL; NEW.content_sha256 := c.content_sha256;
  ELSE
    NEW.person_id := current_person();
    IF NEW.person_id IS NULL OR NOT is_administrator() THEN RAISE EXCEPTION 'an administrator must decide' USING ERRCODE = 'BD403'; END IF;
    -- Who asked may take it back, and nothing else; where it was alone, it is made at once.
    IF (NEW.person_id = c.proposer) <> (NEW.verdict IN ('WITHDRAW', 'ALONE')) THEN RAISE EXCEPTION 'not this person' USING ERRCODE = 'BD403'; END IF;
    IF (NEW.verdict = 'ALONE') <> c.alone THEN RAISE EXCEPTION 'another administrator must confirm' USING ERRCODE = 'BD403'; END IF;
    IF NEW.at >= c.expires_at THEN RAISE EXCEPTION 'its time is over' USING ERRCODE = 'BD410'; END IF;
    IF NEW.verdict = 'ALONE' THEN NEW.content_sha256 := c.content_sha256; END IF;
    IF NEW.content_sha256 <> c.content_sha256 OR c.content_sha256 <> settings_change_sha256(c)
    THEN RAISE EXCEPTION 'not what was shown' USING ERRCODE = 'BD412'; END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER settings_change_end_guard BEFORE INSERT ON settings_change_end FOR EACH ROW EXECUTE FUNCTION settings_change_end_guard();

CREATE FUNCTION settings_change_wipe() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  UPDATE settings_change SET sealed_secret = NULL WHERE organisation_id = NEW.organisation_id AND id = NEW.change_id AND sealed_secret IS NOT NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER settings_change_wipe AFTER INSERT ON settings_change_end FOR EACH ROW EXECUTE FUNCTION settings_change_wipe();

-- Changes whose time is over; answers how many.
CREATE FUNCTION expire_settings_changes(p_now timestamptz) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  WITH ended AS (
    INSERT INTO settings_change_end (organisation_id, change_id, verdict, content_sha256, at)
    SELECT c.organisation_id, c.id, 'EXPIRE', c.content_sha256, p_now FROM settings_change c
     WHERE c.organisation_id = current_organisation() AND c.expires_at <= p_now
       AND NOT EXISTS (SELECT FROM settings_change_end e WHERE e.organisation_id = c.organisation_id AND e.change_id = c.id)
    RETURNING 1)
  SELECT count(*) FROM ended $$;

---------------------------------------------------------------------------------------------------- told
-- A notice of a change stands for itself: two changes are two lines.
ALTER TABLE outbox ADD COLUMN change_id uuid;
ALTER TABLE notice ADD COLUMN change_id uuid;
DROP INDEX notice_unread;
CREATE UNIQUE INDEX notice_unread ON notice (organisation_id, person_id, kind, batch_id, change_id) NULLS NOT DISTINCT WHERE read_at IS NULL;
ALTER TABLE outbox DROP CONSTRAINT outbox_audience_check,
  ADD CONSTRAINT outbox_audience_check CHECK (audience IN ('pages', 'maker', 'maker_and_checker', 'settings', 'settings_and_checkers'));

CREATE FUNCTION tell_settings_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE c desk.settings_change; said text;
BEGIN
  IF TG_TABLE_NAME = 'settings_change' THEN
    IF NEW.alone THEN RETURN NULL; END IF;
    c := NEW; said := 'change_proposed';
  ELSE
    SELECT * INTO c FROM settings_change WHERE organisation_id = NEW.organisation_id AND id = NEW.change_id;
    said := CASE WHEN NEW.verdict IN ('CONFIRM', 'ALONE') THEN 'change_made' ELSE 'change_dropped' END;
  END IF;
  INSERT INTO outbox (organisation_id, change_id, kind, audience, payload)
  VALUES (c.organisation_id, c.id, said, 'settings_and_checkers',
          jsonb_strip_nulls(jsonb_build_object('by', (SELECT p.email FROM person p WHERE p.id = c.proposer), 'what', c.summary, 'module', c.module,
            'message', CASE said WHEN 'change_dropped' THEN to_jsonb(NEW) ->> 'note' ELSE c.reason END,
            'verdict', to_jsonb(NEW) ->> 'verdict',
            'second', (SELECT p.email FROM person p WHERE p.id = (to_jsonb(NEW) ->> 'person_id')::uuid AND p.id <> c.proposer))));
  RETURN NULL;
END $$;
CREATE TRIGGER tell_settings_change AFTER INSERT ON settings_change FOR EACH ROW EXECUTE FUNCTION tell_settings_change();
CREATE TRIGGER tell_settings_change AFTER INSERT ON settings_change_end FOR EACH ROW EXECUTE FUNCTION tell_settings_change();

-- Hands on what waits: files notices, tells open pages, marks the rows, all of it in one transaction. Answers how many rows, or -1
-- while another dispatcher does so for this organisation: one at a time, so that what follows one another arrives in that order.
CREATE OR REPLACE FUNCTION dispatch_outbox(p_limit int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); taken bigint[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('outbox' || org, 0)) THEN RETURN -1; END IF;
  SELECT array_agg(w.id) INTO taken
    FROM (SELECT o.id FROM outbox o WHERE o.organisation_id = org AND o.delivered_at IS NULL ORDER BY o.id LIMIT p_limit FOR UPDATE SKIP LOCKED) w;
  IF taken IS NULL THEN RETURN 0; END IF;
  INSERT INTO notice AS n (organisation_id, person_id, kind, batch_id, change_id, at, payload, tasks, amount_minor)
  SELECT org, who.person_id, o.kind, o.batch_id, o.change_id, max(o.at), (array_agg(o.payload ORDER BY o.id DESC))[1],
         least(sum(coalesce(payload_number(o.payload, 'tasks'), 0)), 2000000000)::int,
         least(sum(coalesce(payload_number(o.payload, 'amount_minor'), 0)), 9000000000000000000)::bigint
    FROM outbox o
   CROSS JOIN LATERAL (
         SELECT v.maker FROM batch_revision v WHERE o.audience IN ('maker', 'maker_and_checker') AND v.organisation_id = org AND v.batch_id = o.batch_id
         UNION
         SELECT d.checker FROM decision d WHERE o.audience = 'maker_and_checker' AND d.organisation_id = org AND d.batch_id = o.batch_id
         UNION
         SELECT m.person_id FROM membership m JOIN role_permission p ON p.organisation_id = org AND p.role_id = m.role_id
          WHERE m.organisation_id = org
            AND ((o.audience IN ('settings', 'settings_and_checkers') AND p.module = 'settings' AND p."right" = 'read_write')
              OR (o.audience = 'settings_and_checkers' AND p."right" = 'approve' AND p.module = coalesce(o.payload ->> 'module', p.module)))) AS who(person_id)
   WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.audience <> 'pages'
     AND EXISTS (SELECT FROM membership m WHERE m.organisation_id = org AND m.person_id = who.person_id)      -- a person, and still a member
   GROUP BY who.person_id, o.kind, o.batch_id, o.change_id
  ON CONFLICT (organisation_id, person_id, kind, batch_id, change_id) WHERE read_at IS NULL DO UPDATE
     SET at = excluded.at, payload = excluded.payload, tasks = least(n.tasks::bigint + excluded.tasks, 2000000000)::int,
         amount_minor = least(n.amount_minor::numeric + excluded.amount_minor, 9000000000000000000)::bigint;
  PERFORM pg_notify('batchdesk_changed', org || ':' || c.batch_id)
     FROM (SELECT DISTINCT o.batch_id FROM outbox o WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.batch_id IS NOT NULL) c;
  -- That a batch changed is worth nothing once it was said; what happened is kept for a day.
  DELETE FROM outbox o WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.kind = 'batch_changed';
  UPDATE outbox o SET delivered_at = now() WHERE o.organisation_id = org AND o.id = ANY (taken);
  RETURN cardinality(taken);
END $$;

---------------------------------------------------------------------------------------------------- row-level security and grants
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['settings_change', 'settings_change_end'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %I FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON %I TO batchdesk_web, batchdesk_worker, batchdesk_owner
        USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()))', t, t, t);
  END LOOP;
END $$;
DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'desk'::regnamespace
              AND (p.proname LIKE 'settings\_change%' OR p.proname IN ('tell_settings_change', 'other_administrators', 'is_administrator', 'expire_settings_changes')) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION other_administrators() TO batchdesk_web;
GRANT EXECUTE ON FUNCTION expire_settings_changes(timestamptz) TO batchdesk_worker;
GRANT SELECT ON settings_change, settings_change_end TO batchdesk_web;
GRANT INSERT (organisation_id, id, kind, object, module, summary, was, becomes, sealed_secret, reason, alone, at, expires_at) ON settings_change TO batchdesk_web;
GRANT INSERT (organisation_id, change_id, verdict, content_sha256, note, at) ON settings_change_end TO batchdesk_web;
