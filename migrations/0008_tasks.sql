-- The work on records that are sent: leases, intents, outcomes, and what is not final.
-- Locks and the order of columns: head of 0006_batches.sql.
--
-- What is appended without end (attempt, outcome, evidence) is partitioned by batch_id as record is: ids of batches are
-- v7 and grow with time, so a leaf is a span of time, and all of a batch stands in one leaf of each. Every statement of
-- the work names the batch, so it touches one leaf however many there are. One leaf has all of it for now; a second one
-- ends the first at an id, and an old one is detached and archived with the leaf of record. Nobody, not even the owner,
-- has a right on a leaf: what is read and written goes through the parent, with its policies and its triggers.

CREATE TABLE chunk (                            -- a lease over a run of up to 1,000 rows; 3 updates for all of them
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  chunk_no        int NOT NULL,
  revision        smallint NOT NULL,
  gateway_id      uuid NOT NULL,               -- gateway and work are copied from batch, so that a claim reads one
                                                -- index and joins nothing
  from_row        int NOT NULL,
  to_row          int NOT NULL,
  next_row        int NOT NULL,                 -- rows below it have an intent, rows from it on were never sent: READY
                                                -- needs no anti-join
  size            int NOT NULL,
  remaining       int NOT NULL,                 -- rows with neither an outcome nor an open task
  state           text NOT NULL DEFAULT 'HELD',
  epoch           bigint NOT NULL DEFAULT 0,    -- the fence: + 1 with each claim, checked by each write
  owner           uuid,
  leased_at       timestamptz,
  run_at          timestamptz NOT NULL DEFAULT 'infinity',   -- WAITING: due from; LEASED: end of the lease. One column,
                                                -- so that a lapsed lease is in the same index range as waiting work
  work            text NOT NULL DEFAULT '',     -- set by a trigger
  asked_to        int,                          -- rows from it on are looked up at the gateway before they are sent;
                                                -- null: nothing is to be asked first
  ask_after       timestamptz,                  -- and not before
  forgotten       boolean NOT NULL DEFAULT false,   -- the older state had these rows: they may have been sent since
  CHECK (from_row <= next_row AND next_row <= to_row + 1 AND remaining >= 0 AND remaining <= size
    AND state IN ('HELD', 'WAITING', 'LEASED', 'DONE')),
  PRIMARY KEY (organisation_id, batch_id, chunk_no),
  FOREIGN KEY (organisation_id, batch_id, revision) REFERENCES batch_revision (organisation_id, batch_id, revision)
) WITH (fillfactor = 50);
-- The claim, in file order.
CREATE INDEX chunk_due ON chunk (organisation_id, gateway_id, work, run_at, batch_id, chunk_no)
  WHERE state IN ('WAITING', 'LEASED');
CALL of_organisation('chunk');
CALL seen_by_scheduler('chunk');
GRANT SELECT ON chunk TO batchdesk_web, batchdesk_worker;
GRANT UPDATE (state, epoch, owner, leased_at, run_at, remaining, next_row, asked_to, ask_after, forgotten)
  ON chunk TO batchdesk_worker;
GRANT SELECT (organisation_id, gateway_id, work, state, run_at) ON chunk TO batchdesk_scheduler;

CREATE TABLE attempt (                          -- the intent to send rows from_row..to_row of one revision, committed
  organisation_id uuid NOT NULL,               -- before the send. One row for a run of rows: the run is one commit, its
  batch_id        uuid NOT NULL,              -- rows and their keys are immutable, so it says exactly what one row each
  from_row        int NOT NULL,                 -- would say.
  to_row          int NOT NULL,
  revision        smallint NOT NULL,
  attempt         smallint NOT NULL,            -- 1 = from a chunk; 2 and up = one open task sent again
  chunk_no        int,                          -- null: from open_task
  epoch           bigint NOT NULL,
  owner           uuid NOT NULL,
  currency        char(3) NOT NULL DEFAULT '',  -- of the batch, so that an intent need not join it; set by the guard
  balanced        boolean NOT NULL DEFAULT false,   -- these rows reserved on order_balance (gateway.balances as it was
                                                -- then): a failure gives back only then
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  lost            boolean NOT NULL DEFAULT false,  -- not committed here: the gateway's word for a past that is
                                                -- forgotten
  -- Runs of one revision and attempt never overlap.
  PRIMARY KEY (organisation_id, batch_id, revision, attempt, from_row)
) PARTITION BY RANGE (batch_id);
CREATE TABLE attempt_leaf PARTITION OF attempt FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
REVOKE ALL ON attempt_leaf FROM batchdesk_owner;
CALL of_organisation('attempt');
GRANT SELECT ON attempt TO batchdesk_web, batchdesk_worker;
GRANT INSERT (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner)
  ON attempt TO batchdesk_worker;

