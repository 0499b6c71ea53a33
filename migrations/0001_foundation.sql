-- Organisations, people, access, gateway connections, drafts, files, audit.
--
-- Three kinds of tables. Global: person, session, sign_in_throttle; no organisation, reached by key only. Look-up: which
-- organisation a person or an API key belongs to, before there is an organisation to set. Organisation tables: all others,
-- row-level security enabled and forced; app.organisation is set LOCAL at the head of every transaction, and without it every
-- one of them looks empty. app.person is the signed-in person: maker and checker come from it, never from a parameter.

-- Wrapped in (SELECT ...) in every policy: evaluated once a statement, not once a row.
CREATE FUNCTION current_organisation() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.organisation', true), '')::uuid $$;
CREATE FUNCTION current_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.person', true), '')::uuid $$;

-- The gate: intents hold it shared until they commit; whoever takes permission away takes it alone, so that after his COMMIT
-- no intent can follow that had not seen it. An advisory lock, because its queue is fair: row share locks starve the one who
-- wants the row alone. One key an organisation; a collision of two keys costs a wait, nothing else.
CREATE FUNCTION gate(p_organisation uuid, p_alone boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION 'read committed only' USING ERRCODE = 'BD500'; END IF;
  IF p_alone THEN PERFORM pg_advisory_xact_lock(hashtextextended('gate' || p_organisation, 0));
             ELSE PERFORM pg_advisory_xact_lock_shared(hashtextextended('gate' || p_organisation, 0)); END IF;
END $$;

---------------------------------------------------------------------------------------------------- global
CREATE TABLE person (
  id             uuid PRIMARY KEY,
  email          text NOT NULL UNIQUE CHECK (email = lower(email)),
  password_hash  text NOT NULL,               -- Argon2id in PHC form
  -- Sessions made before it are void: set when the password is reset.
  sessions_since timestamptz NOT NULL,
  created_at     timestamptz NOT NULL
);

CREATE TABLE session (
  id_sha256    bytea PRIMARY KEY CHECK (length(id_sha256) = 32),   -- the id itself is only in the browser
  data         text NOT NULL,                 -- JSON: person, organisation, when the password was last given
  created_at   timestamptz NOT NULL,          -- the absolute limit counts from here
  last_seen_at timestamptz NOT NULL,          -- the idle limit counts from here; moved at most once a minute
  expires_at   timestamptz NOT NULL
);
CREATE INDEX session_by_expiry ON session (expires_at);

CREATE TABLE sign_in_throttle (
  key          text PRIMARY KEY,              -- 'account:' and the e-mail, or 'address:' and the client's address
  failures     int NOT NULL,
  since        timestamptz NOT NULL,          -- start of the window that `failures` counts in
  locked_until timestamptz
);

---------------------------------------------------------------------------------------------------- organisation
CREATE TABLE organisation (
  id             uuid PRIMARY KEY,
  name           text NOT NULL,
  currency       char(3) NOT NULL DEFAULT 'INR',
  zone           text NOT NULL DEFAULT 'Asia/Kolkata',
  row_limit      int NOT NULL DEFAULT 1000 CHECK (row_limit BETWEEN 1 AND 100000),
  approval_days  int NOT NULL DEFAULT 7 CHECK (approval_days BETWEEN 1 AND 90),
  sending        boolean NOT NULL DEFAULT true,    -- kill switch of the organisation
  stopped_at     timestamptz,
  stopped_reason text,                             -- the sentence that people see while sending is off
  created_at     timestamptz NOT NULL DEFAULT now()
);
-- Look-ups: readable before an organisation is known, by key only.
CREATE TABLE organisation_name (
  name            text PRIMARY KEY,
  organisation_id uuid NOT NULL REFERENCES organisation
);
CREATE TABLE person_organisation (
  person_id       uuid NOT NULL REFERENCES person,
  organisation_id uuid NOT NULL REFERENCES organisation,
  PRIMARY KEY (person_id, organisation_id)
);
CREATE TABLE api_key_organisation (
  key_sha256      bytea PRIMARY KEY CHECK (length(key_sha256) = 32),
  organisation_id uuid NOT NULL REFERENCES organisation,
  api_key_id      uuid NOT NULL
);

CREATE TABLE role (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  code            text NOT NULL,
  PRIMARY KEY (organisation_id, id),
  UNIQUE (organisation_id, code)
);
CREATE TABLE role_permission (
  organisation_id uuid NOT NULL,
  role_id         uuid NOT NULL,
  module          text NOT NULL,
  "right"         text NOT NULL CHECK ("right" IN ('read', 'read_write', 'approve')),
  PRIMARY KEY (organisation_id, role_id, module, "right"),
  FOREIGN KEY (organisation_id, role_id) REFERENCES role (organisation_id, id)
);
CREATE TABLE membership (
  organisation_id uuid NOT NULL REFERENCES organisation,
  person_id       uuid NOT NULL REFERENCES person,
  role_id         uuid NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, person_id, role_id),
  FOREIGN KEY (organisation_id, role_id) REFERENCES role (organisation_id, id)
);
CREATE TABLE api_key (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  name            text NOT NULL,
  role_id         uuid NOT NULL,
  revoked_at      timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (organisation_id, role_id) REFERENCES role (organisation_id, id)
);

