-- The gate that everything which allows or forbids sending goes through, and who may change settings.

-- The gate: intents hold it shared until they commit; whoever takes permission away takes it alone, so that after his
-- COMMIT no intent can follow that had not seen it. An advisory lock, because its queue is fair: row share locks starve
-- the one who wants the row alone. One key an organisation; a collision of two keys costs a wait, nothing else.
CREATE OR REPLACE FUNCTION gate(p_organisation uuid, p_alone boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed'
    THEN RAISE EXCEPTION 'read committed only' USING ERRCODE = 'BD500'; END IF;
  IF p_alone THEN PERFORM pg_advisory_xact_lock(hashtextextended('gate' || p_organisation, 0));
             ELSE PERFORM pg_advisory_xact_lock_shared(hashtextextended('gate' || p_organisation, 0)); END IF;
END $$;

CREATE OR REPLACE FUNCTION switch_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN PERFORM gate(current_organisation(), true); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER switch_guard BEFORE UPDATE OF sending ON organisation FOR EACH STATEMENT
  EXECUTE FUNCTION switch_guard();
CREATE OR REPLACE TRIGGER switch_guard BEFORE UPDATE OF sending ON gateway FOR EACH STATEMENT
  EXECUTE FUNCTION switch_guard();

CREATE OR REPLACE FUNCTION stop_gateway(p_gateway uuid, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  UPDATE gateway SET sending = false, stopped_reason = p_reason, stopped_at = now()
   WHERE organisation_id = current_organisation() AND id = p_gateway AND sending;
  RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION stop_organisation(p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  UPDATE organisation SET sending = false, stopped_reason = p_reason, stopped_at = now()
    WHERE id = current_organisation() AND sending;
  RETURN FOUND;
END $$;

-- Members who may change settings, besides the person of this transaction.
CREATE OR REPLACE FUNCTION other_administrators() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT count(DISTINCT m.person_id) FROM membership m
    JOIN role_permission p ON p.organisation_id = m.organisation_id AND p.role_id = m.role_id
   WHERE m.organisation_id = current_organisation() AND p.module = 'settings' AND p."right" = 'read_write'
     AND m.person_id IS DISTINCT FROM current_person() $$;

CREATE OR REPLACE FUNCTION is_administrator() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT EXISTS (SELECT FROM membership m
    JOIN role_permission p ON p.organisation_id = m.organisation_id AND p.role_id = m.role_id
   WHERE m.organisation_id = current_organisation() AND p.module = 'settings' AND p."right" = 'read_write'
     AND m.person_id = current_person()) $$;

-- Who has a hand in an API key: whoever makes it, changes its role, gives it another secret or takes it over.
CREATE OR REPLACE FUNCTION api_key_touched() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  INSERT INTO api_key_hand (organisation_id, api_key_id, person_id)
  SELECT NEW.organisation_id, (to_jsonb(NEW) ->> TG_ARGV[0])::uuid, current_person() WHERE current_person() IS NOT NULL
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER api_key_touched AFTER INSERT OR UPDATE OF role_id, made_by ON api_key
  FOR EACH ROW EXECUTE FUNCTION api_key_touched('id');
CREATE OR REPLACE TRIGGER api_key_touched AFTER INSERT OR UPDATE OF key_sha256 ON api_key_organisation
  FOR EACH ROW EXECUTE FUNCTION api_key_touched('api_key_id');

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION gate(uuid, boolean) TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION other_administrators() TO batchdesk_web;
-- A worker can stop sending, never start it.
GRANT EXECUTE ON FUNCTION stop_gateway(uuid, text), stop_organisation(text) TO batchdesk_worker;