CREATE TABLE outcome (                          -- written once, final
  at              timestamptz NOT NULL DEFAULT now(),
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  attempts        smallint NOT NULL,            -- 0 = never sent (refused, cancelled)
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  http            smallint,
  succeeded       boolean NOT NULL,
  gw_ref          text COLLATE "C",
  gateway_status   text,                         -- the gateway's words: PENDING, SUCCESS, FAILURE, MANUAL_REVIEW
  gateway_kind     text,                         -- STANDARD, INSTANT
  code            text COLLATE "C",             -- null when succeeded
  message         text,
  PRIMARY KEY (organisation_id, batch_id, row_no, revision)
) PARTITION BY RANGE (batch_id);
CREATE TABLE outcome_leaf PARTITION OF outcome FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
-- The page of failed tasks; costs a success nothing.
CREATE INDEX outcome_failed ON outcome (organisation_id, batch_id, row_no) WHERE NOT succeeded;
REVOKE ALL ON outcome_leaf FROM batchdesk_owner;
CALL of_organisation('outcome');
GRANT SELECT ON outcome TO batchdesk_web, batchdesk_worker;
GRANT INSERT ON outcome TO batchdesk_worker;

CREATE TABLE open_task (                        -- only what is not final after its first attempt
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  gateway_id      uuid NOT NULL,
  state           text NOT NULL CHECK (state IN ('RETRY', 'SENDING', 'UNKNOWN', 'PENDING', 'REVIEW')),
                  -- RETRY: proved not to have been carried out, waits its turn. SENDING: sent again, no reply yet
  epoch           bigint NOT NULL DEFAULT 0,
  owner           uuid,
  leased_at       timestamptz,
  run_at          timestamptz NOT NULL,         -- due from, or end of the lease, as in chunk
  attempts        smallint NOT NULL,
  queries         smallint NOT NULL DEFAULT 0,  -- status queries since the last send: the back-off's step
  first_sent_at   timestamptz NOT NULL,         -- K resends only inside the key window
  last_sent_at    timestamptz NOT NULL,
  gw_ref          text COLLATE "C",
  gateway_status   text,
  gateway_kind     text,
  code            text COLLATE "C",
  message         text,
  updated_at      timestamptz NOT NULL DEFAULT now(),
  -- Two people had the gateway asked again: from then on the task is only asked after. A reviewed task is never sent
  -- again by itself.
  reviewed        boolean NOT NULL DEFAULT false,
  PRIMARY KEY (organisation_id, batch_id, row_no, revision)
) WITH (fillfactor = 70);
CREATE INDEX open_task_due ON open_task (organisation_id, gateway_id, run_at) WHERE state <> 'REVIEW';
CREATE INDEX open_task_review ON open_task (organisation_id, batch_id, row_no)
  WHERE state = 'REVIEW' OR gateway_status = 'MANUAL_REVIEW';
CALL of_organisation('open_task');
CALL seen_by_scheduler('open_task');
GRANT SELECT ON open_task TO batchdesk_web, batchdesk_worker;
GRANT INSERT, DELETE, UPDATE (state, epoch, owner, leased_at, run_at, queries, gw_ref, gateway_status, gateway_kind,
  code, message, updated_at) ON open_task TO batchdesk_worker;
GRANT SELECT (organisation_id, gateway_id, state, run_at) ON open_task TO batchdesk_scheduler;

-- Finished or reviewed rows that a person asked the gateway about again ("Sync with Gateway"), and what a comparison
-- found about a task in review. Only a question: it never sends.
CREATE TABLE recheck (
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  gateway_id      uuid NOT NULL,
  run_at          timestamptz NOT NULL DEFAULT now(),
  tries           smallint NOT NULL DEFAULT 0,
  PRIMARY KEY (organisation_id, batch_id, row_no, revision)
);
CREATE INDEX recheck_due ON recheck (organisation_id, gateway_id, run_at);
CALL of_organisation('recheck');
CALL seen_by_scheduler('recheck');
GRANT SELECT ON recheck TO batchdesk_web, batchdesk_worker;
GRANT INSERT, UPDATE (run_at, tries), DELETE ON recheck TO batchdesk_worker;
GRANT SELECT (organisation_id, gateway_id, run_at) ON recheck TO batchdesk_scheduler;

