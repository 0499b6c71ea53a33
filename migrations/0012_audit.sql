-- The audit trail: rows are inserted in the transaction of the act, and chained by one sealer an organisation. The
-- runtime roles cannot change or delete them.

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
CALL of_organisation('audit');
GRANT SELECT, INSERT ON audit TO batchdesk_web, batchdesk_worker;

CREATE TABLE audit_waiting (                       -- rows not chained yet; filled by a trigger, emptied by the sealer
  organisation_id uuid NOT NULL,
  audit_id        uuid NOT NULL,
  PRIMARY KEY (organisation_id, audit_id)
);
CALL of_organisation('audit_waiting');
CALL seen_by_scheduler('audit_waiting');
-- What checks the audit trail reads the tables themselves: a function of the database says what whoever changed it
-- wants.
GRANT SELECT ON audit_waiting TO batchdesk_web, batchdesk_scheduler;

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
CALL of_organisation('audit_seal');
-- The sealer signs where the chain ends, after it has looked whether the end that it signed before is still in it.
GRANT SELECT ON audit_seal TO batchdesk_web, batchdesk_worker;
