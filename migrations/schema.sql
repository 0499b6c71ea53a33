-- Written by .dev/schema from the catalogue: not applied, compared by a test.

TABLE api_key
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  name text NOT NULL
  role_id uuid NOT NULL
  made_by uuid DEFAULT current_person()
  revoked_at timestamp with time zone
  created_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT api_key_made_by_fkey FOREIGN KEY (made_by) REFERENCES person(id)
  CONSTRAINT api_key_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT api_key_organisation_id_role_id_fkey FOREIGN KEY (organisation_id, role_id) REFERENCES role(organisation_id, id)
  CONSTRAINT api_key_pkey PRIMARY KEY (organisation_id, id)
  CREATE UNIQUE INDEX api_key_name_in_use ON api_key USING btree (organisation_id, name) WHERE (revoked_at IS NULL)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER api_key_touched AFTER INSERT OR UPDATE OF role_id, made_by ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_touched('id')
  GRANT SELECT TO batchdesk_web
  GRANT INSERT (organisation_id, id, name, role_id, created_at) TO batchdesk_web
  GRANT UPDATE (revoked_at) TO batchdesk_web

TABLE api_key_hand
  organisation_id uuid NOT NULL
  api_key_id uuid NOT NULL
  person_id uuid NOT NULL
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  CONSTRAINT api_key_hand_organisation_id_api_key_id_fkey FOREIGN KEY (organisation_id, api_key_id) REFERENCES api_key(organisation_id, id)
  CONSTRAINT api_key_hand_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id)
  CONSTRAINT api_key_hand_pkey PRIMARY KEY (organisation_id, api_key_id, person_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web

TABLE api_key_organisation
  key_sha256 bytea NOT NULL
  organisation_id uuid NOT NULL
  api_key_id uuid NOT NULL
  CONSTRAINT api_key_organisation_key_sha256_check CHECK ((length(key_sha256) = 32))
  CONSTRAINT api_key_organisation_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT api_key_organisation_pkey PRIMARY KEY (key_sha256)
  CREATE TRIGGER api_key_touched AFTER INSERT OR UPDATE OF key_sha256 ON api_key_organisation FOR EACH ROW EXECUTE FUNCTION api_key_touched('api_key_id')
  GRANT INSERT, SELECT TO batchdesk_web

TABLE approval_rule
  organisation_id uuid NOT NULL
  operation text NOT NULL
  needed boolean NOT NULL
  version integer NOT NULL DEFAULT 1
  CONSTRAINT approval_rule_operation_fkey FOREIGN KEY (operation) REFERENCES operation(code)
  CONSTRAINT approval_rule_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT approval_rule_pkey PRIMARY KEY (organisation_id, operation)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT UPDATE (needed, version) TO batchdesk_web

TABLE attempt PARTITION BY RANGE (batch_id)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  from_row integer NOT NULL
  to_row integer NOT NULL
  revision smallint NOT NULL
  attempt smallint NOT NULL
  chunk_no integer
  epoch bigint NOT NULL
  owner uuid NOT NULL
  currency character(3) NOT NULL DEFAULT ''::bpchar
  balanced boolean NOT NULL DEFAULT false
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  lost boolean NOT NULL DEFAULT false
  CONSTRAINT attempt_pkey PRIMARY KEY (organisation_id, batch_id, revision, attempt, from_row)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER ask_only BEFORE INSERT ON attempt FOR EACH ROW WHEN ((new.chunk_no IS NULL)) EXECUTE FUNCTION ask_only()
  CREATE TRIGGER attempt_guard BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION attempt_guard()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT INSERT (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner) TO batchdesk_worker

TABLE attempt_leaf PARTITION OF attempt FOR VALUES FROM (MINVALUE) TO (MAXVALUE)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  from_row integer NOT NULL
  to_row integer NOT NULL
  revision smallint NOT NULL
  attempt smallint NOT NULL
  chunk_no integer
  epoch bigint NOT NULL
  owner uuid NOT NULL
  currency character(3) NOT NULL DEFAULT ''::bpchar
  balanced boolean NOT NULL DEFAULT false
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  lost boolean NOT NULL DEFAULT false
  CONSTRAINT attempt_leaf_pkey PRIMARY KEY (organisation_id, batch_id, revision, attempt, from_row)
  CREATE TRIGGER ask_only BEFORE INSERT ON attempt_leaf FOR EACH ROW WHEN ((new.chunk_no IS NULL)) EXECUTE FUNCTION ask_only()
  CREATE TRIGGER attempt_guard BEFORE INSERT ON attempt_leaf FOR EACH ROW EXECUTE FUNCTION attempt_guard()
  NO RIGHT FOR ITS OWNER

TABLE audit
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  at timestamp with time zone NOT NULL
  person_id uuid
  actor text NOT NULL
  action text NOT NULL
  object_id uuid
  detail text NOT NULL DEFAULT '{}'::text
  CONSTRAINT audit_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT audit_pkey PRIMARY KEY (organisation_id, id)
  CREATE INDEX audit_by_object ON audit USING btree (organisation_id, object_id, id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER audit_wait AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_wait()
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT INSERT, SELECT TO batchdesk_worker

TABLE audit_seal
  organisation_id uuid NOT NULL
  sequence bigint NOT NULL
  audit_id uuid NOT NULL
  previous bytea NOT NULL
  hash bytea NOT NULL
  CONSTRAINT audit_seal_organisation_id_audit_id_fkey FOREIGN KEY (organisation_id, audit_id) REFERENCES audit(organisation_id, id)
  CONSTRAINT audit_seal_organisation_id_audit_id_key UNIQUE (organisation_id, audit_id)
  CONSTRAINT audit_seal_pkey PRIMARY KEY (organisation_id, sequence)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE audit_waiting
  organisation_id uuid NOT NULL
  audit_id uuid NOT NULL
  CONSTRAINT audit_waiting_pkey PRIMARY KEY (organisation_id, audit_id)
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_scheduler
  GRANT SELECT TO batchdesk_web

TABLE balance_check
  organisation_id uuid NOT NULL
  at timestamp with time zone NOT NULL DEFAULT now()
  since timestamp with time zone
  CONSTRAINT balance_check_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT balance_check_pkey PRIMARY KEY (organisation_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_worker
  GRANT INSERT (organisation_id) TO batchdesk_worker
  GRANT UPDATE (at, since) TO batchdesk_worker

TABLE batch
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  gateway_id uuid
  operation text NOT NULL
  work text NOT NULL
  options text NOT NULL DEFAULT ''::text
  file_name text COLLATE C NOT NULL
  description text NOT NULL DEFAULT ''::text
  template text NOT NULL DEFAULT ''::text
  file_sha256 bytea
  file_bytes bigint NOT NULL DEFAULT 0
  row_limit integer
  currency character(3)
  source text NOT NULL DEFAULT 
CASE
    WHEN (current_key() IS NULL) THEN 'person'::text
    ELSE 'key'::text
END
  maker uuid DEFAULT current_person()
  source_id uuid DEFAULT current_key()
  status text NOT NULL DEFAULT 'validating'::text
  status_rank smallint NOT NULL GENERATED ALWAYS AS (array_position(ARRAY['validating'::text, 'invalid'::text, 'awaiting_approval'::text, 'rejected'::text, 'withdrawn'::text, 'expired'::text, 'processing'::text, 'paused'::text, 'completed'::text, 'completed_with_failures'::text, 'cancelled'::text], status)) STORED
  revision smallint NOT NULL DEFAULT 1
  records integer NOT NULL DEFAULT 0
  amount_minor bigint NOT NULL DEFAULT 0
  paused_by uuid
  paused_by_admin boolean NOT NULL DEFAULT false
  ended_reason text
  expires_at timestamp with time zone
  last_synced_at timestamp with time zone
  created_at timestamp with time zone NOT NULL DEFAULT now()
  updated_at timestamp with time zone NOT NULL DEFAULT now()
  file_deleted_at timestamp with time zone
  CONSTRAINT batch_file_sha256_check CHECK ((length(file_sha256) = 32))
  CONSTRAINT batch_operation_work_fkey FOREIGN KEY (operation, work) REFERENCES operation(code, work)
  CONSTRAINT batch_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT batch_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT batch_pkey PRIMARY KEY (organisation_id, id)
  CONSTRAINT batch_source_check CHECK ((source = ANY (ARRAY['person'::text, 'key'::text, 'sftp'::text])))
  CONSTRAINT batch_status_check CHECK ((status = ANY (ARRAY['validating'::text, 'invalid'::text, 'awaiting_approval'::text, 'rejected'::text, 'withdrawn'::text, 'expired'::text, 'processing'::text, 'paused'::text, 'completed'::text, 'completed_with_failures'::text, 'cancelled'::text])))
  CONSTRAINT connected CHECK ((((work = 'import'::text) = (gateway_id IS NULL)) AND ((work = 'import'::text) = (currency IS NULL))))
  CONSTRAINT from_somebody CHECK ((((source = 'person'::text) = (maker IS NOT NULL)) AND ((source = 'person'::text) = (source_id IS NULL))))
  CREATE INDEX batch_by_amount ON batch USING btree (organisation_id, operation, amount_minor, id)
  CREATE INDEX batch_by_created ON batch USING btree (organisation_id, operation, created_at, id)
  CREATE INDEX batch_by_file ON batch USING btree (organisation_id, file_sha256)
  CREATE INDEX batch_by_id ON batch USING btree (organisation_id, operation, id)
  CREATE INDEX batch_by_maker ON batch USING btree (organisation_id, operation, maker, created_at, id)
  CREATE INDEX batch_by_name ON batch USING btree (organisation_id, operation, file_name, id)
  CREATE INDEX batch_by_records ON batch USING btree (organisation_id, operation, records, id)
  CREATE INDEX batch_by_status ON batch USING btree (organisation_id, operation, status_rank, id)
  CREATE INDEX batch_waiting ON batch USING btree (expires_at) WHERE (status = 'awaiting_approval'::text)
  CREATE INDEX batch_with_file ON batch USING btree (organisation_id, work, created_at) WHERE ((file_sha256 IS NOT NULL) AND (file_deleted_at IS NULL))
  ROW LEVEL SECURITY FORCED
  POLICY fresh RESTRICTIVE FOR INSERT TO batchdesk_web WITH CHECK (status = 'validating'::text)
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER batch_work BEFORE INSERT OR UPDATE OF operation, work ON batch FOR EACH ROW EXECUTE FUNCTION batch_work()
  CREATE TRIGGER order_batch_cancelled AFTER UPDATE OF status ON batch FOR EACH ROW WHEN (((new.work = 'query'::text) AND (new.status = 'cancelled'::text) AND (old.status <> 'cancelled'::text))) EXECUTE FUNCTION order_batch_cancelled()
  CREATE TRIGGER tell_batch AFTER UPDATE ON batch FOR EACH ROW EXECUTE FUNCTION tell_batch()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT INSERT (organisation_id, id, gateway_id, operation, options, file_name, description, template, file_sha256, file_bytes, row_limit, currency) TO batchdesk_web
  GRANT SELECT (organisation_id, status, expires_at) TO batchdesk_scheduler

TABLE batch_progress WITH (fillfactor=20)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  records integer NOT NULL
  queued integer NOT NULL
  accepted integer NOT NULL
  failed integer NOT NULL
  pending integer NOT NULL DEFAULT 0
  amount_minor bigint NOT NULL
  queued_minor bigint NOT NULL
  accepted_minor bigint NOT NULL
  failed_minor bigint NOT NULL
  updated_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT adds_up CHECK (((((queued + accepted) + failed) = records) AND (((queued_minor + accepted_minor) + failed_minor) = amount_minor) AND (LEAST((queued)::bigint, ((accepted - pending))::bigint, (failed)::bigint, (pending)::bigint, queued_minor, accepted_minor, failed_minor) >= 0)))
  CONSTRAINT batch_progress_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT batch_progress_pkey PRIMARY KEY (organisation_id, batch_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER progress_done AFTER UPDATE ON batch_progress FOR EACH ROW WHEN ((new.queued = 0)) EXECUTE FUNCTION progress_done()
  CREATE TRIGGER reconcile_at_end AFTER UPDATE ON batch_progress FOR EACH ROW WHEN (((new.queued = 0) AND (old.queued > 0))) EXECUTE FUNCTION reconcile_at_end()
  CREATE TRIGGER tell_progress AFTER UPDATE ON batch_progress FOR EACH ROW EXECUTE FUNCTION tell_progress()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT UPDATE (queued, accepted, failed, pending, queued_minor, accepted_minor, failed_minor, updated_at) TO batchdesk_worker

TABLE batch_revision
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  revision smallint NOT NULL
  maker uuid
  content_sha256 bytea NOT NULL
  needs_decision boolean NOT NULL
  records integer NOT NULL
  amount_minor bigint NOT NULL
  created_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT batch_revision_content_sha256_check CHECK ((length(content_sha256) = 32))
  CONSTRAINT batch_revision_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT batch_revision_pkey PRIMARY KEY (organisation_id, batch_id, revision)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER revision_guard BEFORE INSERT ON batch_revision FOR EACH ROW EXECUTE FUNCTION revision_guard()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE batch_source
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  source_no integer NOT NULL
  file_name text COLLATE C NOT NULL
  sha256 bytea NOT NULL
  bytes bigint NOT NULL
  total integer
  created integer NOT NULL DEFAULT 0
  skipped integer NOT NULL DEFAULT 0
  failed integer NOT NULL DEFAULT 0
  CONSTRAINT batch_source_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT batch_source_pkey PRIMARY KEY (organisation_id, batch_id, source_no)
  CONSTRAINT batch_source_sha256_check CHECK ((length(sha256) = 32))
  CONSTRAINT handled CHECK (((LEAST(created, skipped, failed) >= 0) AND (((created + skipped) + failed) <= COALESCE(total, 0))))
  CREATE INDEX batch_source_by_file ON batch_source USING btree (organisation_id, sha256)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE chunk WITH (fillfactor=50)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  chunk_no integer NOT NULL
  revision smallint NOT NULL
  gateway_id uuid NOT NULL
  from_row integer NOT NULL
  to_row integer NOT NULL
  next_row integer NOT NULL
  size integer NOT NULL
  remaining integer NOT NULL
  state text NOT NULL DEFAULT 'HELD'::text
  epoch bigint NOT NULL DEFAULT 0
  owner uuid
  leased_at timestamp with time zone
  run_at timestamp with time zone NOT NULL DEFAULT 'infinity'::timestamp with time zone
  work text NOT NULL DEFAULT ''::text
  asked_to integer
  ask_after timestamp with time zone
  forgotten boolean NOT NULL DEFAULT false
  CONSTRAINT chunk_check CHECK (((from_row <= next_row) AND (next_row <= (to_row + 1)) AND (remaining >= 0) AND (remaining <= size) AND (state = ANY (ARRAY['HELD'::text, 'WAITING'::text, 'LEASED'::text, 'DONE'::text]))))
  CONSTRAINT chunk_organisation_id_batch_id_revision_fkey FOREIGN KEY (organisation_id, batch_id, revision) REFERENCES batch_revision(organisation_id, batch_id, revision)
  CONSTRAINT chunk_pkey PRIMARY KEY (organisation_id, batch_id, chunk_no)
  CREATE INDEX chunk_due ON chunk USING btree (organisation_id, gateway_id, work, run_at, batch_id, chunk_no) WHERE (state = ANY (ARRAY['WAITING'::text, 'LEASED'::text]))
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER chunk_asks BEFORE INSERT ON chunk FOR EACH ROW EXECUTE FUNCTION chunk_asks()
  CREATE TRIGGER chunk_work BEFORE INSERT ON chunk FOR EACH ROW EXECUTE FUNCTION chunk_work()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT SELECT (organisation_id, gateway_id, state, run_at, work) TO batchdesk_scheduler
  GRANT UPDATE (next_row, remaining, state, epoch, owner, leased_at, run_at, asked_to, ask_after, forgotten) TO batchdesk_worker

TABLE decision
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  revision smallint NOT NULL DEFAULT 1
  checker uuid DEFAULT current_person()
  verdict text NOT NULL
  content_sha256 bytea NOT NULL
  rule_version integer
  reason text
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  CONSTRAINT decision_check CHECK (((checker IS NULL) = (verdict = 'NOT_REQUIRED'::text)))
  CONSTRAINT decision_check1 CHECK (((verdict <> 'REJECT'::text) OR (length(btrim(COALESCE(reason, ''::text))) >= 1)))
  CONSTRAINT decision_organisation_id_batch_id_revision_fkey FOREIGN KEY (organisation_id, batch_id, revision) REFERENCES batch_revision(organisation_id, batch_id, revision)
  CONSTRAINT decision_pkey PRIMARY KEY (organisation_id, batch_id, revision)
  CONSTRAINT decision_reason_check CHECK ((length(reason) <= 500))
  CONSTRAINT decision_verdict_check CHECK ((verdict = ANY (ARRAY['APPROVE'::text, 'REJECT'::text, 'NOT_REQUIRED'::text])))
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER decision_guard BEFORE INSERT ON decision FOR EACH ROW EXECUTE FUNCTION decision_guard()
  CREATE TRIGGER tell_decision AFTER INSERT ON decision FOR EACH ROW WHEN ((new.verdict <> 'NOT_REQUIRED'::text)) EXECUTE FUNCTION tell_decision()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT INSERT (organisation_id, batch_id, revision, verdict, content_sha256, reason) TO batchdesk_web

TABLE draft
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  operation text NOT NULL
  person_id uuid NOT NULL DEFAULT current_person()
  description text NOT NULL DEFAULT ''::text
  options text NOT NULL DEFAULT ''::text
  file_name text NOT NULL DEFAULT ''::text
  file_sha256 bytea
  file_bytes bigint NOT NULL DEFAULT 0
  rows bigint NOT NULL DEFAULT 0
  findings text NOT NULL DEFAULT '[]'::text
  repeats text NOT NULL DEFAULT '[]'::text
  created_at timestamp with time zone NOT NULL
  expires_at timestamp with time zone NOT NULL
  CONSTRAINT draft_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT draft_pkey PRIMARY KEY (organisation_id, id)
  CREATE INDEX draft_by_expiry ON draft USING btree (organisation_id, expires_at)
  CREATE INDEX draft_by_file ON draft USING btree (organisation_id, file_sha256) WHERE (file_sha256 IS NOT NULL)
  CREATE INDEX draft_by_person ON draft USING btree (organisation_id, person_id, created_at, id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE, INSERT, SELECT TO batchdesk_web
  GRANT DELETE, SELECT TO batchdesk_worker
  GRANT UPDATE (description, file_name, file_sha256, file_bytes, rows, findings, repeats) TO batchdesk_web

TABLE evidence PARTITION BY RANGE (batch_id)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  id uuid NOT NULL
  from_row integer NOT NULL
  to_row integer NOT NULL
  chunk_no integer
  epoch bigint
  source text NOT NULL
  fenced boolean NOT NULL
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  replies text NOT NULL
  CONSTRAINT evidence_pkey PRIMARY KEY (organisation_id, batch_id, from_row, id)
  CONSTRAINT evidence_source_check CHECK ((source = ANY (ARRAY['SEND'::text, 'QUERY'::text, 'WEBHOOK'::text, 'RECONCILE'::text, 'DELIVERY'::text, 'PEOPLE'::text])))
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE evidence_leaf PARTITION OF evidence FOR VALUES FROM (MINVALUE) TO (MAXVALUE)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  id uuid NOT NULL
  from_row integer NOT NULL
  to_row integer NOT NULL
  chunk_no integer
  epoch bigint
  source text NOT NULL
  fenced boolean NOT NULL
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  replies text NOT NULL
  CONSTRAINT evidence_leaf_pkey PRIMARY KEY (organisation_id, batch_id, from_row, id)
  CONSTRAINT evidence_source_check CHECK ((source = ANY (ARRAY['SEND'::text, 'QUERY'::text, 'WEBHOOK'::text, 'RECONCILE'::text, 'DELIVERY'::text, 'PEOPLE'::text])))
  NO RIGHT FOR ITS OWNER

TABLE external_system
  organisation_id uuid NOT NULL
  url text NOT NULL
  sealed_secret bytea NOT NULL
  enabled boolean NOT NULL DEFAULT true
  created_at timestamp with time zone NOT NULL DEFAULT now()
  updated_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT external_system_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT external_system_pkey PRIMARY KEY (organisation_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT UPDATE (url, sealed_secret, enabled, updated_at) TO batchdesk_web

TABLE file
  organisation_id uuid NOT NULL
  sha256 bytea NOT NULL
  bytes bytea
  created_at timestamp with time zone NOT NULL DEFAULT now()
  length bigint
  object_id uuid
  CONSTRAINT file_length_check CHECK ((length >= 0))
  CONSTRAINT file_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT file_pkey PRIMARY KEY (organisation_id, sha256)
  CONSTRAINT file_sha256_check CHECK ((length(sha256) = 32))
  CONSTRAINT kept_once CHECK (((object_id IS NULL) OR ((bytes IS NULL) AND (length IS NOT NULL))))
  CREATE INDEX file_by_object ON file USING btree (organisation_id, object_id) WHERE (object_id IS NOT NULL)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE TO batchdesk_worker
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT (organisation_id, sha256, bytes, created_at, length, object_id) TO batchdesk_worker
  GRANT UPDATE (created_at) TO batchdesk_web

TABLE file_part
  organisation_id uuid NOT NULL
  sha256 bytea NOT NULL
  part_no integer NOT NULL
  bytes bytea NOT NULL
  CONSTRAINT file_part_bytes_check CHECK (((length(bytes) >= 1) AND (length(bytes) <= 1048576)))
  CONSTRAINT file_part_organisation_id_sha256_fkey FOREIGN KEY (organisation_id, sha256) REFERENCES file(organisation_id, sha256) ON DELETE CASCADE
  CONSTRAINT file_part_part_no_check CHECK ((part_no > 0))
  CONSTRAINT file_part_pkey PRIMARY KEY (organisation_id, sha256, part_no)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE function_file
  name text NOT NULL
  sha256 bytea NOT NULL
  CONSTRAINT function_file_pkey PRIMARY KEY (name)
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE gateway
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  connector text NOT NULL
  base_url text NOT NULL
  merchant_id text NOT NULL
  sealed_key bytea NOT NULL
  balances boolean NOT NULL DEFAULT true
  preflight boolean NOT NULL DEFAULT true
  concurrency integer
  rate_limit integer
  rate_burst integer
  sandbox boolean NOT NULL DEFAULT false
  sending boolean NOT NULL DEFAULT true
  stopped_at timestamp with time zone
  stopped_reason text
  paused_by uuid
  created_at timestamp with time zone NOT NULL DEFAULT now()
  updated_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT burst_of_a_limit CHECK (((rate_burst IS NULL) OR (rate_limit IS NOT NULL)))
  CONSTRAINT gateway_account UNIQUE (organisation_id, connector, merchant_id, sandbox)
  CONSTRAINT gateway_concurrency_check CHECK (((concurrency >= 1) AND (concurrency <= 1000)))
  CONSTRAINT gateway_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT gateway_paused_by_fkey FOREIGN KEY (paused_by) REFERENCES person(id)
  CONSTRAINT gateway_pkey PRIMARY KEY (organisation_id, id)
  CONSTRAINT gateway_rate_burst_check CHECK (((rate_burst >= 1) AND (rate_burst <= 10000)))
  CONSTRAINT gateway_rate_limit_check CHECK (((rate_limit >= 1) AND (rate_limit <= 10000)))
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER account_guard BEFORE UPDATE OF base_url, merchant_id, sandbox, connector ON gateway FOR EACH ROW EXECUTE FUNCTION account_guard()
  CREATE TRIGGER forget_promises AFTER UPDATE OF base_url, merchant_id ON gateway FOR EACH ROW WHEN (((new.base_url IS DISTINCT FROM old.base_url) OR (new.merchant_id IS DISTINCT FROM old.merchant_id))) EXECUTE FUNCTION forget_promises()
  CREATE TRIGGER switch_guard BEFORE UPDATE OF sending ON gateway FOR EACH STATEMENT EXECUTE FUNCTION switch_guard()
  CREATE TRIGGER tell_stop AFTER UPDATE OF sending ON gateway FOR EACH ROW WHEN ((old.sending IS DISTINCT FROM new.sending)) EXECUTE FUNCTION tell_stop()
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT SELECT (organisation_id, id, sending) TO batchdesk_scheduler
  GRANT UPDATE (base_url, merchant_id, sealed_key, balances, preflight, concurrency, rate_limit, rate_burst, sandbox, sending, stopped_at, stopped_reason, paused_by, updated_at) TO batchdesk_web

TABLE gateway_capability
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  gateway_id uuid NOT NULL
  at timestamp with time zone NOT NULL
  actor text NOT NULL
  measured boolean NOT NULL
  base_url text NOT NULL
  merchant_id text NOT NULL
  effect text NOT NULL
  class "char" NOT NULL
  key_window interval
  order_id text COLLATE C
  evidence text NOT NULL DEFAULT '[]'::text
  CONSTRAINT gateway_capability_check CHECK (((class <> 'K'::"char") OR (key_window IS NOT NULL)))
  CONSTRAINT gateway_capability_class_check CHECK ((class = ANY (ARRAY['K'::"char", 'Q'::"char", 'N'::"char"])))
  CONSTRAINT gateway_capability_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT gateway_capability_pkey PRIMARY KEY (organisation_id, id)
  CREATE INDEX gateway_capability_newest ON gateway_capability USING btree (organisation_id, gateway_id, id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web

TABLE gateway_choice
  organisation_id uuid NOT NULL
  effect text NOT NULL
  gateway_id uuid NOT NULL
  chosen_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT gateway_choice_effect_check CHECK ((effect = ANY (ARRAY['refund'::text, 'payment_initiation'::text, 'payment_initiation_refund'::text, 'payment_request'::text])))
  CONSTRAINT gateway_choice_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT gateway_choice_pkey PRIMARY KEY (organisation_id, effect)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT UPDATE (gateway_id, chosen_at) TO batchdesk_web

TABLE gateway_finished
  organisation_id uuid NOT NULL
  gateway_id uuid NOT NULL
  worker uuid NOT NULL
  slot timestamp with time zone NOT NULL
  finished integer NOT NULL
  CONSTRAINT gateway_finished_finished_check CHECK ((finished >= 0))
  CONSTRAINT gateway_finished_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT gateway_finished_pkey PRIMARY KEY (organisation_id, gateway_id, worker, slot)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE, INSERT, SELECT, UPDATE TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE gateway_pause
  organisation_id uuid NOT NULL
  gateway_id uuid NOT NULL
  since timestamp with time zone NOT NULL DEFAULT now()
  until timestamp with time zone NOT NULL
  http smallint NOT NULL
  CONSTRAINT gateway_pause_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT gateway_pause_pkey PRIMARY KEY (organisation_id, gateway_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE, INSERT, SELECT, UPDATE TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE gateway_promise
  organisation_id uuid NOT NULL
  gateway_id uuid NOT NULL
  effect text NOT NULL
  class "char" NOT NULL
  key_window interval
  evidence uuid NOT NULL
  CONSTRAINT gateway_promise_check CHECK (((class <> 'K'::"char") OR (key_window IS NOT NULL)))
  CONSTRAINT gateway_promise_class_check CHECK ((class = ANY (ARRAY['K'::"char", 'Q'::"char", 'N'::"char"])))
  CONSTRAINT gateway_promise_effect_check CHECK ((effect = ANY (ARRAY['refund'::text, 'payment_initiation'::text, 'payment_initiation_refund'::text, 'payment_request'::text])))
  CONSTRAINT gateway_promise_organisation_id_evidence_fkey FOREIGN KEY (organisation_id, evidence) REFERENCES gateway_capability(organisation_id, id)
  CONSTRAINT gateway_promise_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT gateway_promise_pkey PRIMARY KEY (organisation_id, gateway_id, effect)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT UPDATE (class, key_window, evidence) TO batchdesk_web

TABLE gateway_trouble
  organisation_id uuid NOT NULL
  gateway_id uuid NOT NULL
  since timestamp with time zone NOT NULL DEFAULT now()
  until timestamp with time zone NOT NULL
  reason text NOT NULL
  CONSTRAINT gateway_trouble_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT gateway_trouble_pkey PRIMARY KEY (organisation_id, gateway_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE, INSERT, SELECT, UPDATE TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE gateway_worker
  organisation_id uuid NOT NULL
  gateway_id uuid NOT NULL
  worker uuid NOT NULL
  joined_at timestamp with time zone NOT NULL
  seen_at timestamp with time zone NOT NULL
  until timestamp with time zone NOT NULL
  CONSTRAINT gateway_worker_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT gateway_worker_pkey PRIMARY KEY (organisation_id, gateway_id, worker)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE, INSERT, SELECT, UPDATE TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE import_run WITH (fillfactor=50)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  phase text NOT NULL DEFAULT 'check'::text
  source_no integer NOT NULL DEFAULT 1
  byte_offset bigint NOT NULL DEFAULT 0
  lease_until timestamp with time zone NOT NULL DEFAULT now()
  epoch bigint NOT NULL DEFAULT 0
  CONSTRAINT import_run_check CHECK (((source_no > 0) AND (byte_offset >= 0)))
  CONSTRAINT import_run_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT import_run_phase_check CHECK ((phase = ANY (ARRAY['check'::text, 'store'::text, 'done'::text])))
  CONSTRAINT import_run_pkey PRIMARY KEY (organisation_id, batch_id)
  CREATE INDEX import_due ON import_run USING btree (organisation_id, lease_until) WHERE (phase <> 'done'::text)
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT SELECT (organisation_id, phase, lease_until) TO batchdesk_scheduler
  GRANT UPDATE (lease_until, epoch) TO batchdesk_worker

VIEW import_task WITH (security_invoker=true)
  organisation_id uuid
  batch_id uuid
  row_no integer
  sheet_row integer
  revision smallint
  order_id text COLLATE C
  amount_minor bigint
  gateway_key text COLLATE C
  unique_id text COLLATE C
  txn_id text COLLATE C
  extra text
  state text
  status text
  code text COLLATE C
  message text
  gw_ref text
  gateway_status text
  gateway_kind text
  response text
  attempts smallint
  updated_at timestamp with time zone
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE installation
  one boolean NOT NULL DEFAULT true
  system text
  CONSTRAINT installation_one_check CHECK (one)
  CONSTRAINT installation_pkey PRIMARY KEY (one)
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT INSERT (system) TO batchdesk_worker
  GRANT UPDATE (system) TO batchdesk_worker

TABLE mark
  number bigint NOT NULL GENERATED ALWAYS AS IDENTITY
  token uuid NOT NULL DEFAULT gen_random_uuid()
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  CONSTRAINT mark_pkey PRIMARY KEY (number)
  CREATE INDEX mark_by_time ON mark USING btree (at)
  GRANT DELETE, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web
  GRANT INSERT (token, at) TO batchdesk_worker

TABLE membership
  organisation_id uuid NOT NULL
  person_id uuid NOT NULL
  role_id uuid NOT NULL
  created_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT membership_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT membership_organisation_id_role_id_fkey FOREIGN KEY (organisation_id, role_id) REFERENCES role(organisation_id, id)
  CONSTRAINT membership_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id)
  CONSTRAINT membership_pkey PRIMARY KEY (organisation_id, person_id, role_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web

TABLE notice
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
  at timestamp with time zone NOT NULL
  read_at timestamp with time zone
  organisation_id uuid NOT NULL
  person_id uuid NOT NULL
  batch_id uuid
  change_id uuid
  amount_minor bigint NOT NULL DEFAULT 0
  tasks integer NOT NULL DEFAULT 0
  kind text NOT NULL
  payload jsonb NOT NULL
  CONSTRAINT notice_pkey PRIMARY KEY (organisation_id, id)
  CREATE INDEX notice_of_person ON notice USING btree (organisation_id, person_id, at DESC, id DESC)
  CREATE UNIQUE INDEX notice_unread ON notice USING btree (organisation_id, person_id, kind, batch_id, change_id) NULLS NOT DISTINCT WHERE (read_at IS NULL)
  ROW LEVEL SECURITY FORCED
  POLICY own RESTRICTIVE FOR ALL TO batchdesk_web USING (person_id = ( SELECT current_person() AS current_person))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT UPDATE (read_at) TO batchdesk_web

TABLE open_task WITH (fillfactor=70)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  revision smallint NOT NULL
  gateway_id uuid NOT NULL
  state text NOT NULL
  epoch bigint NOT NULL DEFAULT 0
  owner uuid
  leased_at timestamp with time zone
  run_at timestamp with time zone NOT NULL
  attempts smallint NOT NULL
  queries smallint NOT NULL DEFAULT 0
  first_sent_at timestamp with time zone NOT NULL
  last_sent_at timestamp with time zone NOT NULL
  gw_ref text COLLATE C
  gateway_status text
  gateway_kind text
  code text COLLATE C
  message text
  updated_at timestamp with time zone NOT NULL DEFAULT now()
  reviewed boolean NOT NULL DEFAULT false
  CONSTRAINT open_task_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision)
  CONSTRAINT open_task_state_check CHECK ((state = ANY (ARRAY['RETRY'::text, 'SENDING'::text, 'UNKNOWN'::text, 'PENDING'::text, 'REVIEW'::text])))
  CREATE INDEX open_task_due ON open_task USING btree (organisation_id, gateway_id, run_at) WHERE (state <> 'REVIEW'::text)
  CREATE INDEX open_task_review ON open_task USING btree (organisation_id, batch_id, row_no) WHERE ((state = 'REVIEW'::text) OR (gateway_status = 'MANUAL_REVIEW'::text))
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER open_task_guard AFTER INSERT ON open_task REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION open_task_guard()
  CREATE TRIGGER tell_failed_late AFTER DELETE ON open_task FOR EACH ROW WHEN ((old.state = 'PENDING'::text)) EXECUTE FUNCTION tell_failed_late()
  CREATE TRIGGER tell_moved AFTER UPDATE ON open_task REFERENCING OLD TABLE AS was NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_moved()
  CREATE TRIGGER tell_opened AFTER INSERT ON open_task REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_opened()
  CREATE TRIGGER tell_review_moved AFTER UPDATE OF state ON open_task FOR EACH ROW WHEN (((new.state = 'REVIEW'::text) AND (old.state <> 'REVIEW'::text))) EXECUTE FUNCTION tell_review()
  CREATE TRIGGER tell_review_opened AFTER INSERT ON open_task FOR EACH ROW WHEN ((new.state = 'REVIEW'::text)) EXECUTE FUNCTION tell_review()
  CREATE TRIGGER tell_review_taken AFTER UPDATE ON open_task FOR EACH ROW WHEN (((new.state = 'PENDING'::text) AND (new.gateway_status = 'MANUAL_REVIEW'::text) AND (old.gateway_status IS DISTINCT FROM 'MANUAL_REVIEW'::text))) EXECUTE FUNCTION tell_review()
  GRANT DELETE, INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web
  GRANT SELECT (organisation_id, gateway_id, state, run_at) TO batchdesk_scheduler
  GRANT UPDATE (state, epoch, owner, leased_at, run_at, queries, gw_ref, gateway_status, gateway_kind, code, message, updated_at) TO batchdesk_worker

TABLE operation
  code text NOT NULL
  work text NOT NULL
  moves_money boolean NOT NULL
  needs_decision boolean NOT NULL
  reconciles boolean NOT NULL
  effect text
  takes_from_orders boolean NOT NULL
  CONSTRAINT operation_check CHECK (((work <> 'import'::text) OR (NOT (moves_money OR needs_decision OR reconciles))))
  CONSTRAINT operation_code_work_key UNIQUE (code, work)
  CONSTRAINT operation_effect_check CHECK ((effect = ANY (ARRAY['refund'::text, 'payment_initiation'::text, 'payment_initiation_refund'::text, 'payment_request'::text])))
  CONSTRAINT operation_pkey PRIMARY KEY (code)
  CONSTRAINT operation_work_check CHECK ((work = ANY (ARRAY['send'::text, 'query'::text, 'import'::text])))
  CONSTRAINT sent_as CHECK ((((work = 'send'::text) = (effect IS NOT NULL)) AND ((work = 'send'::text) OR (NOT takes_from_orders))))
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE order_balance WITH (fillfactor=90)
  captured_minor bigint
  committed_minor bigint NOT NULL
  outside_minor bigint NOT NULL DEFAULT 0
  organisation_id uuid NOT NULL
  order_id text COLLATE C NOT NULL
  currency character(3) NOT NULL
  CONSTRAINT order_balance_check CHECK ((LEAST(committed_minor, outside_minor) >= 0))
  CONSTRAINT order_balance_pkey PRIMARY KEY (organisation_id, order_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web
  GRANT UPDATE (captured_minor, committed_minor, outside_minor) TO batchdesk_worker

TABLE order_seen
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  order_id text COLLATE C NOT NULL
  known boolean NOT NULL
  charged boolean NOT NULL
  status text
  amount_minor bigint
  currency character(3)
  refundable_minor bigint
  refunded_minor bigint
  transactions text[] NOT NULL DEFAULT '{}'::text[]
  body text
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  CONSTRAINT order_seen_pkey PRIMARY KEY (organisation_id, batch_id, order_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE, INSERT, SELECT, UPDATE TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE order_task WITH (fillfactor=70)
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  gateway_id uuid NOT NULL
  asks boolean NOT NULL
  status text NOT NULL DEFAULT 'QUEUED'::text
  gateway_status text
  response text
  code text COLLATE C
  message text
  delivered_sha256 bytea
  tries smallint NOT NULL DEFAULT 0
  asked_at timestamp with time zone NOT NULL DEFAULT now()
  epoch bigint NOT NULL DEFAULT 0
  owner uuid
  run_at timestamp with time zone
  updated_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT order_task_delivered_sha256_check CHECK ((length(delivered_sha256) = 32))
  CONSTRAINT order_task_gateway_status_check CHECK ((gateway_status = ANY (ARRAY['SYNCED'::text, 'FAILED'::text, 'NOT REQUESTED'::text])))
  CONSTRAINT order_task_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT order_task_pkey PRIMARY KEY (organisation_id, batch_id, row_no)
  CONSTRAINT order_task_status_check CHECK ((status = ANY (ARRAY['QUEUED'::text, 'ACCEPTED'::text, 'FAILED'::text])))
  CONSTRAINT queued_is_due CHECK (((status <> 'QUEUED'::text) OR (run_at IS NOT NULL)))
  CREATE INDEX order_task_due ON order_task USING btree (organisation_id, gateway_id, run_at, batch_id, row_no) WHERE (run_at IS NOT NULL)
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER tell_orders AFTER UPDATE ON order_task REFERENCING OLD TABLE AS was NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_orders()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT SELECT (organisation_id, gateway_id, run_at) TO batchdesk_scheduler
  GRANT UPDATE (status, gateway_status, response, code, message, delivered_sha256, tries, epoch, owner, run_at, updated_at) TO batchdesk_worker

TABLE organisation
  id uuid NOT NULL
  name text NOT NULL
  currency character(3) NOT NULL DEFAULT 'INR'::bpchar
  zone text NOT NULL DEFAULT 'Asia/Kolkata'::text
  row_limit integer NOT NULL DEFAULT 1000
  approval_days integer NOT NULL DEFAULT 7
  sending boolean NOT NULL DEFAULT true
  stopped_at timestamp with time zone
  stopped_reason text
  paused_by uuid
  created_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT organisation_approval_days_check CHECK (((approval_days >= 1) AND (approval_days <= 90)))
  CONSTRAINT organisation_paused_by_fkey FOREIGN KEY (paused_by) REFERENCES person(id)
  CONSTRAINT organisation_pkey PRIMARY KEY (id)
  CONSTRAINT organisation_row_limit_check CHECK (((row_limit >= 1) AND (row_limit <= 100000)))
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER switch_guard BEFORE UPDATE OF sending ON organisation FOR EACH STATEMENT EXECUTE FUNCTION switch_guard()
  CREATE TRIGGER tell_stop AFTER UPDATE OF sending ON organisation FOR EACH ROW WHEN ((old.sending IS DISTINCT FROM new.sending)) EXECUTE FUNCTION tell_stop()
  GRANT INSERT, SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT SELECT (id, zone, sending) TO batchdesk_scheduler
  GRANT UPDATE (row_limit, approval_days, sending, stopped_at, stopped_reason, paused_by) TO batchdesk_web

TABLE organisation_name
  name text NOT NULL
  organisation_id uuid NOT NULL
  CONSTRAINT organisation_name_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT organisation_name_pkey PRIMARY KEY (name)
  GRANT INSERT, SELECT TO batchdesk_web

TABLE outbox WITH (autovacuum_vacuum_scale_factor=0.05)
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
  at timestamp with time zone NOT NULL DEFAULT now()
  delivered_at timestamp with time zone
  organisation_id uuid NOT NULL
  batch_id uuid
  change_id uuid
  kind text NOT NULL
  audience text NOT NULL DEFAULT 'pages'::text
  payload jsonb NOT NULL DEFAULT '{}'::jsonb
  CONSTRAINT outbox_audience_check CHECK ((audience = ANY (ARRAY['pages'::text, 'maker'::text, 'maker_and_checker'::text, 'settings'::text, 'settings_and_checkers'::text])))
  CONSTRAINT outbox_payload_check CHECK ((jsonb_typeof(payload) = 'object'::text))
  CONSTRAINT outbox_pkey PRIMARY KEY (organisation_id, id)
  CREATE INDEX outbox_waiting ON outbox USING btree (organisation_id, id) WHERE (delivered_at IS NULL)
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT (organisation_id, batch_id, kind, audience, payload) TO batchdesk_web
  GRANT INSERT (organisation_id, batch_id, kind, audience, payload) TO batchdesk_worker
  GRANT SELECT (delivered_at, organisation_id) TO batchdesk_scheduler

TABLE outcome PARTITION BY RANGE (batch_id)
  at timestamp with time zone NOT NULL DEFAULT now()
  row_no integer NOT NULL
  revision smallint NOT NULL
  attempts smallint NOT NULL
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  http smallint
  succeeded boolean NOT NULL
  gw_ref text COLLATE C
  gateway_status text
  gateway_kind text
  code text COLLATE C
  message text
  CONSTRAINT outcome_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision)
  CREATE INDEX outcome_failed ON ONLY outcome USING btree (organisation_id, batch_id, row_no) WHERE (NOT succeeded)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER outcome_guard AFTER INSERT ON outcome REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION outcome_guard()
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE outcome_leaf PARTITION OF outcome FOR VALUES FROM (MINVALUE) TO (MAXVALUE)
  at timestamp with time zone NOT NULL DEFAULT now()
  row_no integer NOT NULL
  revision smallint NOT NULL
  attempts smallint NOT NULL
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  http smallint
  succeeded boolean NOT NULL
  gw_ref text COLLATE C
  gateway_status text
  gateway_kind text
  code text COLLATE C
  message text
  CONSTRAINT outcome_leaf_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision)
  CREATE INDEX outcome_leaf_organisation_id_batch_id_row_no_idx ON outcome_leaf USING btree (organisation_id, batch_id, row_no) WHERE (NOT succeeded)
  NO RIGHT FOR ITS OWNER

TABLE person
  id uuid NOT NULL
  email text NOT NULL
  password_hash text NOT NULL
  sessions_since timestamp with time zone NOT NULL
  created_at timestamp with time zone NOT NULL
  CONSTRAINT person_email_check CHECK ((email = lower(email)))
  CONSTRAINT person_email_key UNIQUE (email)
  CONSTRAINT person_pkey PRIMARY KEY (id)
  GRANT INSERT, SELECT, UPDATE TO batchdesk_web
  GRANT SELECT (id, email) TO batchdesk_worker

TABLE person_organisation
  person_id uuid NOT NULL
  organisation_id uuid NOT NULL
  CONSTRAINT person_organisation_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT person_organisation_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id)
  CONSTRAINT person_organisation_pkey PRIMARY KEY (person_id, organisation_id)
  GRANT INSERT, SELECT TO batchdesk_web

TABLE recheck
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  revision smallint NOT NULL
  gateway_id uuid NOT NULL
  run_at timestamp with time zone NOT NULL DEFAULT now()
  tries smallint NOT NULL DEFAULT 0
  CONSTRAINT recheck_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision)
  CREATE INDEX recheck_due ON recheck USING btree (organisation_id, gateway_id, run_at)
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE, INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web
  GRANT SELECT (organisation_id, gateway_id, run_at) TO batchdesk_scheduler
  GRANT UPDATE (run_at, tries) TO batchdesk_worker

TABLE reconciliation
  organisation_id uuid NOT NULL
  id uuid NOT NULL DEFAULT gen_random_uuid()
  batch_id uuid NOT NULL
  gateway_id uuid NOT NULL
  cause text NOT NULL
  next_row integer NOT NULL DEFAULT 1
  run_at timestamp with time zone NOT NULL
  owner uuid
  epoch bigint NOT NULL DEFAULT 0
  tries smallint NOT NULL DEFAULT 0
  orders integer NOT NULL DEFAULT 0
  unread integer NOT NULL DEFAULT 0
  entries integer NOT NULL DEFAULT 0
  records integer
  agreed integer
  open integer
  result text
  created_at timestamp with time zone NOT NULL DEFAULT now()
  finished_at timestamp with time zone
  CONSTRAINT reconciliation_cause_check CHECK ((cause = ANY (ARRAY['END'::text, 'NIGHT'::text])))
  CONSTRAINT reconciliation_check CHECK (((finished_at IS NULL) = (result IS NULL)))
  CONSTRAINT reconciliation_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT reconciliation_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT reconciliation_pkey PRIMARY KEY (organisation_id, id)
  CONSTRAINT reconciliation_result_check CHECK ((result = ANY (ARRAY['DONE'::text, 'CANNOT_LIST'::text])))
  CREATE INDEX reconciliation_due ON reconciliation USING btree (organisation_id, gateway_id, run_at) WHERE (finished_at IS NULL)
  CREATE INDEX reconciliation_last ON reconciliation USING btree (organisation_id, batch_id, finished_at)
  CREATE UNIQUE INDEX reconciliation_one ON reconciliation USING btree (organisation_id, batch_id) WHERE (finished_at IS NULL)
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web
  GRANT SELECT (organisation_id, gateway_id, run_at, finished_at) TO batchdesk_scheduler
  GRANT UPDATE (next_row, run_at, owner, epoch, tries, orders, unread, entries, records, agreed, open, result, finished_at) TO batchdesk_worker

TABLE reconciliation_difference
  organisation_id uuid NOT NULL
  reconciliation_id uuid NOT NULL
  id uuid NOT NULL DEFAULT gen_random_uuid()
  batch_id uuid NOT NULL
  row_no integer
  revision smallint
  kind text NOT NULL
  order_id text COLLATE C NOT NULL
  gateway_key text COLLATE C
  ours text
  ours_minor bigint
  theirs text
  theirs_minor bigint
  gw_ref text COLLATE C
  reversed boolean NOT NULL DEFAULT false
  CONSTRAINT reconciliation_difference_kind_check CHECK ((kind = ANY (ARRAY['missing'::text, 'extra'::text, 'amount'::text, 'status'::text, 'outside'::text, 'unread'::text])))
  CONSTRAINT reconciliation_difference_organisation_id_reconciliation_i_fkey FOREIGN KEY (organisation_id, reconciliation_id) REFERENCES reconciliation(organisation_id, id)
  CONSTRAINT reconciliation_difference_pkey PRIMARY KEY (organisation_id, reconciliation_id, id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE reconciliation_night
  organisation_id uuid NOT NULL
  night timestamp with time zone NOT NULL
  CONSTRAINT reconciliation_night_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT reconciliation_night_pkey PRIMARY KEY (organisation_id)
  ROW LEVEL SECURITY FORCED
  POLICY lanes PERMISSIVE FOR SELECT TO batchdesk_scheduler USING ( SELECT (CURRENT_USER = 'batchdesk_scheduler'::name))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_scheduler
  GRANT UPDATE (night) TO batchdesk_worker

TABLE record PARTITION BY RANGE (batch_id)
  amount_minor bigint NOT NULL
  row_no integer NOT NULL
  sheet_row integer NOT NULL
  revision smallint NOT NULL DEFAULT 1
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  gateway_key text COLLATE C NOT NULL
  order_id text COLLATE C NOT NULL
  unique_id text COLLATE C
  txn_id text COLLATE C
  request_sha256 bytea NOT NULL
  extra text
  CONSTRAINT money_has_a_key CHECK ((((amount_minor > 0) AND (gateway_key <> ''::text)) OR ((amount_minor = 0) AND (gateway_key = ''::text))))
  CONSTRAINT record_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision)
  CONSTRAINT record_row_no_check CHECK ((row_no > 0))
  CONSTRAINT record_sheet_row_check CHECK ((sheet_row > 0))
  CREATE INDEX record_by_key ON ONLY record USING btree (organisation_id, gateway_key)
  CREATE INDEX record_by_order ON ONLY record USING btree (organisation_id, order_id)
  CREATE INDEX record_by_txn ON ONLY record USING btree (organisation_id, txn_id) WHERE (txn_id IS NOT NULL)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE record_leaf PARTITION OF record FOR VALUES FROM (MINVALUE) TO (MAXVALUE)
  amount_minor bigint NOT NULL
  row_no integer NOT NULL
  sheet_row integer NOT NULL
  revision smallint NOT NULL DEFAULT 1
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  gateway_key text COLLATE C NOT NULL
  order_id text COLLATE C NOT NULL
  unique_id text COLLATE C
  txn_id text COLLATE C
  request_sha256 bytea NOT NULL
  extra text
  CONSTRAINT money_has_a_key CHECK ((((amount_minor > 0) AND (gateway_key <> ''::text)) OR ((amount_minor = 0) AND (gateway_key = ''::text))))
  CONSTRAINT record_leaf_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision)
  CONSTRAINT record_row_no_check CHECK ((row_no > 0))
  CONSTRAINT record_sheet_row_check CHECK ((sheet_row > 0))
  CREATE INDEX record_leaf_by_key ON record_leaf USING btree (organisation_id, gateway_key)
  CREATE INDEX record_leaf_by_order ON record_leaf USING btree (organisation_id, order_id)
  CREATE INDEX record_leaf_by_txn ON record_leaf USING btree (organisation_id, txn_id) WHERE (txn_id IS NOT NULL)
  CREATE TRIGGER record_leaf_guard AFTER INSERT ON record_leaf REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION record_leaf_guard()
  GRANT INSERT TO batchdesk_web
  GRANT INSERT TO batchdesk_worker
  NO RIGHT FOR ITS OWNER

TABLE restore
  number integer NOT NULL GENERATED ALWAYS AS IDENTITY
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  ask_after timestamp with time zone NOT NULL
  done_at timestamp with time zone
  CONSTRAINT restore_pkey PRIMARY KEY (number)
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker
  GRANT INSERT (ask_after) TO batchdesk_worker
  GRANT UPDATE (done_at) TO batchdesk_worker

TABLE retention_run
  organisation_id uuid NOT NULL
  at timestamp with time zone NOT NULL
  CONSTRAINT retention_run_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT retention_run_pkey PRIMARY KEY (organisation_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT UPDATE (at) TO batchdesk_worker

TABLE retry_draft
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  person_id uuid NOT NULL DEFAULT current_person()
  row_no integer NOT NULL
  revision smallint NOT NULL
  take boolean NOT NULL
  cells text
  updated_at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT retry_draft_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT retry_draft_pkey PRIMARY KEY (organisation_id, batch_id, person_id, row_no)
  ROW LEVEL SECURITY FORCED
  POLICY own RESTRICTIVE FOR ALL TO batchdesk_web USING (person_id = ( SELECT current_person() AS current_person)) WITH CHECK (person_id = ( SELECT current_person() AS current_person))
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT DELETE TO batchdesk_worker
  GRANT DELETE, SELECT TO batchdesk_web
  GRANT INSERT (organisation_id, batch_id, row_no, revision, take, cells) TO batchdesk_web
  GRANT SELECT (organisation_id, updated_at) TO batchdesk_worker
  GRANT UPDATE (revision, take, cells, updated_at) TO batchdesk_web

TABLE reversal
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  revision smallint NOT NULL
  succeeded boolean NOT NULL
  gw_ref text COLLATE C
  gateway_status text
  code text COLLATE C NOT NULL
  message text
  at timestamp with time zone NOT NULL DEFAULT now()
  CONSTRAINT reversal_organisation_id_batch_id_row_no_revision_fkey FOREIGN KEY (organisation_id, batch_id, row_no, revision) REFERENCES outcome(organisation_id, batch_id, row_no, revision)
  CONSTRAINT reversal_organisation_id_batch_id_row_no_revision_fkey1 FOREIGN KEY (organisation_id, batch_id, row_no, revision) REFERENCES outcome_leaf(organisation_id, batch_id, row_no, revision)
  CONSTRAINT reversal_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER reversal_is_reviewed AFTER INSERT ON reversal FOR EACH ROW EXECUTE FUNCTION reversal_is_reviewed()
  CREATE TRIGGER tell_reversal AFTER INSERT ON reversal FOR EACH ROW EXECUTE FUNCTION tell_reversal()
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE review_acknowledgement
  organisation_id uuid NOT NULL
  entry_id uuid NOT NULL
  person_id uuid NOT NULL DEFAULT current_person()
  note text NOT NULL
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  CONSTRAINT review_acknowledgement_note_check CHECK (((length(btrim(note)) >= 1) AND (length(btrim(note)) <= 500)))
  CONSTRAINT review_acknowledgement_organisation_id_entry_id_fkey FOREIGN KEY (organisation_id, entry_id) REFERENCES review_entry(organisation_id, id)
  CONSTRAINT review_acknowledgement_pkey PRIMARY KEY (organisation_id, entry_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT INSERT (organisation_id, entry_id, note) TO batchdesk_web

TABLE review_confirmation
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  revision smallint NOT NULL
  n smallint NOT NULL
  confirmer uuid NOT NULL DEFAULT current_person()
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  verdict text NOT NULL DEFAULT 'CONFIRM'::text
  note text
  CONSTRAINT note_given CHECK (((verdict <> 'REJECT'::text) OR (length(btrim(COALESCE(note, ''::text))) >= 1)))
  CONSTRAINT review_confirmation_note_check CHECK ((length(note) <= 500))
  CONSTRAINT review_confirmation_organisation_id_batch_id_row_no_revisi_fkey FOREIGN KEY (organisation_id, batch_id, row_no, revision, n) REFERENCES review_proposal(organisation_id, batch_id, row_no, revision, n)
  CONSTRAINT review_confirmation_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision, n)
  CONSTRAINT review_confirmation_verdict_check CHECK ((verdict = ANY (ARRAY['CONFIRM'::text, 'REJECT'::text, 'WITHDRAW'::text])))
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER confirmation_guard BEFORE INSERT ON review_confirmation FOR EACH ROW EXECUTE FUNCTION confirmation_guard()
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE review_entry
  organisation_id uuid NOT NULL
  id uuid NOT NULL DEFAULT gen_random_uuid()
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  revision smallint NOT NULL
  kind text NOT NULL
  order_id text COLLATE C NOT NULL
  gateway_key text COLLATE C NOT NULL
  ours text NOT NULL
  ours_minor bigint NOT NULL
  theirs text
  theirs_minor bigint
  gw_ref text COLLATE C
  since timestamp with time zone
  fact text NOT NULL
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  CONSTRAINT review_entry_kind_check CHECK ((kind = ANY (ARRAY['done_after_failure'::text, 'failed_after_success'::text, 'missing'::text, 'extra'::text, 'amount'::text, 'status'::text])))
  CONSTRAINT review_entry_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT review_entry_organisation_id_batch_id_row_no_revision_fact_key UNIQUE (organisation_id, batch_id, row_no, revision, fact)
  CONSTRAINT review_entry_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT review_entry_pkey PRIMARY KEY (organisation_id, id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE review_proposal
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  revision smallint NOT NULL
  n smallint NOT NULL
  proposer uuid NOT NULL DEFAULT current_person()
  verdict text NOT NULL
  gw_ref text
  reason text NOT NULL
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
  seen text NOT NULL DEFAULT ''::text
  CONSTRAINT reason_given CHECK (((length(btrim(reason)) >= 1) AND (length(btrim(reason)) <= 500)))
  CONSTRAINT reference_given CHECK (
CASE
    WHEN (verdict = 'DONE'::text) THEN ((gw_ref IS NOT NULL) AND ((length(gw_ref) >= 1) AND (length(gw_ref) <= 128)))
    ELSE (gw_ref IS NULL)
END)
  CONSTRAINT review_proposal_pkey PRIMARY KEY (organisation_id, batch_id, row_no, revision, n)
  CONSTRAINT review_proposal_verdict_check CHECK ((verdict = ANY (ARRAY['DONE'::text, 'NOT_DONE'::text, 'ASK_AGAIN'::text])))
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE role
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  code text NOT NULL
  CONSTRAINT role_organisation_id_code_key UNIQUE (organisation_id, code)
  CONSTRAINT role_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT role_pkey PRIMARY KEY (organisation_id, id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web

TABLE role_permission
  organisation_id uuid NOT NULL
  role_id uuid NOT NULL
  module text NOT NULL
  "right" text NOT NULL
  CONSTRAINT role_permission_organisation_id_role_id_fkey FOREIGN KEY (organisation_id, role_id) REFERENCES role(organisation_id, id)
  CONSTRAINT role_permission_pkey PRIMARY KEY (organisation_id, role_id, module, "right")
  CONSTRAINT role_permission_right_check CHECK (("right" = ANY (ARRAY['read'::text, 'read_write'::text, 'approve'::text])))
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT INSERT, SELECT TO batchdesk_web

TABLE session
  id_sha256 bytea NOT NULL
  data text NOT NULL
  created_at timestamp with time zone NOT NULL
  last_seen_at timestamp with time zone NOT NULL
  expires_at timestamp with time zone NOT NULL
  CONSTRAINT session_id_sha256_check CHECK ((length(id_sha256) = 32))
  CONSTRAINT session_pkey PRIMARY KEY (id_sha256)
  CREATE INDEX session_by_expiry ON session USING btree (expires_at)
  GRANT DELETE TO batchdesk_worker
  GRANT DELETE, INSERT, SELECT, UPDATE TO batchdesk_web
  GRANT SELECT (expires_at) TO batchdesk_worker

TABLE settings_change
  organisation_id uuid NOT NULL
  id uuid NOT NULL
  kind text NOT NULL
  object text NOT NULL
  module text
  summary text NOT NULL
  was jsonb NOT NULL
  becomes jsonb NOT NULL
  sealed_secret bytea
  reason text NOT NULL
  alone boolean NOT NULL
  proposer uuid NOT NULL
  content_sha256 bytea NOT NULL
  at timestamp with time zone NOT NULL
  expires_at timestamp with time zone NOT NULL
  CONSTRAINT settings_change_check CHECK ((expires_at > at))
  CONSTRAINT settings_change_content_sha256_check CHECK ((length(content_sha256) = 32))
  CONSTRAINT settings_change_kind_check CHECK ((kind = ANY (ARRAY['approval'::text, 'limits'::text, 'external'::text, 'connection_added'::text, 'connection_account'::text, 'connection_chosen'::text, 'connection_limits'::text])))
  CONSTRAINT settings_change_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id)
  CONSTRAINT settings_change_pkey PRIMARY KEY (organisation_id, id)
  CONSTRAINT settings_change_proposer_fkey FOREIGN KEY (proposer) REFERENCES person(id)
  CONSTRAINT settings_change_reason_check CHECK (((length(btrim(reason)) >= 1) AND (length(btrim(reason)) <= 500)))
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER settings_change_guard BEFORE INSERT ON settings_change FOR EACH ROW EXECUTE FUNCTION settings_change_guard()
  CREATE TRIGGER tell_settings_change AFTER INSERT ON settings_change FOR EACH ROW EXECUTE FUNCTION tell_settings_change()
  GRANT SELECT TO batchdesk_web
  GRANT INSERT (organisation_id, id, kind, object, module, summary, was, becomes, sealed_secret, reason, alone, at, expires_at) TO batchdesk_web

TABLE settings_change_end
  organisation_id uuid NOT NULL
  change_id uuid NOT NULL
  verdict text NOT NULL
  person_id uuid
  content_sha256 bytea NOT NULL
  note text
  at timestamp with time zone NOT NULL
  CONSTRAINT settings_change_end_check CHECK (((person_id IS NULL) = (verdict = 'EXPIRE'::text)))
  CONSTRAINT settings_change_end_check1 CHECK (((verdict <> 'REJECT'::text) OR (length(btrim(COALESCE(note, ''::text))) >= 1)))
  CONSTRAINT settings_change_end_note_check CHECK ((length(note) <= 500))
  CONSTRAINT settings_change_end_organisation_id_change_id_fkey FOREIGN KEY (organisation_id, change_id) REFERENCES settings_change(organisation_id, id)
  CONSTRAINT settings_change_end_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id)
  CONSTRAINT settings_change_end_pkey PRIMARY KEY (organisation_id, change_id)
  CONSTRAINT settings_change_end_verdict_check CHECK ((verdict = ANY (ARRAY['CONFIRM'::text, 'REJECT'::text, 'WITHDRAW'::text, 'EXPIRE'::text, 'ALONE'::text])))
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER settings_change_end_guard BEFORE INSERT ON settings_change_end FOR EACH ROW EXECUTE FUNCTION settings_change_end_guard()
  CREATE TRIGGER settings_change_wipe AFTER INSERT ON settings_change_end FOR EACH ROW EXECUTE FUNCTION settings_change_wipe()
  CREATE TRIGGER tell_settings_change AFTER INSERT ON settings_change_end FOR EACH ROW EXECUTE FUNCTION tell_settings_change()
  GRANT SELECT TO batchdesk_web
  GRANT INSERT (organisation_id, change_id, verdict, content_sha256, note, at) TO batchdesk_web

TABLE sign_in_throttle
  key_sha256 bytea NOT NULL
  attempts timestamp with time zone[] NOT NULL
  closed_until timestamp with time zone NOT NULL
  expires_at timestamp with time zone NOT NULL
  CONSTRAINT sign_in_throttle_key_sha256_check CHECK ((length(key_sha256) = 32))
  CONSTRAINT sign_in_throttle_pkey PRIMARY KEY (key_sha256)
  CREATE INDEX sign_in_throttle_by_expiry ON sign_in_throttle USING btree (expires_at)
  GRANT DELETE TO batchdesk_worker
  GRANT DELETE, INSERT, SELECT, UPDATE TO batchdesk_web
  GRANT SELECT (expires_at) TO batchdesk_worker

TABLE stored_order
  organisation_id uuid NOT NULL
  order_id text COLLATE C NOT NULL
  gateway_id uuid NOT NULL
  batch_id uuid NOT NULL
  status text NOT NULL
  charged boolean NOT NULL
  amount_minor bigint NOT NULL
  currency character(3) NOT NULL
  refunded_minor bigint NOT NULL
  refundable_minor bigint
  transactions text[] NOT NULL
  refunds jsonb NOT NULL
  body text NOT NULL
  content_sha256 bytea NOT NULL
  seen_at timestamp with time zone NOT NULL
  first_seen_at timestamp with time zone NOT NULL DEFAULT now()
  refund_state text NOT NULL GENERATED ALWAYS AS (
CASE
    WHEN (refunded_minor <= 0) THEN 'none'::text
    WHEN (refunded_minor < amount_minor) THEN 'partly'::text
    ELSE 'wholly'::text
END) STORED
  CONSTRAINT stored_order_content_sha256_check CHECK ((length(content_sha256) = 32))
  CONSTRAINT stored_order_organisation_id_batch_id_fkey FOREIGN KEY (organisation_id, batch_id) REFERENCES batch(organisation_id, id)
  CONSTRAINT stored_order_organisation_id_gateway_id_fkey FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway(organisation_id, id)
  CONSTRAINT stored_order_pkey PRIMARY KEY (organisation_id, order_id)
  CREATE INDEX stored_order_by_refund ON stored_order USING btree (organisation_id, refund_state, seen_at, order_id)
  CREATE INDEX stored_order_by_status ON stored_order USING btree (organisation_id, status, seen_at, order_id)
  CREATE INDEX stored_order_seen ON stored_order USING btree (organisation_id, seen_at, order_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  CREATE TRIGGER restore_transactions AFTER UPDATE ON stored_order REFERENCING OLD TABLE AS was NEW TABLE AS seen FOR EACH STATEMENT EXECUTE FUNCTION store_transactions()
  CREATE TRIGGER store_transactions AFTER INSERT ON stored_order REFERENCING NEW TABLE AS seen FOR EACH STATEMENT EXECUTE FUNCTION store_transactions()
  GRANT INSERT, SELECT, UPDATE TO batchdesk_worker
  GRANT SELECT TO batchdesk_web

TABLE stored_transaction
  organisation_id uuid NOT NULL
  txn_id text COLLATE C NOT NULL
  order_id text COLLATE C NOT NULL
  CONSTRAINT stored_transaction_pkey PRIMARY KEY (organisation_id, txn_id, order_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web

VIEW sync_task WITH (security_invoker=true)
  organisation_id uuid
  batch_id uuid
  row_no integer
  sheet_row integer
  revision smallint
  order_id text COLLATE C
  amount_minor bigint
  gateway_key text COLLATE C
  unique_id text COLLATE C
  txn_id text COLLATE C
  extra text
  state text
  status text
  code text COLLATE C
  message text
  gw_ref text
  gateway_status text
  gateway_kind text
  response text
  attempts smallint
  updated_at timestamp with time zone
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

VIEW task WITH (security_invoker=true)
  organisation_id uuid
  batch_id uuid
  row_no integer
  sheet_row integer
  revision smallint
  order_id text COLLATE C
  amount_minor bigint
  gateway_key text COLLATE C
  unique_id text COLLATE C
  txn_id text COLLATE C
  extra text
  state text
  status text
  code text COLLATE C
  message text
  gw_ref text COLLATE C
  gateway_status text
  gateway_kind text
  response text
  attempts smallint
  updated_at timestamp with time zone
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

TABLE unique_id_taken
  organisation_id uuid NOT NULL
  batch_id uuid NOT NULL
  row_no integer NOT NULL
  unique_id text COLLATE C NOT NULL
  CONSTRAINT unique_id_taken_pkey PRIMARY KEY (organisation_id, unique_id)
  ROW LEVEL SECURITY FORCED
  POLICY tenant PERMISSIVE FOR ALL TO batchdesk_owner, batchdesk_web, batchdesk_worker USING (organisation_id = ( SELECT current_organisation() AS current_organisation)) WITH CHECK (organisation_id = ( SELECT current_organisation() AS current_organisation))
  GRANT SELECT TO batchdesk_web
  GRANT SELECT TO batchdesk_worker

FUNCTION account_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION all_organisations() RETURNS SETOF uuid sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp OWNER batchdesk_scheduler
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION api_key_touched() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION ask_only() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION attempt_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION attend_gateway(p_gateway uuid, p_worker uuid, p_lasts interval, p_finished integer) RETURNS TABLE(place integer, workers integer, settled boolean, paused double precision) plpgsql SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION audit_backlog() RETURNS SETOF uuid sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp OWNER batchdesk_scheduler
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION audit_hash(p_previous bytea, p_sequence bigint, a audit) RETURNS bytea sql IMMUTABLE SET search_path=pg_catalog
FUNCTION audit_wait() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION batch_work() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION chunk_asks() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION chunk_work() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION confirmation_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION content_of(p_batch uuid, p_revision smallint, OUT sha256 bytea, OUT records integer, OUT last_row integer, OUT amount_minor bigint) RETURNS record sql STABLE SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION content_sha256(p_batch uuid, p_revision smallint) RETURNS bytea sql STABLE SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION control(p_batch uuid, p_action text) RETURNS text plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION count_import(p_totals integer[]) RETURNS void plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION current_key() RETURNS uuid sql STABLE
  EXECUTE batchdesk_scheduler, batchdesk_web, batchdesk_worker
FUNCTION current_organisation() RETURNS uuid sql STABLE
  EXECUTE batchdesk_scheduler, batchdesk_web, batchdesk_worker
FUNCTION current_person() RETURNS uuid sql STABLE
  EXECUTE batchdesk_scheduler, batchdesk_web, batchdesk_worker
FUNCTION decision_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION decision_needed(p_operation text, OUT needed boolean, OUT version integer) RETURNS record sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION dispatch_outbox(p_limit integer DEFAULT 1000) RETURNS integer plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION drop_revision(p_organisation uuid, p_batch uuid, p_revision smallint, p_code text, p_sentence text) RETURNS void plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION end_import(p_organisation uuid, p_batch uuid) RETURNS void sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION expire_due() RETURNS SETOF uuid plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION expire_files(p_works text[], p_before timestamp with time zone, p_now timestamp with time zone, p_most integer, OUT batches bigint, OUT bytes bigint) RETURNS record sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION expire_settings_changes(p_now timestamp with time zone) RETURNS bigint sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION fail_import(p_phase text, p_sentence text) RETURNS void plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION failure_reasons(p_organisation uuid, p_batch uuid) RETURNS TABLE(code text, message text, tasks bigint, amount_minor bigint) sql STABLE SET search_path=pg_catalog, batchdesk, pg_temp, enable_nestloop=off
  EXECUTE batchdesk_web, batchdesk_worker
AGGREGATE fit(bigint, bigint) RETURNS bigint internal IMMUTABLE
  EXECUTE batchdesk_worker
FUNCTION fit_step(used bigint, amount bigint, room bigint) RETURNS bigint sql IMMUTABLE
  EXECUTE batchdesk_worker
FUNCTION forget_promises() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION free_unique_ids(p_organisation uuid, p_batch uuid, p_all boolean) RETURNS void plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION free_unique_ids_of(p_organisation uuid, p_batch uuid, p_ids text[]) RETURNS void sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION gate(p_organisation uuid, p_alone boolean) RETURNS void plpgsql SET search_path=pg_catalog
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION had_part(b batch, p_asked_by uuid) RETURNS boolean sql STABLE
  EXECUTE batchdesk_web
FUNCTION held_status(p_batch uuid) RETURNS text sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION hold_import(p_batch uuid, p_epoch bigint, p_phase text) RETURNS boolean plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION in_review(p_state text, p_gateway_status text) RETURNS boolean sql IMMUTABLE
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION is_administrator() RETURNS boolean sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION leased_import(p_phase text) RETURNS uuid sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION log_position(OUT system text, OUT at_byte bigint) RETURNS record plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION missing_intents(p_organisation uuid[], p_batch uuid[], p_revision smallint[], p_row integer[], p_epoch bigint[], p_owner uuid[]) RETURNS integer plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web, batchdesk_worker
PROCEDURE of_organisation(IN p_table regclass, IN p_column name DEFAULT 'organisation_id'::name) plpgsql
FUNCTION open_batch() RETURNS uuid sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION open_order_tasks(p_gateway uuid) RETURNS SETOF uuid plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION open_revision(p_batch uuid, p_base smallint, p_row integer[], p_order text[], p_amount bigint[], p_key text[], p_unique text[], p_txn text[], p_sha256 bytea[], p_extra text[], p_chunk_rows integer DEFAULT 500) RETURNS smallint plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION open_task_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION order_batch_cancelled() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION organisations_with_expired() RETURNS SETOF uuid sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp OWNER batchdesk_scheduler
  EXECUTE batchdesk_worker
FUNCTION other_administrators() RETURNS bigint sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION outbox_backlog() RETURNS SETOF uuid sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp OWNER batchdesk_scheduler
  EXECUTE batchdesk_worker
FUNCTION outcome_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION payload_number(p jsonb, name text) RETURNS bigint sql IMMUTABLE SET search_path=pg_catalog
FUNCTION progress_done() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION reconcile_at_end() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION reconciliation_nights() RETURNS TABLE(organisation_id uuid, zone text, night timestamp with time zone) sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp OWNER batchdesk_scheduler
  EXECUTE batchdesk_worker
FUNCTION reconciliations_due() RETURNS TABLE(organisation_id uuid, gateway_id uuid) sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp OWNER batchdesk_scheduler
  EXECUTE batchdesk_worker
FUNCTION record_leaf_guard() RETURNS trigger plpgsql SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION reversal_is_reviewed() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION review_close(p_batch uuid, p_row integer[], p_revision smallint[], p_n smallint[], p_verdict text, p_note text) RETURNS integer plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION review_propose(p_batch uuid, p_row integer[], p_revision smallint[], p_seen text[], p_verdict text, p_ref text[], p_reason text) RETURNS integer plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION review_rows(p jsonb) RETURNS TABLE(row_no integer, revision smallint, verdict text, gw_ref text, reason text, proposer text, attempts smallint, was text, gateway_kind text, order_id text, amount_minor bigint, balanced boolean) sql IMMUTABLE SET search_path=pg_catalog
FUNCTION review_seen(t open_task) RETURNS text sql IMMUTABLE SET search_path=pg_catalog
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION revision_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION runnable_lanes() RETURNS TABLE(organisation_id uuid, gateway_id uuid, kind text) sql STABLE SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp OWNER batchdesk_scheduler
  EXECUTE batchdesk_worker
FUNCTION seal_audit(p_limit integer DEFAULT 1000) RETURNS integer plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web, batchdesk_worker
PROCEDURE seen_by_scheduler(IN p_table regclass) plpgsql
FUNCTION settings_change_end_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION settings_change_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION settings_change_sha256(c settings_change) RETURNS bytea sql IMMUTABLE SET search_path=pg_catalog
FUNCTION settings_change_wipe() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION stop_gateway(p_gateway uuid, p_reason text) RETURNS boolean plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION stop_organisation(p_reason text) RETURNS boolean plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION store_import(p_byte_offset bigint, p_created integer, p_skipped integer, p_failed integer, p_lease interval) RETURNS boolean plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION store_transactions() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION submit(p_batch uuid, p_content_sha256 bytea, p_chunk_rows integer DEFAULT 500, p_expires_after interval DEFAULT '7 days'::interval) RETURNS text plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION submit_import(p_batch uuid) RETURNS void plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION switch_guard() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION sync_batch(p_batch uuid) RETURNS integer plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION sync_orders(p_batch uuid) RETURNS integer plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION sync_task_numbers(p_organisation uuid, p_batch uuid, p_status text, p_order text) RETURNS TABLE(row_no integer) sql STABLE SET search_path=pg_catalog, batchdesk, pg_temp, enable_nestloop=off
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION take_over(p_batch uuid, p_chunk integer, p_epoch bigint, p_owner uuid, p_row integer) RETURNS boolean plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION take_unique_ids(p_organisation uuid, p_batch uuid, p_revision smallint) RETURNS void plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp, work_mem=32MB
FUNCTION task_numbers(p_organisation uuid, p_batch uuid, p_status text, p_order text) RETURNS TABLE(row_no integer) sql STABLE SET search_path=pg_catalog, batchdesk, pg_temp, enable_nestloop=off
  EXECUTE batchdesk_web, batchdesk_worker
FUNCTION tell_batch() RETURNS trigger plpgsql
FUNCTION tell_decision() RETURNS trigger plpgsql
FUNCTION tell_failed_late() RETURNS trigger plpgsql
FUNCTION tell_import(p_organisation uuid, p_batch uuid, p_sentence text) RETURNS void sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION tell_moved() RETURNS trigger plpgsql
FUNCTION tell_opened() RETURNS trigger plpgsql
FUNCTION tell_orders() RETURNS trigger plpgsql
FUNCTION tell_progress() RETURNS trigger plpgsql
FUNCTION tell_reversal() RETURNS trigger plpgsql
FUNCTION tell_review() RETURNS trigger plpgsql
FUNCTION tell_settings_change() RETURNS trigger plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
FUNCTION tell_stop() RETURNS trigger plpgsql
FUNCTION tidy_outbox() RETURNS void sql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_worker
FUNCTION withdraw(p_batch uuid) RETURNS void plpgsql SECURITY DEFINER SET search_path=pg_catalog, batchdesk, pg_temp
  EXECUTE batchdesk_web
FUNCTION without_ids(p_message text, p_order text, p_txn text, p_unique text, p_key text) RETURNS text sql IMMUTABLE
  EXECUTE batchdesk_web, batchdesk_worker
