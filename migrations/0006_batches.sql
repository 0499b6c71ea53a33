-- Batches and what was decided about them. Facts are appended, only small control rows change in place.
--
-- SESSION  app.organisation     set LOCAL at the head of every transaction; without it every table looks empty.
--          app.person           the signed-in person; maker, checker, proposer and confirmer come from it, never from a
--                               parameter.
--          app.batch            the batch being read in; records can be added to that one only, and only before it is
--                               submitted.
-- ROLES    batchdesk_web makes batches, decides, controls and reads. batchdesk_worker claims, sends and settles.
--          Neither can do the other's part: the web cannot write an attempt or an outcome, the worker cannot write a
--          batch or a decision.
-- LOCKS    always in this order, so that no two steps can wait for each other in a ring:
--          gate of the organisation (advisory; shared in an intent, alone in a decision, pause, cancel, switch)
--          -> batch -> chunk or open_task or order_task (batch_id, number) -> order_balance or stored_order (order_id)
--          -> batch_progress (batch_id) -> batch again only when nothing is queued. Pause and cancel never wait for a
--          chunk or a task (SKIP LOCKED). All steps run at READ COMMITTED.
-- COLUMNS  are ordered wide to narrow where a row exists per task: it saves 8 to 16 bytes a row.
-- TEXT     ids are COLLATE "C": comparing and sorting them is 2 to 3 times cheaper, and a prefix is a plain range.
-- ERRORS   BD403 not allowed, BD404 no such thing, BD409 not in this state, BD410 too late, BD412 content differs (of a
--          review with DETAIL: JSON array of the row numbers that are not as they were shown), BD422 bad argument,
--          BD423 unique ids are taken (DETAIL: JSON array of {row_no, sheet_row, unique_id, batch_id, other_row}),
--          BD429 too soon, BD500 wrong use of the database.