CREATE TABLE approval_rule (                       -- maker-checker; no row means that a decision is needed
  organisation_id uuid NOT NULL REFERENCES organisation,
  operation       text NOT NULL,
  needed          boolean NOT NULL,
  version         int NOT NULL DEFAULT 1,          -- named in a decision that was not required
  PRIMARY KEY (organisation_id, operation)
);

CREATE TABLE gateway (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  connector       text NOT NULL,
  base_url        text NOT NULL,
  merchant_id     text NOT NULL,
  sealed_key      bytea NOT NULL,                  -- sealed for this row's id with a key that is not in the database
  class           "char" NOT NULL DEFAULT 'N' CHECK (class IN ('K', 'Q', 'N')),   -- what it promises; N until measured
  key_window      interval,                        -- K: how long a key is remembered
  balances        boolean NOT NULL DEFAULT true,   -- false: the gateway's own refusal of an over-refund is relied on
  preflight       boolean NOT NULL DEFAULT true,   -- read each order before its first refund of a batch
  concurrency     int CHECK (concurrency BETWEEN 1 AND 1000),    -- null: the operator's default
  sandbox         boolean NOT NULL DEFAULT false,  -- moves no real money: pages say TEST DATA
  sending         boolean NOT NULL DEFAULT true,   -- kill switch; 401 and 403 set it false
  stopped_at      timestamptz,
  stopped_reason  text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),   -- moved when address or key change, so that clients are made anew
  CHECK (class <> 'K' OR key_window IS NOT NULL),
  PRIMARY KEY (organisation_id, id),
  UNIQUE (organisation_id, connector)
);

---------------------------------------------------------------------------------------------------- files and drafts
CREATE TABLE file (                                -- as it came; the hash is its name
  organisation_id uuid NOT NULL REFERENCES organisation,
  sha256          bytea NOT NULL CHECK (length(sha256) = 32),
  bytes           bytea NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, sha256)
);
CREATE TABLE draft (                               -- a description, or a file with findings; no batch, in no list, 24 hours
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  operation       text NOT NULL,
  person_id       uuid NOT NULL DEFAULT current_person(),
  description     text NOT NULL DEFAULT '',
  file_name       text NOT NULL DEFAULT '',
  file_sha256     bytea,
  file_bytes      bigint NOT NULL DEFAULT 0,
  rows            bigint NOT NULL DEFAULT 0,
  findings        text NOT NULL DEFAULT '[]',      -- JSON as the page shows it
  repeats         text NOT NULL DEFAULT '[]',
  created_at      timestamptz NOT NULL,
  expires_at      timestamptz NOT NULL,
  PRIMARY KEY (organisation_id, id)
);
CREATE INDEX draft_by_expiry ON draft (organisation_id, expires_at);

---------------------------------------------------------------------------------------------------- audit
CREATE TABLE audit (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  at              timestamptz NOT NULL,
  person_id       uuid,                            -- null: Batchdesk itself
  actor           text NOT NULL,                   -- e-mail, name of the API key, or 'Batchdesk'
  action          text NOT NULL,                   -- 'batch.created'
  object_id       uuid,
  detail          text NOT NULL DEFAULT '{}',      -- JSON
  PRIMARY KEY (organisation_id, id)
);
CREATE INDEX audit_by_object ON audit (organisation_id, object_id, id);

CREATE TABLE audit_waiting (                       -- rows not chained yet; filled by a trigger, emptied by the sealer
  organisation_id uuid NOT NULL,
  audit_id        uuid NOT NULL,
  PRIMARY KEY (organisation_id, audit_id)
);
CREATE TABLE audit_seal (
  organisation_id uuid NOT NULL,
  sequence        bigint NOT NULL,
  audit_id        uuid NOT NULL,
  previous        bytea NOT NULL,
  hash            bytea NOT NULL,
  PRIMARY KEY (organisation_id, sequence),
  UNIQUE (organisation_id, audit_id),
  FOREIGN KEY (organisation_id, audit_id) REFERENCES audit (organisation_id, id)
);

CREATE FUNCTION audit_wait() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN INSERT INTO audit_waiting VALUES (NEW.organisation_id, NEW.id); RETURN NULL; END $$;
CREATE TRIGGER audit_wait AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_wait();

-- What a link of the chain covers: its place, the link before it, and every column of the row.
CREATE FUNCTION audit_hash(p_previous bytea, p_sequence bigint, a audit) RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT sha256(p_previous || convert_to(jsonb_build_array(p_sequence, a.organisation_id, a.id, extract(epoch FROM a.at), a.person_id, a.actor,
                                                           a.action, a.object_id, a.detail)::text, 'UTF8')) $$;

