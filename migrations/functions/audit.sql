-- The chain of the audit trail.

CREATE OR REPLACE FUNCTION audit_wait() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN INSERT INTO audit_waiting VALUES (NEW.organisation_id, NEW.id); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER audit_wait AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_wait();

-- What a link of the chain covers: its place, the link before it, and every column of the row.
CREATE OR REPLACE FUNCTION audit_hash(p_previous bytea, p_sequence bigint, a audit) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT sha256(p_previous || convert_to(jsonb_build_array(p_sequence, a.organisation_id, a.id,
    extract(epoch FROM a.at), a.person_id, a.actor,
                                                           a.action, a.object_id, a.detail)::text, 'UTF8')) $$;

-- Chains what waits. One sealer an organisation at a time; answers how many rows it chained.
CREATE OR REPLACE FUNCTION seal_audit(p_limit int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); r audit; last audit_seal; n int := 0; h bytea;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('audit' || org, 0)) THEN RETURN 0; END IF;
  SELECT * INTO last FROM audit_seal WHERE organisation_id = org ORDER BY sequence DESC LIMIT 1;
  IF NOT FOUND THEN last.sequence := 0; last.hash := sha256(convert_to(org::text, 'UTF8')); END IF;
  FOR r IN SELECT a.* FROM audit_waiting w JOIN audit a ON a.organisation_id = org AND a.id = w.audit_id
            WHERE w.organisation_id = org ORDER BY a.at, a.id LIMIT p_limit LOOP
    h := audit_hash(last.hash, last.sequence + 1, r);
    INSERT INTO audit_seal VALUES (org, last.sequence + 1, r.id, last.hash, h);
    DELETE FROM audit_waiting WHERE organisation_id = org AND audit_id = r.id;
    last.sequence := last.sequence + 1; last.hash := h; n := n + 1;
  END LOOP;
  RETURN n;
END $$;

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION seal_audit(int) TO batchdesk_web, batchdesk_worker;