CREATE TABLE batch (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,                -- v7: grows with time, so every index below grows at its right edge
  gateway_id      uuid,                         -- null: an import, which has no effect outside
  operation       text NOT NULL,
  work            text NOT NULL,                -- of the operation; set by a trigger, held by the foreign key
  options         text NOT NULL DEFAULT '',     -- part of what is approved (canonical text)
  file_name       text COLLATE "C" NOT NULL,
  description     text NOT NULL DEFAULT '',
  template        text NOT NULL DEFAULT '',     -- which of the operation's templates the file followed
  file_sha256     bytea CHECK (length(file_sha256) = 32),
  file_bytes      bigint NOT NULL DEFAULT 0,
  row_limit       int,                          -- the limit it was accepted under
  currency        char(3) NOT NULL,             -- one a batch: amounts can be summed, and records need no column for it
  -- Who it came from: a person, an API key, or a file that was fetched. None of the three is granted for insert: they
  -- are always the session's, and those of a file that was fetched are set by the function that begins its batch.
  source          text NOT NULL DEFAULT CASE WHEN current_key() IS NULL THEN 'person' ELSE 'key' END
                    CHECK (source IN ('person', 'key', 'sftp')),
  maker           uuid DEFAULT current_person(),
  source_id       uuid DEFAULT current_key(),   -- the key, or the connection that it was fetched through
  status          text NOT NULL DEFAULT 'validating' CHECK (status IN ('validating','invalid','awaiting_approval',
                    'rejected','withdrawn','expired','processing','paused','completed','completed_with_failures',
                    'cancelled')),
  status_rank     smallint NOT NULL GENERATED ALWAYS AS (array_position(ARRAY['validating','invalid',
                    'awaiting_approval','rejected','withdrawn','expired','processing','paused','completed',
                    'completed_with_failures','cancelled'], status)) STORED,
  revision        smallint NOT NULL DEFAULT 1,  -- latest submission: 2 and up are failed rows sent again in place
  records         int NOT NULL DEFAULT 0,       -- set on submission; here (not only in batch_progress) because lists
                                                -- sort by them
  amount_minor    bigint NOT NULL DEFAULT 0,
  paused_by       uuid,
  paused_by_admin boolean NOT NULL DEFAULT false,   -- then only an administrator lets it go on
  ended_reason    text,                         -- why it was rejected, withdrawn, expired or cancelled
  expires_at      timestamptz,                  -- while it waits for a decision
  last_synced_at  timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT from_somebody CHECK (
    (source = 'person') = (maker IS NOT NULL) AND (source = 'person') = (source_id IS NULL)),
  CONSTRAINT connected CHECK ((work = 'import') = (gateway_id IS NULL)),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (operation, work) REFERENCES operation (code, work),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
-- One index for each sortable column, id as the tie-breaker of the keyset. Counters are NOT here: each update of them
-- would touch all of these.
CREATE INDEX batch_by_id      ON batch (organisation_id, operation, id);                -- by Date Created (v7)
CREATE INDEX batch_by_name    ON batch (organisation_id, operation, file_name, id);
CREATE INDEX batch_by_status  ON batch (organisation_id, operation, status_rank, id);
CREATE INDEX batch_by_amount  ON batch (organisation_id, operation, amount_minor, id);
CREATE INDEX batch_by_records ON batch (organisation_id, operation, records, id);
CREATE INDEX batch_by_file    ON batch (organisation_id, file_sha256);                  -- the same bytes again
CREATE INDEX batch_waiting    ON batch (expires_at) WHERE status = 'awaiting_approval';
-- Lists by person and by day: each is a range of an index in the order of Date Created, however many batches there are.
-- The second one also answers who has uploaded anything, with one look a person.
CREATE INDEX batch_by_created ON batch (organisation_id, operation, created_at, id);
CREATE INDEX batch_by_maker   ON batch (organisation_id, operation, maker, created_at, id);
CALL of_organisation('batch');
CALL seen_by_scheduler('batch');
CREATE POLICY fresh ON batch AS RESTRICTIVE FOR INSERT TO batchdesk_web WITH CHECK (status = 'validating');
GRANT SELECT ON batch TO batchdesk_web, batchdesk_worker;
GRANT INSERT (organisation_id, id, gateway_id, operation, options, file_name, description, template, file_sha256,
  file_bytes, row_limit, currency) ON batch TO batchdesk_web;
GRANT SELECT (organisation_id, status, expires_at) ON batch TO batchdesk_scheduler;

CREATE TABLE batch_progress (                 -- the counters; moved in the transaction of the tasks, one update a group
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  records         int NOT NULL,
  queued          int NOT NULL,
  accepted        int NOT NULL,
  failed          int NOT NULL,
  pending         int NOT NULL DEFAULT 0,       -- part of accepted: taken by the gateway, not final there
  amount_minor    bigint NOT NULL,
  queued_minor    bigint NOT NULL,
  accepted_minor  bigint NOT NULL,
  failed_minor    bigint NOT NULL,
  updated_at      timestamptz NOT NULL DEFAULT now(),
  -- A step that forgets a side cannot commit. ONE check a table: each is parsed anew in every statement that writes
  -- (about 20 us).
  CONSTRAINT adds_up CHECK (queued + accepted + failed = records
    AND queued_minor + accepted_minor + failed_minor = amount_minor
    AND least(queued, accepted - pending, failed, pending, queued_minor, accepted_minor, failed_minor) >= 0),
  PRIMARY KEY (organisation_id, batch_id),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
) WITH (fillfactor = 20);                       -- no indexed column ever changes: every update is HOT, in its page
CALL of_organisation('batch_progress');
GRANT SELECT ON batch_progress TO batchdesk_web, batchdesk_worker;
GRANT UPDATE (queued, accepted, failed, pending, queued_minor, accepted_minor, failed_minor, updated_at)
  ON batch_progress TO batchdesk_worker;

---------------------------------------------------------------------------------------- what was submitted, who decided
CREATE TABLE batch_revision (                   -- 1 = the file; n = failed rows corrected and sent again in place
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  revision        smallint NOT NULL,
  maker           uuid,                         -- as in batch; of a later revision always a person
  content_sha256  bytea NOT NULL CHECK (length(content_sha256) = 32),
  needs_decision  boolean NOT NULL,             -- from approval_rule, for every revision alike
  records         int NOT NULL,
  amount_minor    bigint NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, batch_id, revision),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
CALL of_organisation('batch_revision');
GRANT SELECT ON batch_revision TO batchdesk_web, batchdesk_worker;

CREATE TABLE decision (                         -- the primary key is the rule "decided once"
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  revision        smallint NOT NULL DEFAULT 1,
  checker         uuid DEFAULT current_person(),            -- null only where none was required
  verdict         text NOT NULL CHECK (verdict IN ('APPROVE', 'REJECT', 'NOT_REQUIRED')),
  content_sha256  bytea NOT NULL,               -- of what the checker was shown
  rule_version    int,                          -- of the approval rule that required no checker
  reason          text CHECK (length(reason) <= 500),
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((checker IS NULL) = (verdict = 'NOT_REQUIRED')),
  CHECK (verdict <> 'REJECT' OR length(btrim(coalesce(reason, ''))) >= 1),
  PRIMARY KEY (organisation_id, batch_id, revision),
  FOREIGN KEY (organisation_id, batch_id, revision) REFERENCES batch_revision (organisation_id, batch_id, revision)
);
CALL of_organisation('decision');
GRANT SELECT ON decision TO batchdesk_web, batchdesk_worker;
GRANT INSERT (organisation_id, batch_id, revision, verdict, content_sha256, reason) ON decision TO batchdesk_web;

-- What a person has typed on the page that sends failed rows again, row by row, until it is sent: nothing typed is lost
-- between its pages.
CREATE TABLE retry_draft (
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  person_id       uuid NOT NULL DEFAULT current_person(),   -- not granted for insert: always the session's person
  row_no          int NOT NULL,
  revision        smallint NOT NULL,            -- of the batch it was typed over: void when there is a later one
  take            boolean NOT NULL,             -- whether the row is to be sent again
  cells           text,                         -- JSON array of the row's cells in the template's order; null: as they
                                                -- are
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, batch_id, person_id, row_no),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
CALL of_organisation('retry_draft');
CREATE POLICY own ON retry_draft AS RESTRICTIVE TO batchdesk_web
  USING (person_id = (SELECT current_person())) WITH CHECK (person_id = (SELECT current_person()));
GRANT SELECT, DELETE, INSERT (organisation_id, batch_id, row_no, revision, take, cells),
  UPDATE (revision, take, cells, updated_at) ON retry_draft TO batchdesk_web;
GRANT SELECT (organisation_id, updated_at), DELETE ON retry_draft TO batchdesk_worker;     -- what was left lying
