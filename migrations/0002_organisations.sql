-- Organisations, who belongs to them, and what their rules are; and what a batch can do at all.

-- The same list as `Operation::ALL` of the program: a test compares them. What the database must know of an operation
-- is a column here, so that no statement names one.
CREATE TABLE operation (
  code           text PRIMARY KEY,
  work           text NOT NULL CHECK (work IN ('send', 'query', 'import')),
                 -- send: once under a key. query: asked freely, as often as wanted. import: taken in, with no effect
                 -- outside, no connection and no task a row
  moves_money    boolean NOT NULL,                 -- its records have amounts, and keys at a gateway
  needs_decision boolean NOT NULL,                 -- of an organisation that has made no rule
  reconciles     boolean NOT NULL,                 -- its end is compared with what the gateway lists for each order
  UNIQUE (code, work),
  CHECK (work <> 'import' OR NOT (moves_money OR needs_decision OR reconciles))
);
INSERT INTO operation VALUES ('refund', 'send', true, true, true), ('order_sync', 'query', false, true, false);
GRANT SELECT ON operation TO batchdesk_web, batchdesk_worker;

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
  paused_by      uuid REFERENCES person,           -- while sending is off: the person who paused it. Null: Batchdesk
                                                   -- stopped it by itself, and stopped_reason says why
  created_at     timestamptz NOT NULL DEFAULT now()
);
CALL of_organisation('organisation', 'id');
CALL seen_by_scheduler('organisation');
GRANT SELECT, INSERT, UPDATE (row_limit, approval_days, sending, stopped_at, stopped_reason, paused_by)
  ON organisation TO batchdesk_web;
GRANT SELECT ON organisation TO batchdesk_worker;    -- stop_organisation() stops, nothing starts
GRANT SELECT (id, zone, sending) ON organisation TO batchdesk_scheduler;

---------------------------------------------------------------------------------------------------- look-ups
-- Readable before an organisation is known, by key only.
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
GRANT SELECT, INSERT ON organisation_name, person_organisation, api_key_organisation TO batchdesk_web;

---------------------------------------------------------------------------------------------------- access
CREATE TABLE role (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  code            text NOT NULL,
  PRIMARY KEY (organisation_id, id),
  UNIQUE (organisation_id, code)
);
CALL of_organisation('role');

CREATE TABLE role_permission (
  organisation_id uuid NOT NULL,
  role_id         uuid NOT NULL,
  module          text NOT NULL,
  "right"         text NOT NULL CHECK ("right" IN ('read', 'read_write', 'approve')),
  PRIMARY KEY (organisation_id, role_id, module, "right"),
  FOREIGN KEY (organisation_id, role_id) REFERENCES role (organisation_id, id)
);
CALL of_organisation('role_permission');

CREATE TABLE membership (
  organisation_id uuid NOT NULL REFERENCES organisation,
  person_id       uuid NOT NULL REFERENCES person,
  role_id         uuid NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, person_id, role_id),
  FOREIGN KEY (organisation_id, role_id) REFERENCES role (organisation_id, id)
);
CALL of_organisation('membership');
GRANT SELECT, INSERT ON role, role_permission, membership TO batchdesk_web;

CREATE TABLE api_key (                             -- revoked, never deleted: what they did stays theirs
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  name            text NOT NULL,
  role_id         uuid NOT NULL,
  -- Who answers for it. Null: made by the operator on the command line. Not granted for insert: always the session's.
  made_by         uuid DEFAULT current_person() REFERENCES person,
  revoked_at      timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (organisation_id, role_id) REFERENCES role (organisation_id, id)
);
-- A name is what a person revokes a key by.
CREATE UNIQUE INDEX api_key_name_in_use ON api_key (organisation_id, name) WHERE revoked_at IS NULL;
CALL of_organisation('api_key');
GRANT SELECT, INSERT (organisation_id, id, name, role_id, created_at), UPDATE (revoked_at) ON api_key TO batchdesk_web;

-- Everybody who had a hand in a key: made it, changed its role, gave it another secret, took it over. Written by
-- triggers, appended, never changed: none of them decides on what the key submits.
CREATE TABLE api_key_hand (
  organisation_id uuid NOT NULL,
  api_key_id      uuid NOT NULL,
  person_id       uuid NOT NULL REFERENCES person,
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, api_key_id, person_id),
  FOREIGN KEY (organisation_id, api_key_id) REFERENCES api_key (organisation_id, id)
);
CALL of_organisation('api_key_hand');
GRANT SELECT ON api_key_hand TO batchdesk_web;

CREATE TABLE approval_rule (                       -- maker-checker; no row: as operation.needs_decision says
  organisation_id uuid NOT NULL REFERENCES organisation,
  operation       text NOT NULL REFERENCES operation,
  needed          boolean NOT NULL,
  version         int NOT NULL DEFAULT 1,          -- named in a decision that was not required
  PRIMARY KEY (organisation_id, operation)
);
CALL of_organisation('approval_rule');
GRANT SELECT, INSERT, UPDATE (needed, version) ON approval_rule TO batchdesk_web;
GRANT SELECT ON approval_rule TO batchdesk_worker;
