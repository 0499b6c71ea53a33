-- Changes that a second administrator confirms.

CREATE OR REPLACE FUNCTION settings_change_sha256(c settings_change) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT sha256(convert_to(jsonb_build_array(c.organisation_id, c.id, c.kind, c.object, c.summary, c.was, c.becomes,
    c.reason, c.proposer,
                                             encode(sha256(coalesce(c.sealed_secret, ''::bytea)), 'hex'))::text,
                                               'UTF8')) $$;

CREATE OR REPLACE FUNCTION settings_change_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  NEW.proposer := current_person();
  IF NEW.proposer IS NULL OR NOT is_administrator()
    THEN RAISE EXCEPTION 'an administrator must ask' USING ERRCODE = 'BD403'; END IF;
  -- One at a time: two that ask for the same thing at once would both find that nothing waits.
  PERFORM pg_advisory_xact_lock(hashtextextended('settings' || NEW.organisation_id, 0));
  IF NEW.alone AND other_administrators() > 0
    THEN RAISE EXCEPTION 'another administrator must confirm' USING ERRCODE = 'BD403'; END IF;
  IF EXISTS (SELECT FROM settings_change c
    WHERE c.organisation_id = NEW.organisation_id AND c.kind = NEW.kind AND c.object = NEW.object
    AND c.expires_at > NEW.at
                AND NOT EXISTS (SELECT FROM settings_change_end e
                  WHERE e.organisation_id = c.organisation_id AND e.change_id = c.id))
  THEN RAISE EXCEPTION 'a change of this waits already' USING ERRCODE = 'BD409'; END IF;
  NEW.content_sha256 := settings_change_sha256(NEW);
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER settings_change_guard BEFORE INSERT ON settings_change FOR EACH ROW
  EXECUTE FUNCTION settings_change_guard();

CREATE OR REPLACE FUNCTION settings_change_end_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE c batchdesk.settings_change;
BEGIN
  SELECT * INTO c FROM settings_change WHERE organisation_id = NEW.organisation_id AND id = NEW.change_id FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such change' USING ERRCODE = 'BD404'; END IF;
  IF EXISTS (SELECT FROM settings_change_end e
    WHERE e.organisation_id = NEW.organisation_id AND e.change_id = NEW.change_id)
  THEN RAISE EXCEPTION 'ended already' USING ERRCODE = 'BD409'; END IF;
  IF NEW.verdict = 'EXPIRE' THEN
    IF NEW.at < c.expires_at THEN RAISE EXCEPTION 'it still waits' USING ERRCODE = 'BD409'; END IF;
    NEW.person_id := NULL; NEW.content_sha256 := c.content_sha256;
  ELSE
    NEW.person_id := current_person();
    IF NEW.person_id IS NULL OR NOT is_administrator()
      THEN RAISE EXCEPTION 'an administrator must decide' USING ERRCODE = 'BD403'; END IF;
    -- Who asked may take it back, and nothing else; where it was alone, it is made at once.
    IF (NEW.person_id = c.proposer) <> (NEW.verdict IN ('WITHDRAW', 'ALONE'))
      THEN RAISE EXCEPTION 'not this person' USING ERRCODE = 'BD403'; END IF;
    IF (NEW.verdict = 'ALONE') <> c.alone
      THEN RAISE EXCEPTION 'another administrator must confirm' USING ERRCODE = 'BD403'; END IF;
    IF NEW.at >= c.expires_at THEN RAISE EXCEPTION 'its time is over' USING ERRCODE = 'BD410'; END IF;
    IF NEW.verdict = 'ALONE' THEN NEW.content_sha256 := c.content_sha256; END IF;
    IF NEW.content_sha256 <> c.content_sha256 OR c.content_sha256 <> settings_change_sha256(c)
    THEN RAISE EXCEPTION 'not what was shown' USING ERRCODE = 'BD412'; END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER settings_change_end_guard BEFORE INSERT ON settings_change_end FOR EACH ROW
  EXECUTE FUNCTION settings_change_end_guard();

CREATE OR REPLACE FUNCTION settings_change_wipe() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  UPDATE settings_change SET sealed_secret = NULL
    WHERE organisation_id = NEW.organisation_id AND id = NEW.change_id AND sealed_secret IS NOT NULL;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER settings_change_wipe AFTER INSERT ON settings_change_end FOR EACH ROW
  EXECUTE FUNCTION settings_change_wipe();

-- Changes whose time is over; answers how many.
CREATE OR REPLACE FUNCTION expire_settings_changes(p_now timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  WITH ended AS (
    INSERT INTO settings_change_end (organisation_id, change_id, verdict, content_sha256, at)
    SELECT c.organisation_id, c.id, 'EXPIRE', c.content_sha256, p_now FROM settings_change c
     WHERE c.organisation_id = current_organisation() AND c.expires_at <= p_now
       AND NOT EXISTS (SELECT FROM settings_change_end e
         WHERE e.organisation_id = c.organisation_id AND e.change_id = c.id)
    RETURNING 1)
  SELECT count(*) FROM ended $$;

CREATE OR REPLACE FUNCTION tell_settings_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE c batchdesk.settings_change; said text;
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
          jsonb_strip_nulls(jsonb_build_object('by', (SELECT p.email FROM person p WHERE p.id = c.proposer), 'what',
            c.summary, 'module', c.module,
            'message', CASE said WHEN 'change_dropped' THEN to_jsonb(NEW) ->> 'note' ELSE c.reason END,
            'verdict', to_jsonb(NEW) ->> 'verdict',
            'second', (SELECT p.email FROM person p
              WHERE p.id = (to_jsonb(NEW) ->> 'person_id')::uuid AND p.id <> c.proposer))));
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_settings_change AFTER INSERT ON settings_change FOR EACH ROW
  EXECUTE FUNCTION tell_settings_change();
CREATE OR REPLACE TRIGGER tell_settings_change AFTER INSERT ON settings_change_end FOR EACH ROW
  EXECUTE FUNCTION tell_settings_change();

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION expire_settings_changes(timestamptz) TO batchdesk_worker;