CREATE TABLE evidence (                         -- every reply as it came, also of fenced workers, queries and webhooks
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  id              uuid NOT NULL,              -- made by the client: a step repeated after a lost COMMIT reply writes it
                                                -- once
  from_row        int NOT NULL,
  to_row          int NOT NULL,
  chunk_no        int,
  epoch           bigint,
  -- PEOPLE: what two people decided in review, kept beside what the gateway said. DELIVERY: the external system's
  -- answer.
  source          text NOT NULL CHECK (source IN ('SEND', 'QUERY', 'WEBHOOK', 'RECONCILE', 'DELIVERY', 'PEOPLE')),
  fenced          boolean NOT NULL,             -- came from a worker that had lost its lease: kept, moved nothing
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  replies         text NOT NULL,                -- JSON array, one object a reply {row, revision, http, at, body}:
                                                -- together they compress 8 to 10 times
  PRIMARY KEY (organisation_id, batch_id, from_row, id)
) PARTITION BY RANGE (batch_id);
DO $$ BEGIN ALTER TABLE evidence ALTER replies SET COMPRESSION lz4;   -- pglz is 4 times slower; a server built without
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;               -- lz4 keeps pglz. Leaves take it from here.
CREATE TABLE evidence_leaf PARTITION OF evidence FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
REVOKE ALL ON evidence_leaf FROM batchdesk_owner;
CALL of_organisation('evidence');
GRANT SELECT ON evidence TO batchdesk_web, batchdesk_worker;
GRANT INSERT ON evidence TO batchdesk_worker;

CREATE TABLE reversal (                       -- a gateway that takes back its last word (rare): the outcome stays, this
  organisation_id uuid NOT NULL,                -- wins
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  succeeded       boolean NOT NULL,
  gw_ref          text COLLATE "C",
  gateway_status   text,
  code            text COLLATE "C" NOT NULL,
  message         text,
  at              timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision),
  FOREIGN KEY (organisation_id, batch_id, row_no, revision)
    REFERENCES outcome (organisation_id, batch_id, row_no, revision)
);
CALL of_organisation('reversal');
GRANT SELECT ON reversal TO batchdesk_web, batchdesk_worker;
GRANT INSERT ON reversal TO batchdesk_worker;

---------------------------------------------------------------------------------------------------- orders of tasks
-- No over-refund, across batches: committed + outside never passes captured when something is committed.
--   captured   what can be refunded of the order at all: its amount, or what the gateway says was refunded plus what
--              can still be.
--   committed  ours, reserved and refunded in ONE figure: up at the intent, down at a failure, untouched by a success.
--   outside    what the gateway had refunded beyond ours when the order was read, so that committed + outside =
--              max(ours, the gateway's). It only grows: a later reading during sends of ours that have not landed yet
--              would otherwise forget it.
CREATE TABLE order_balance (
  captured_minor  bigint,                       -- null: not known, the gateway is the judge
  committed_minor bigint NOT NULL,
  outside_minor   bigint NOT NULL DEFAULT 0,
  organisation_id uuid NOT NULL,
  order_id        text COLLATE "C" NOT NULL,
  currency        char(3) NOT NULL,
  PRIMARY KEY (organisation_id, order_id),
  CHECK (least(committed_minor, outside_minor) >= 0)
) WITH (fillfactor = 90);
CALL of_organisation('order_balance');
GRANT SELECT ON order_balance TO batchdesk_web, batchdesk_worker;
GRANT INSERT, UPDATE (captured_minor, committed_minor, outside_minor) ON order_balance TO batchdesk_worker;

-- When balances were last compared with the facts, so that several processes do so once an hour.
CREATE TABLE balance_check (
  organisation_id uuid PRIMARY KEY REFERENCES organisation,
  at              timestamptz NOT NULL DEFAULT now(),
  since           timestamptz                   -- batches that changed after it are looked at; null: all
);
CALL of_organisation('balance_check');
GRANT SELECT, INSERT (organisation_id), UPDATE (at, since) ON balance_check TO batchdesk_worker;

CREATE TABLE order_seen (                      -- the order as the gateway had it before the batch's first attempt on it
  organisation_id  uuid NOT NULL,
  batch_id         uuid NOT NULL,
  order_id         text COLLATE "C" NOT NULL,
  known            boolean NOT NULL,            -- false: the gateway answered that it has no such order
  charged          boolean NOT NULL,
  status           text,
  amount_minor     bigint,
  currency         char(3),
  refundable_minor bigint,
  refunded_minor   bigint,
  transactions     text[] NOT NULL DEFAULT '{}',
  body             text,                        -- the answer as it came
  at               timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, batch_id, order_id)
);
CALL of_organisation('order_seen');
GRANT SELECT ON order_seen TO batchdesk_web, batchdesk_worker;
-- After a restore an order is read again before anything else of it is sent.
GRANT INSERT, UPDATE, DELETE ON order_seen TO batchdesk_worker;