-- Chains what waits. One sealer an organisation at a time; answers how many rows it chained.
CREATE FUNCTION seal_audit(p_limit int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
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

-- Checks the chain: the first broken place, or none.
CREATE FUNCTION verify_audit() RETURNS TABLE (sealed bigint, waiting bigint, broken_at bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); s record; prev bytea := sha256(convert_to(org::text, 'UTF8')); expected bigint := 1;
BEGIN
  broken_at := NULL;
  FOR s IN SELECT k.*, audit_hash(k.previous, k.sequence, a) AS again FROM audit_seal k
             LEFT JOIN audit a ON a.organisation_id = org AND a.id = k.audit_id WHERE k.organisation_id = org ORDER BY k.sequence LOOP
    IF s.sequence <> expected OR s.previous <> prev OR s.again IS DISTINCT FROM s.hash THEN broken_at := expected; EXIT; END IF;
    prev := s.hash; expected := expected + 1;
  END LOOP;
  sealed := expected - 1;
  SELECT count(*) INTO waiting FROM audit_waiting WHERE organisation_id = org;
  RETURN NEXT;
END $$;

-- Which organisations have rows to chain; seen across organisations, nothing else is.
CREATE FUNCTION audit_backlog() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp
  AS $$ SELECT DISTINCT organisation_id FROM audit_waiting $$;
CREATE FUNCTION all_organisations() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp
  AS $$ SELECT id FROM organisation $$;

---------------------------------------------------------------------------------------------------- switches
CREATE FUNCTION switch_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN PERFORM gate(current_organisation(), true); RETURN NULL; END $$;
CREATE TRIGGER switch_guard BEFORE UPDATE OF sending ON organisation FOR EACH STATEMENT EXECUTE FUNCTION switch_guard();
CREATE TRIGGER switch_guard BEFORE UPDATE OF sending ON gateway FOR EACH STATEMENT EXECUTE FUNCTION switch_guard();

---------------------------------------------------------------------------------------------------- row-level security and grants
DO $$ DECLARE t text; k text; BEGIN
  FOREACH t IN ARRAY ARRAY['organisation','role','role_permission','membership','api_key','approval_rule','gateway','file','draft','audit','audit_waiting','audit_seal'] LOOP
    k := CASE t WHEN 'organisation' THEN 'id' ELSE 'organisation_id' END;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %I FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON %I TO batchdesk_web, batchdesk_worker, batchdesk_owner USING (%I = (SELECT current_organisation())) WITH CHECK (%I = (SELECT current_organisation()))', t, t, t, k, k);
  END LOOP;
END $$;
CREATE POLICY lanes ON organisation FOR SELECT TO batchdesk_scheduler USING (true);
CREATE POLICY lanes ON gateway FOR SELECT TO batchdesk_scheduler USING (true);
CREATE POLICY lanes ON audit_waiting FOR SELECT TO batchdesk_scheduler USING (true);

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA desk FROM PUBLIC;
GRANT EXECUTE ON FUNCTION current_organisation(), current_person() TO batchdesk_web, batchdesk_worker, batchdesk_scheduler;
GRANT EXECUTE ON FUNCTION gate(uuid, boolean), seal_audit(int), verify_audit(), audit_backlog(), all_organisations() TO batchdesk_web, batchdesk_worker;

GRANT SELECT, INSERT, UPDATE ON person TO batchdesk_web;
GRANT SELECT (id, email) ON person TO batchdesk_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON session, sign_in_throttle TO batchdesk_web;
GRANT SELECT, INSERT ON organisation_name, person_organisation, api_key_organisation TO batchdesk_web;
GRANT SELECT ON organisation, role, role_permission, membership, api_key, approval_rule, gateway, file, draft, audit, audit_seal TO batchdesk_web;
GRANT INSERT ON organisation, role, role_permission, membership, api_key, file, draft, gateway, approval_rule TO batchdesk_web;
GRANT UPDATE (needed, version) ON approval_rule TO batchdesk_web;
GRANT UPDATE (row_limit, approval_days, sending, stopped_at, stopped_reason) ON organisation TO batchdesk_web;
GRANT UPDATE (base_url, merchant_id, sealed_key, class, key_window, balances, preflight, concurrency, sandbox, sending, stopped_at, stopped_reason, updated_at) ON gateway TO batchdesk_web;
GRANT UPDATE (description, file_name, file_sha256, file_bytes, rows, findings, repeats), DELETE ON draft TO batchdesk_web;
GRANT INSERT ON audit TO batchdesk_web, batchdesk_worker;
GRANT SELECT ON organisation, gateway, approval_rule TO batchdesk_worker;
GRANT UPDATE (sending, stopped_at, stopped_reason) ON organisation, gateway TO batchdesk_worker;
GRANT SELECT, DELETE ON draft TO batchdesk_worker;         -- drafts that have expired
GRANT DELETE ON session TO batchdesk_worker;               -- sessions that have expired
GRANT SELECT (expires_at) ON session TO batchdesk_worker;
GRANT SELECT ON organisation, gateway, audit_waiting TO batchdesk_scheduler;

-- The new owner of a function needs CREATE on its schema at that moment only.
GRANT CREATE ON SCHEMA desk TO batchdesk_scheduler;
ALTER FUNCTION audit_backlog() OWNER TO batchdesk_scheduler;
ALTER FUNCTION all_organisations() OWNER TO batchdesk_scheduler;
REVOKE CREATE ON SCHEMA desk FROM batchdesk_scheduler;
