-- Review by two people, contradictions, reconciliation.
--
-- REVIEW is left by two people: one proposes what became of a refund, another confirms. Both steps are functions: they
-- lock the tasks in the order of 0006_batches.sql, compare what was shown with what is there, and move state, balances
-- and counters in the one transaction of the act. The runtime role can do neither by itself.

CREATE TABLE review_proposal (                  -- REVIEW is left by two people
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  n               smallint NOT NULL,
  proposer        uuid NOT NULL DEFAULT current_person(),
  verdict         text NOT NULL CHECK (verdict IN ('DONE', 'NOT_DONE', 'ASK_AGAIN')),
  gw_ref          text,
  reason          text NOT NULL CONSTRAINT reason_given CHECK (length(btrim(reason)) BETWEEN 1 AND 500),
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen            text NOT NULL DEFAULT '',     -- what the proposer was shown (review_seen); another standing voids it
  CONSTRAINT reference_given CHECK (CASE WHEN verdict = 'DONE'
    THEN gw_ref IS NOT NULL AND length(gw_ref) BETWEEN 1 AND 128 ELSE gw_ref IS NULL END),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision, n)
);
CALL of_organisation('review_proposal');

-- A proposal ends once, in one of three ways; only CONFIRM moves the task.
CREATE TABLE review_confirmation (
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  n               smallint NOT NULL,
  confirmer       uuid NOT NULL DEFAULT current_person(),
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  verdict         text NOT NULL DEFAULT 'CONFIRM' CHECK (verdict IN ('CONFIRM', 'REJECT', 'WITHDRAW')),
  note            text CHECK (length(note) <= 500),
  CONSTRAINT note_given CHECK (verdict <> 'REJECT' OR length(btrim(coalesce(note, ''))) >= 1),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision, n),
  FOREIGN KEY (organisation_id, batch_id, row_no, revision, n)
    REFERENCES review_proposal (organisation_id, batch_id, row_no, revision, n)
);
CALL of_organisation('review_confirmation');
GRANT SELECT ON review_proposal, review_confirmation TO batchdesk_web, batchdesk_worker;

---------------------------------------------------------------------------------- where the gateway and we differ
CREATE TABLE review_entry (                     -- a difference about money; people acknowledge it, nothing changes it
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('done_after_failure', 'failed_after_success', 'missing', 'extra',
                    'amount', 'status')),
  order_id        text COLLATE "C" NOT NULL,
  gateway_key     text COLLATE "C" NOT NULL,
  ours            text NOT NULL,                -- the task's state as we had it
  ours_minor      bigint NOT NULL,
  theirs          text,                         -- the gateway's word; null: it has nothing
  theirs_minor    bigint,
  gw_ref          text COLLATE "C",
  since           timestamptz,                  -- since when we had it so
  fact            text NOT NULL,                -- the same fact found again is not a second entry, also after it was
                                                -- acknowledged
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, id),
  UNIQUE (organisation_id, batch_id, row_no, revision, fact),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
CALL of_organisation('review_entry');
GRANT SELECT ON review_entry TO batchdesk_web, batchdesk_worker;
GRANT INSERT ON review_entry TO batchdesk_worker;

CREATE TABLE review_acknowledgement (           -- the primary key is the rule "once"
  organisation_id uuid NOT NULL,
  entry_id        uuid NOT NULL,
  person_id       uuid NOT NULL DEFAULT current_person(),   -- not granted for insert: always the session's person
  note            text NOT NULL CHECK (length(btrim(note)) BETWEEN 1 AND 500),
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, entry_id),
  FOREIGN KEY (organisation_id, entry_id) REFERENCES review_entry (organisation_id, id)
);
CALL of_organisation('review_acknowledgement');
GRANT SELECT, INSERT (organisation_id, entry_id, note) ON review_acknowledgement TO batchdesk_web;

