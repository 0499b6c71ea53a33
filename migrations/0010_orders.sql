-- Orders: what was seen of them at the gateway, and Batch Sync, which brings them up to date and hands them to the
-- organisation's external system.
--
-- A sync goes through the tables of every batch (batch, batch_progress, batch_revision, decision, record, chunk,
-- evidence): approval, pause, cancel and counters are the same. It asks and tells and moves no money, so it has neither
-- attempts nor outcomes: what becomes of a record may change each time it is asked about, and stands in order_task.

CREATE TABLE stored_order (                     -- an order as the gateway had it when it was last asked
  organisation_id  uuid NOT NULL,
  order_id         text COLLATE "C" NOT NULL,
  gateway_id       uuid NOT NULL,
  batch_id         uuid NOT NULL,               -- which batch asked last
  status           text NOT NULL,               -- the gateway's word
  charged          boolean NOT NULL,
  amount_minor     bigint NOT NULL,
  currency         char(3) NOT NULL,
  refunded_minor   bigint NOT NULL,
  refundable_minor bigint,                      -- null: the gateway does not say
  transactions     text[] NOT NULL,             -- their ids
  refunds          jsonb NOT NULL,              -- [{unique_request_id, reference, amount_minor, status, kind}]
  body             text NOT NULL,               -- the answer as it came
  content_sha256   bytea NOT NULL CHECK (length(content_sha256) = 32),   -- of what is told to the external system:
                                                -- tells whether it changed
  seen_at          timestamptz NOT NULL,
  first_seen_at    timestamptz NOT NULL DEFAULT now(),
  -- What the list is filtered by: how much of the order is refunded already, as the gateway says.
  refund_state     text NOT NULL GENERATED ALWAYS AS (CASE WHEN refunded_minor <= 0 THEN 'none'
                     WHEN refunded_minor < amount_minor THEN 'partly' ELSE 'wholly' END) STORED,
  PRIMARY KEY (organisation_id, order_id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
CREATE INDEX stored_order_seen      ON stored_order (organisation_id, seen_at, order_id);
CREATE INDEX stored_order_by_status ON stored_order (organisation_id, status, seen_at, order_id);
CREATE INDEX stored_order_by_refund ON stored_order (organisation_id, refund_state, seen_at, order_id);
CALL of_organisation('stored_order');
GRANT SELECT ON stored_order TO batchdesk_web, batchdesk_worker;
GRANT INSERT, UPDATE ON stored_order TO batchdesk_worker;

CREATE TABLE stored_transaction (               -- a list inside a row cannot be searched by a beginning; this can
  organisation_id uuid NOT NULL,
  txn_id          text COLLATE "C" NOT NULL,
  order_id        text COLLATE "C" NOT NULL,
  PRIMARY KEY (organisation_id, txn_id, order_id)
);
CALL of_organisation('stored_transaction');
GRANT SELECT ON stored_transaction TO batchdesk_web;

CREATE TABLE external_system (                -- where the organisation wants its synchronised orders; no row: they stay
  organisation_id uuid PRIMARY KEY REFERENCES organisation,     -- here
  url             text NOT NULL,
  sealed_secret   bytea NOT NULL,            -- sealed for this organisation's id with a key that is not in the database
  enabled         boolean NOT NULL DEFAULT true,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now()
);
CALL of_organisation('external_system');
GRANT SELECT ON external_system TO batchdesk_web, batchdesk_worker;
GRANT INSERT, UPDATE (url, sealed_secret, enabled, updated_at) ON external_system TO batchdesk_web;

CREATE TABLE order_task (                      -- one record of a sync, from when its run of rows was opened. Changes in
  organisation_id  uuid NOT NULL,               -- place: a sync has no last word
  batch_id         uuid NOT NULL,
  row_no           int NOT NULL,
  gateway_id       uuid NOT NULL,
  asks             boolean NOT NULL,           -- whether the gateway is asked: as the toggle was, and always after Sync
                                                -- with Gateway
  status           text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'ACCEPTED', 'FAILED')),   -- what the
                                                -- counters count
  gateway_status   text CHECK (gateway_status IN ('SYNCED', 'FAILED', 'NOT REQUESTED')),
  response         text,                        -- External System Response
  code             text COLLATE "C",
  message          text,                        -- why it failed or waits
  delivered_sha256 bytea CHECK (length(delivered_sha256) = 32),   -- what the external system took last for this task
  tries            smallint NOT NULL DEFAULT 0, -- since it became due: the back-off's step
  asked_at         timestamptz NOT NULL DEFAULT now(),   -- since when it is due
  epoch            bigint NOT NULL DEFAULT 0,   -- the fence: + 1 with each claim, checked by each write
  owner            uuid,                        -- who works on it; null: nobody
  run_at           timestamptz,                 -- due from, or end of the lease; null: there is nothing to do
  updated_at       timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT queued_is_due CHECK (status <> 'QUEUED' OR run_at IS NOT NULL),
  PRIMARY KEY (organisation_id, batch_id, row_no),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
) WITH (fillfactor = 70);
-- In the order of the claim: tasks that become due together are not sorted at each claim.
CREATE INDEX order_task_due ON order_task (organisation_id, gateway_id, run_at, batch_id, row_no)
  WHERE run_at IS NOT NULL;
CALL of_organisation('order_task');
CALL seen_by_scheduler('order_task');
GRANT SELECT ON order_task TO batchdesk_web, batchdesk_worker;
-- Neither the batch nor the row of a task can be made or changed by the processor: only what became of it.
GRANT UPDATE (status, gateway_status, response, code, message, delivered_sha256, tries, epoch, owner, run_at,
  updated_at) ON order_task TO batchdesk_worker;
GRANT SELECT (organisation_id, gateway_id, run_at) ON order_task TO batchdesk_scheduler;
