-- Connections to gateways: accounts, what they were seen to promise, and what they may be asked.

-- A row is an account. A merchant's sandbox and its real account are two connections, and an organisation may have
-- several of both.
CREATE TABLE gateway (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  connector       text NOT NULL,
  base_url        text NOT NULL,
  merchant_id     text NOT NULL,
  sealed_key      bytea NOT NULL,                  -- sealed for this row's id with a key that is not in the database
  balances        boolean NOT NULL DEFAULT true,   -- false: the gateway's own refusal of an over-refund is relied on
  preflight       boolean NOT NULL DEFAULT true,   -- read each order before its first refund of a batch
  concurrency     int CHECK (concurrency BETWEEN 1 AND 1000),    -- null: the operator's default
  rate_limit      int CHECK (rate_limit BETWEEN 1 AND 10000),    -- requests a second, sends and questions together;
                                                                 -- null: none
  rate_burst      int CHECK (rate_burst BETWEEN 1 AND 10000),    -- requests at once after a rest; null: evenly spaced
  sandbox         boolean NOT NULL DEFAULT false,  -- moves no real money: pages say TEST DATA
  sending         boolean NOT NULL DEFAULT true,   -- kill switch; 401 and 403 set it false
  stopped_at      timestamptz,
  stopped_reason  text,
  paused_by       uuid REFERENCES person,          -- as in organisation
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),   -- moved when address or key change, so that clients are made
                                                        -- anew
  CONSTRAINT burst_of_a_limit CHECK (rate_burst IS NULL OR rate_limit IS NOT NULL),
  PRIMARY KEY (organisation_id, id),
  CONSTRAINT gateway_account UNIQUE (organisation_id, connector, merchant_id, sandbox)
);
CALL of_organisation('gateway');
CALL seen_by_scheduler('gateway');
GRANT SELECT, INSERT, UPDATE (base_url, merchant_id, sealed_key, balances, preflight, concurrency, rate_limit,
  rate_burst, sandbox, sending, stopped_at, stopped_reason, paused_by, updated_at)
  ON gateway TO batchdesk_web;
GRANT SELECT ON gateway TO batchdesk_worker;         -- stop_gateway() stops, nothing starts
GRANT SELECT (organisation_id, id, sending) ON gateway TO batchdesk_scheduler;

-- Which connection new batches go to, for each effect; a batch keeps the one that it was made with. What only asks
-- (order sync) goes where the refunds of its orders go.
CREATE TABLE gateway_choice (
  organisation_id uuid NOT NULL,
  effect          text NOT NULL CHECK (effect IN ('refund', 'payment_initiation', 'payment_initiation_refund',
                                                  'payment_request')),
  gateway_id      uuid NOT NULL,
  chosen_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, effect),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
CALL of_organisation('gateway_choice');
GRANT SELECT, INSERT, UPDATE (gateway_id, chosen_at) ON gateway_choice TO batchdesk_web;
GRANT SELECT ON gateway_choice TO batchdesk_worker;

-- What a promise rests on: measured with a few calls, or declared by the operator. Appended, never changed;
-- the newest one about the account as it is now counts, and what was measured at another address says nothing.
CREATE TABLE gateway_capability (
  organisation_id uuid NOT NULL,
  id              uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  at              timestamptz NOT NULL,
  actor           text NOT NULL,                -- e-mail, or 'Batchdesk' for a command of the operator
  measured        boolean NOT NULL,             -- false: declared
  base_url        text NOT NULL,                -- the account that it is about
  merchant_id     text NOT NULL,
  effect          text NOT NULL,                -- what was measured or declared of
  class           "char" NOT NULL CHECK (class IN ('K', 'Q', 'N')),
  key_window      interval,                     -- named by the operator or the connector: a few calls cannot see it
  order_id        text COLLATE "C",             -- the order that the calls were made on
  evidence        text NOT NULL DEFAULT '[]',   -- JSON: each call, what came back, and what that proves
  CHECK (class <> 'K' OR key_window IS NOT NULL),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
CREATE INDEX gateway_capability_newest ON gateway_capability (organisation_id, gateway_id, id);
CALL of_organisation('gateway_capability');
GRANT SELECT, INSERT ON gateway_capability TO batchdesk_web;

-- What a connection promises of one effect. No row: nothing, class N. There is none without what it rests on, and none
-- outlives the account that it is about (forget_promises).
CREATE TABLE gateway_promise (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  effect          text NOT NULL CHECK (effect IN ('refund', 'payment_initiation', 'payment_initiation_refund',
                                                  'payment_request')),
  class           "char" NOT NULL CHECK (class IN ('K', 'Q', 'N')),
  key_window      interval,                     -- K: how long a key is remembered
  evidence        uuid NOT NULL,                -- the row of gateway_capability
  CHECK (class <> 'K' OR key_window IS NOT NULL),
  PRIMARY KEY (organisation_id, gateway_id, effect),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id),
  FOREIGN KEY (organisation_id, evidence) REFERENCES gateway_capability (organisation_id, id)
);
CALL of_organisation('gateway_promise');
GRANT SELECT, INSERT, UPDATE (class, key_window, evidence) ON gateway_promise TO batchdesk_web;
GRANT SELECT ON gateway_promise TO batchdesk_worker;

-- Why work waits for a gateway that does not answer: written when a process's circuit breaker opens, removed when it
-- closes. Only told to people; whether anything is sent is decided by each process's own breaker.
CREATE TABLE gateway_trouble (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  since           timestamptz NOT NULL DEFAULT now(),
  until           timestamptz NOT NULL,         -- not believed after that: the process that wrote it may be gone
  reason          text NOT NULL,
  PRIMARY KEY (organisation_id, gateway_id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
CALL of_organisation('gateway_trouble');

---------------------------------------------------------------------------------------------------- shared limits
-- What a connection may be asked, shared out among the worker processes that use it, and what they say of it.
--
-- A limit stands on the gateway's row and is one for the whole connection. Each worker process that uses the connection
-- keeps a row in gateway_worker while it does; it takes its part of the limits by how many there are. A newcomer takes
-- nothing before all others have seen it, and a process that could not renew its row takes nothing any more when the
-- row has lapsed: the parts never add up to more than the limit.
CREATE TABLE gateway_worker (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  worker          uuid NOT NULL,                -- names the process, as in leases and intents
  joined_at       timestamptz NOT NULL,
  seen_at         timestamptz NOT NULL,         -- when it last counted the others
  until           timestamptz NOT NULL,         -- not counted after that: the process may be gone
  PRIMARY KEY (organisation_id, gateway_id, worker),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
CALL of_organisation('gateway_worker');

-- The gateway asked us to stay away (Retry-After of a 429 or 503): nothing is asked of it until then, by no process.
CREATE TABLE gateway_pause (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  since           timestamptz NOT NULL DEFAULT now(),
  until           timestamptz NOT NULL,
  http            smallint NOT NULL,
  PRIMARY KEY (organisation_id, gateway_id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
CALL of_organisation('gateway_pause');

-- What each process finished lately, for the rate that pages show: outcomes are far too many to be counted for a page.
CREATE TABLE gateway_finished (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  worker          uuid NOT NULL,
  slot            timestamptz NOT NULL,         -- start of five seconds
  finished        int NOT NULL CHECK (finished >= 0),
  PRIMARY KEY (organisation_id, gateway_id, worker, slot),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
CALL of_organisation('gateway_finished');

GRANT SELECT ON gateway_trouble, gateway_worker, gateway_pause, gateway_finished TO batchdesk_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway_trouble, gateway_worker, gateway_pause, gateway_finished
  TO batchdesk_worker;