---------------------------------------------------------------------------------------------------- reconciliation
CREATE TABLE reconciliation (                   -- one comparison of a batch with the gateway; reads only
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  batch_id        uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  cause           text NOT NULL CHECK (cause IN ('END', 'NIGHT')),
  next_row        int NOT NULL DEFAULT 1,       -- orders that first stand in rows below it are compared
  run_at          timestamptz NOT NULL,         -- due from, or end of the lease, as in chunk
  owner           uuid,
  epoch           bigint NOT NULL DEFAULT 0,    -- the fence, as in chunk
  tries           smallint NOT NULL DEFAULT 0,  -- questions without an answer since the last one with
  orders          int NOT NULL DEFAULT 0,       -- orders read
  unread          int NOT NULL DEFAULT 0,       -- orders that could not be read
  entries         int NOT NULL DEFAULT 0,       -- review entries that it made
  records         int,                          -- set at its end: rows of the batch, ...
  agreed          int,                          -- ... those where file, outcome and gateway agree, ...
  open            int,                          -- ... and those without a last word, which were not compared
  result          text CHECK (result IN ('DONE', 'CANNOT_LIST')),
  created_at      timestamptz NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  CHECK ((finished_at IS NULL) = (result IS NULL)),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
-- Several processes, one comparison.
CREATE UNIQUE INDEX reconciliation_one ON reconciliation (organisation_id, batch_id) WHERE finished_at IS NULL;
CREATE INDEX reconciliation_due ON reconciliation (organisation_id, gateway_id, run_at) WHERE finished_at IS NULL;
CREATE INDEX reconciliation_last ON reconciliation (organisation_id, batch_id, finished_at);
CALL of_organisation('reconciliation');
CALL seen_by_scheduler('reconciliation');
GRANT SELECT ON reconciliation TO batchdesk_web, batchdesk_worker;
GRANT INSERT, UPDATE (next_row, run_at, owner, epoch, tries, orders, unread, entries, records, agreed, open, result,
  finished_at) ON reconciliation TO batchdesk_worker;
GRANT SELECT (organisation_id, gateway_id, run_at, finished_at) ON reconciliation TO batchdesk_scheduler;

CREATE TABLE reconciliation_difference (        -- appended, never changed
  organisation_id   uuid NOT NULL,
  reconciliation_id uuid NOT NULL,
  id                uuid NOT NULL DEFAULT gen_random_uuid(),
  batch_id          uuid NOT NULL,
  row_no            int,                        -- null: a refund at the gateway that is not ours
  revision          smallint,
  kind              text NOT NULL CHECK (kind IN ('missing', 'extra', 'amount', 'status', 'outside', 'unread')),
  order_id          text COLLATE "C" NOT NULL,
  gateway_key       text COLLATE "C",
  ours              text,
  ours_minor        bigint,
  theirs            text,
  theirs_minor      bigint,
  gw_ref            text COLLATE "C",
  reversed          boolean NOT NULL DEFAULT false,   -- the gateway's word was taken over: a reversal
  PRIMARY KEY (organisation_id, reconciliation_id, id),
  FOREIGN KEY (organisation_id, reconciliation_id) REFERENCES reconciliation (organisation_id, id)
);
CALL of_organisation('reconciliation_difference');
GRANT SELECT ON reconciliation_difference TO batchdesk_web, batchdesk_worker;
GRANT INSERT ON reconciliation_difference TO batchdesk_worker;

CREATE TABLE reconciliation_night (             -- the schedule: which night was planned last, so that several processes
  organisation_id uuid PRIMARY KEY REFERENCES organisation,     -- plan it once
  night           timestamptz NOT NULL
);
CALL of_organisation('reconciliation_night');
CALL seen_by_scheduler('reconciliation_night');
GRANT SELECT, INSERT, UPDATE (night) ON reconciliation_night TO batchdesk_worker;
GRANT SELECT ON reconciliation_night TO batchdesk_scheduler;
