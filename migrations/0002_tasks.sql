-- Batches and their tasks: facts are appended, only small control rows change in place.
--
-- SESSION  app.organisation     set LOCAL at the head of every transaction; without it every table looks empty.
--          app.person           the signed-in person; maker, checker, proposer and confirmer come from it, never from a parameter.
--          app.batch            the batch being read in; records can be added to that one only, and only before it is submitted.
-- ROLES    batchdesk_web makes batches, decides, controls and reads. batchdesk_worker claims, sends and settles. Neither can do the
--          other's part: the web cannot write an attempt or an outcome, the worker cannot write a batch or a decision.
-- LOCKS    always in this order, so that no two steps can wait for each other in a ring:
--          gate of the organisation (advisory; shared in an intent, alone in a decision, pause, cancel, switch) -> batch -> chunk or
--          open_task (batch_id, number) -> order_balance (order_id) -> batch_progress (batch_id) -> batch again only when nothing is
--          queued. Pause and cancel never wait for a chunk (SKIP LOCKED). All steps run at READ COMMITTED.
-- COLUMNS  are ordered wide to narrow where a row exists per task: it saves 8 to 16 bytes a row.
-- TEXT     ids are COLLATE "C": comparing and sorting them is 2 to 3 times cheaper, and a prefix is a plain range.
-- ERRORS   BD403 not allowed, BD404 no such thing, BD409 not in this state, BD412 content differs, BD422 bad argument,
--          BD423 unique ids are taken (DETAIL: JSON array of {row_no, sheet_row, unique_id, batch_id, other_row}), BD429 too soon,
--          BD500 wrong use of the database.

---------------------------------------------------------------------------------------------------- batch
CREATE TABLE batch (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,                -- v7: grows with time, so every index below grows at its right edge
  gateway_id      uuid NOT NULL,
  -- Other operations have other work and come with tables of their own; until then nothing else can be mistaken for a refund.
  operation       text NOT NULL DEFAULT 'refund' CONSTRAINT operation_known CHECK (operation IN ('refund')),
  options         text NOT NULL DEFAULT '',     -- part of what is approved (canonical text)
  file_name       text COLLATE "C" NOT NULL,
  description     text NOT NULL DEFAULT '',
  template        text NOT NULL DEFAULT '',     -- which of the operation's templates the file followed
  file_sha256     bytea CHECK (length(file_sha256) = 32),
  file_bytes      bigint NOT NULL DEFAULT 0,
  row_limit       int,                          -- the limit it was accepted under
  currency        char(3) NOT NULL,             -- one currency a batch: amounts can be summed, and records need no column for it
  maker           uuid NOT NULL DEFAULT current_person(),   -- not granted for insert: always the session's person
  status          text NOT NULL DEFAULT 'validating' CHECK (status IN ('validating','invalid','awaiting_approval','rejected',
                    'withdrawn','expired','processing','paused','completed','completed_with_failures','cancelled')),
  status_rank     smallint NOT NULL GENERATED ALWAYS AS (array_position(ARRAY['validating','invalid','awaiting_approval','rejected',
                    'withdrawn','expired','processing','paused','completed','completed_with_failures','cancelled'], status)) STORED,
  revision        smallint NOT NULL DEFAULT 1,  -- latest submission: 2 and up are failed rows sent again in place
  records         int NOT NULL DEFAULT 0,       -- set on submission; here (not only in batch_progress) because lists sort by them
  amount_minor    bigint NOT NULL DEFAULT 0,
  paused_by       uuid,
  ended_reason    text,                         -- why it was rejected, withdrawn, expired or cancelled
  expires_at      timestamptz,                  -- while it waits for a decision
  last_synced_at  timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
-- One index for each sortable column, id as the tie-breaker of the keyset. Counters are NOT here: each update of them would touch all of these.
CREATE INDEX batch_by_id      ON batch (organisation_id, operation, id);                -- by Date Created (v7)
CREATE INDEX batch_by_name    ON batch (organisation_id, operation, file_name, id);
CREATE INDEX batch_by_status  ON batch (organisation_id, operation, status_rank, id);
CREATE INDEX batch_by_amount  ON batch (organisation_id, operation, amount_minor, id);
CREATE INDEX batch_by_records ON batch (organisation_id, operation, records, id);
CREATE INDEX batch_by_file    ON batch (organisation_id, file_sha256);                  -- the same bytes again
CREATE INDEX batch_waiting    ON batch (expires_at) WHERE status = 'awaiting_approval';

CREATE TABLE batch_progress (                   -- the counters; moved in the transaction of the tasks, one update a group
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
  -- A step that forgets a side cannot commit. ONE check a table: each is parsed anew in every statement that writes (about 20 us).
  CONSTRAINT adds_up CHECK (queued + accepted + failed = records AND queued_minor + accepted_minor + failed_minor = amount_minor
                            AND least(queued, accepted - pending, failed, pending, queued_minor, accepted_minor, failed_minor) >= 0),
  PRIMARY KEY (organisation_id, batch_id),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
) WITH (fillfactor = 20);                       -- no indexed column ever changes: every update is HOT and stays in its page

---------------------------------------------------------------------------------------------------- what was submitted, who decided
CREATE TABLE batch_revision (                   -- 1 = the file; n = failed rows corrected and sent again in place
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  revision        smallint NOT NULL,
  maker           uuid NOT NULL,
  content_sha256  bytea NOT NULL CHECK (length(content_sha256) = 32),
  needs_decision  boolean NOT NULL,             -- from approval_rule, and false for a repeat that changes nothing that was approved
  records         int NOT NULL,
  amount_minor    bigint NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, batch_id, revision),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
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

---------------------------------------------------------------------------------------------------- the work
CREATE TABLE record (                           -- immutable: no UPDATE or DELETE is granted to anyone but the owner
  amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
  row_no          int NOT NULL CHECK (row_no > 0),          -- S.No: the record's number from 1
  sheet_row       int NOT NULL CHECK (sheet_row > 0),       -- row of the spreadsheet, where the header is 1
  revision        smallint NOT NULL DEFAULT 1,              -- a corrected row is a new record under the same row_no
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  gateway_key     text COLLATE "C" NOT NULL,    -- made once at ingest; a new revision has a new key, for FAILED is final at the gateway
  order_id        text COLLATE "C" NOT NULL,
  unique_id       text COLLATE "C",
  txn_id          text COLLATE "C",
  request_sha256  bytea NOT NULL,               -- of the canonical request; what is sent must match it
  extra           text,                         -- JSON text {"split":…,"udf":[…]}, not jsonb (which costs more than twice as much to write)
  PRIMARY KEY (organisation_id, batch_id, row_no, revision)
);
-- No foreign key to batch: checked per row it costs more than the insert itself. The insert policy below does the same once a statement.
CREATE INDEX record_by_order ON record (organisation_id, order_id);                          -- search across batches, look-alikes

CREATE TABLE unique_id_taken (                  -- beside record, because an id is given back when its row was never sent
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  unique_id       text COLLATE "C" NOT NULL,
  PRIMARY KEY (organisation_id, unique_id)
);

CREATE TABLE chunk (                            -- a lease over a run of up to 1,000 rows; 3 updates for all of them
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  chunk_no        int NOT NULL,
  revision        smallint NOT NULL,
  gateway_id      uuid NOT NULL,                -- copied from batch, so that a claim reads one index and joins nothing
  from_row        int NOT NULL,
  to_row          int NOT NULL,
  next_row        int NOT NULL,                 -- rows below it have an intent, rows from it on were never sent: READY needs no anti-join
  size            int NOT NULL,
  remaining       int NOT NULL,                 -- rows with neither an outcome nor an open task
  state           text NOT NULL DEFAULT 'HELD',
  epoch           bigint NOT NULL DEFAULT 0,    -- the fence: + 1 with each claim, checked by each write
  owner           uuid,
  leased_at       timestamptz,
  run_at          timestamptz NOT NULL DEFAULT 'infinity',   -- WAITING: due from; LEASED: end of the lease. One column, so that a
                                                             -- lapsed lease turns up in the same index range as waiting work
  CHECK (from_row <= next_row AND next_row <= to_row + 1 AND remaining >= 0 AND remaining <= size AND state IN ('HELD', 'WAITING', 'LEASED', 'DONE')),
  PRIMARY KEY (organisation_id, batch_id, chunk_no),
  FOREIGN KEY (organisation_id, batch_id, revision) REFERENCES batch_revision (organisation_id, batch_id, revision)
) WITH (fillfactor = 50);
CREATE INDEX chunk_due ON chunk (organisation_id, gateway_id, run_at, batch_id, chunk_no) WHERE state IN ('WAITING', 'LEASED');   -- the claim, in file order

CREATE TABLE attempt (                          -- the intent to send rows from_row..to_row of one revision, committed before the send.
  organisation_id uuid NOT NULL,                -- One row for a run of rows: the run is one commit, its rows and their keys are immutable,
  batch_id        uuid NOT NULL,                -- so it says exactly what one row each would say.
  from_row        int NOT NULL,
  to_row          int NOT NULL,
  revision        smallint NOT NULL,
  attempt         smallint NOT NULL,            -- 1 = from a chunk; 2 and up = one open task sent again
  chunk_no        int,                          -- null: from open_task
  epoch           bigint NOT NULL,
  owner           uuid NOT NULL,
  currency        char(3) NOT NULL DEFAULT '',       -- of the batch, so that an intent need not join it; set by the guard
  balanced        boolean NOT NULL DEFAULT false,   -- these rows reserved on order_balance (gateway.balances as it was then): a failure gives back only then
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, batch_id, revision, attempt, from_row)   -- runs of one revision and attempt never overlap
);

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
  refund_status   text,                         -- the gateway's words: PENDING, SUCCESS, FAILURE, MANUAL_REVIEW
  refund_type     text,                         -- STANDARD, INSTANT
  code            text COLLATE "C",             -- null when succeeded
  message         text,
  PRIMARY KEY (organisation_id, batch_id, row_no, revision)
);
CREATE INDEX outcome_failed ON outcome (organisation_id, batch_id, row_no) WHERE NOT succeeded;   -- the page of failed tasks; costs a success nothing

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
  refund_status   text,
  refund_type     text,
  code            text COLLATE "C",
  message         text,
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision)
) WITH (fillfactor = 70);
CREATE INDEX open_task_due ON open_task (organisation_id, gateway_id, run_at) WHERE state <> 'REVIEW';

-- Finished or reviewed rows that a person asked the gateway about again ("Sync with Gateway"). Only a question: it never sends.
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

CREATE TABLE evidence (                         -- every reply as it came, also of fenced workers, queries and webhooks
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  id              uuid NOT NULL,                -- made by the client: a step repeated after a lost COMMIT reply writes it once
  from_row        int NOT NULL,
  to_row          int NOT NULL,
  chunk_no        int,
  epoch           bigint,
  source          text NOT NULL CHECK (source IN ('SEND', 'QUERY', 'WEBHOOK', 'RECONCILE')),
  fenced          boolean NOT NULL,             -- came from a worker that had lost its lease: kept, moved nothing
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  replies         text NOT NULL,                -- JSON array, one object a reply {row, revision, http, at, body}: together they compress 8 to 10 times
  PRIMARY KEY (organisation_id, batch_id, from_row, id)
);
DO $$ BEGIN ALTER TABLE evidence ALTER replies SET COMPRESSION lz4;       -- pglz is 4 times slower; a server built without lz4 keeps pglz
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;

CREATE TABLE reversal (                         -- a gateway that takes back its last word (rare): the outcome stays, this wins
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  succeeded       boolean NOT NULL,
  gw_ref          text COLLATE "C",
  refund_status   text,
  code            text COLLATE "C" NOT NULL,
  message         text,
  at              timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision),
  FOREIGN KEY (organisation_id, batch_id, row_no, revision) REFERENCES outcome (organisation_id, batch_id, row_no, revision)
);

CREATE TABLE review_proposal (                  -- REVIEW is left by two people
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  n               smallint NOT NULL,
  proposer        uuid NOT NULL DEFAULT current_person(),
  verdict         text NOT NULL CHECK (verdict IN ('DONE', 'NOT_DONE', 'ASK_AGAIN')),
  gw_ref          text,
  reason          text NOT NULL,
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision, n)
);
CREATE TABLE review_confirmation (
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  n               smallint NOT NULL,
  confirmer       uuid NOT NULL DEFAULT current_person(),
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision, n),
  FOREIGN KEY (organisation_id, batch_id, row_no, revision, n) REFERENCES review_proposal (organisation_id, batch_id, row_no, revision, n)
);

-- No over-refund, across batches: committed + outside never passes captured when something is committed.
--   captured   what can be refunded of the order at all: its amount, or what the gateway says was refunded plus what can still be.
--   committed  ours, reserved and refunded in ONE figure: up at the intent, down at a failure, untouched by a success.
--   outside    what the gateway had refunded beyond ours when the order was read, so that committed + outside = max(ours, the gateway's).
--              It only grows: a later reading during sends of ours that have not landed yet would otherwise forget it.
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
-- Adds what still fits, in row order, and skips what does not: refuses the row that is too large, not those after it.
CREATE FUNCTION fit_step(used bigint, amount bigint, room bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
  AS $$ SELECT CASE WHEN room IS NULL OR used + amount <= room THEN used + amount ELSE used END $$;
CREATE AGGREGATE fit(bigint, bigint) (sfunc = fit_step, stype = bigint, initcond = '0');

CREATE TABLE order_seen (                       -- the order as the gateway had it before the batch's first attempt on it
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

---------------------------------------------------------------------------------------------------- guards
-- They run with the owner's rights, so the runtime roles need no right to change what they check. Each fires once a run of rows,
-- a decision or a statement, never once a task.

-- The gate of every send. An attempt that may not be is skipped (INSERT 0): the other runs of the same statement go on.
-- ONE rule of approval: a decision that allows it exists for exactly this content.
CREATE FUNCTION attempt_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE allowed record;
BEGIN
  PERFORM gate(NEW.organisation_id, false);                  -- before the look at what it guards
  SELECT v.revision, b.currency, gw.balances, gw.preflight, gw.class, gw.key_window INTO allowed
    FROM batch b
    JOIN organisation o ON o.id = b.organisation_id
    JOIN gateway gw ON gw.organisation_id = b.organisation_id AND gw.id = b.gateway_id
    JOIN batch_revision v ON v.organisation_id = b.organisation_id AND v.batch_id = b.id
     AND v.revision = CASE WHEN NEW.chunk_no IS NULL THEN NEW.revision
                           ELSE (SELECT c.revision FROM chunk c WHERE c.organisation_id = NEW.organisation_id AND c.batch_id = NEW.batch_id AND c.chunk_no = NEW.chunk_no) END
    JOIN decision d ON d.organisation_id = v.organisation_id AND d.batch_id = v.batch_id AND d.revision = v.revision
     AND d.verdict IN ('APPROVE', 'NOT_REQUIRED') AND d.content_sha256 = v.content_sha256
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND b.operation = 'refund'
     AND b.status = 'processing' AND o.sending AND gw.sending;
  IF NOT FOUND THEN RETURN NULL; END IF;
  NEW.revision := allowed.revision;
  NEW.currency := allowed.currency;
  NEW.balanced := NEW.chunk_no IS NOT NULL AND allowed.balances;
  IF NEW.chunk_no IS NOT NULL THEN
    -- What was not compared with the gateway's order is not sent.
    IF allowed.preflight AND EXISTS (
      SELECT FROM record r WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.revision = NEW.revision
         AND r.row_no BETWEEN NEW.from_row AND NEW.to_row
         AND NOT EXISTS (SELECT FROM order_seen s WHERE s.organisation_id = NEW.organisation_id AND s.batch_id = NEW.batch_id AND s.order_id = r.order_id))
    THEN RETURN NULL; END IF;
    NEW.attempt := 1;
    UPDATE chunk SET next_row = NEW.to_row + 1      -- in order, once: a repeat of the same run finds next_row moved on and is skipped
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND chunk_no = NEW.chunk_no
       AND epoch = NEW.epoch AND state = 'LEASED' AND owner = NEW.owner
       AND next_row = NEW.from_row AND to_row >= NEW.to_row AND NEW.to_row >= NEW.from_row
       AND run_at > clock_timestamp() + 0.45 * (run_at - leased_at);       -- 45 % of the lease is left: 27 s of 60 for a send of 20
  ELSE
    UPDATE open_task SET state = 'SENDING', attempts = attempts + 1, queries = 0, last_sent_at = clock_timestamp(), updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND row_no = NEW.from_row AND NEW.to_row = NEW.from_row
       AND revision = NEW.revision AND epoch = NEW.epoch AND owner = NEW.owner
       AND (state = 'RETRY' OR (state = 'UNKNOWN' AND allowed.class = 'K' AND clock_timestamp() < first_sent_at + 0.8 * allowed.key_window))
       AND run_at > clock_timestamp() + 0.45 * (run_at - leased_at)
    RETURNING attempts INTO NEW.attempt;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER attempt_guard BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION attempt_guard();

-- No outcome of a send without its intent, and none beside an open task. Once a statement, over the rows it wrote; usually one run of one batch,
-- which one look at its attempt and one at open_task settles.
CREATE FUNCTION outcome_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE s record; n bigint;
BEGIN
  FOR s IN SELECT organisation_id, batch_id, revision, least(attempts, 2) AS attempts, min(row_no) AS lo, max(row_no) AS hi, count(*) AS n,
                  bool_or(succeeded) AS succeeded, bool_or(code = 'CANCELLED') AS cancelled
             FROM written GROUP BY 1, 2, 3, 4 LOOP
    IF s.attempts = 0 AND s.succeeded THEN RAISE EXCEPTION 'succeeded without a send' USING ERRCODE = 'BD409'; END IF;
    IF s.attempts = 1 THEN
      PERFORM FROM attempt a WHERE a.organisation_id = s.organisation_id AND a.batch_id = s.batch_id AND a.revision = s.revision AND a.attempt = 1
         AND a.from_row <= s.lo AND a.to_row >= s.hi;                                 -- all of one run: the usual case
      IF NOT FOUND THEN
        SELECT count(*) INTO n FROM attempt a JOIN written w ON w.row_no BETWEEN a.from_row AND a.to_row
         WHERE a.organisation_id = s.organisation_id AND a.batch_id = s.batch_id AND a.revision = s.revision AND a.attempt = 1 AND a.from_row <= s.hi AND a.to_row >= s.lo
           AND w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision AND w.attempts = 1;
        IF n <> s.n THEN RAISE EXCEPTION 'outcome without an intent' USING ERRCODE = 'BD409'; END IF;
      END IF;
    ELSIF s.attempts > 1 THEN
      SELECT count(*) INTO n FROM written w JOIN attempt a ON a.organisation_id = w.organisation_id AND a.batch_id = w.batch_id AND a.revision = w.revision
         AND a.attempt = w.attempts AND a.from_row = w.row_no
       WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision AND w.attempts > 1;
      IF n <> s.n THEN RAISE EXCEPTION 'outcome without an intent' USING ERRCODE = 'BD409'; END IF;
    ELSIF s.cancelled THEN                              -- called off before it was ever sent: its unique_id is free again
      DELETE FROM unique_id_taken u USING written w, record r
       WHERE w.organisation_id = s.organisation_id AND w.batch_id = s.batch_id AND w.revision = s.revision AND w.code = 'CANCELLED' AND w.attempts = 0
         AND r.organisation_id = w.organisation_id AND r.batch_id = w.batch_id AND r.row_no = w.row_no AND r.revision = w.revision
         AND u.organisation_id = r.organisation_id AND u.unique_id = r.unique_id AND u.batch_id = r.batch_id
         AND NOT EXISTS (SELECT FROM record p JOIN outcome o USING (organisation_id, batch_id, row_no, revision)
                          WHERE p.organisation_id = u.organisation_id AND p.batch_id = u.batch_id AND p.row_no = u.row_no AND p.unique_id = u.unique_id AND o.attempts > 0);
    END IF;
    PERFORM FROM open_task t WHERE t.organisation_id = s.organisation_id AND t.batch_id = s.batch_id AND t.row_no BETWEEN s.lo AND s.hi AND t.revision = s.revision
        AND EXISTS (SELECT FROM written w WHERE w.organisation_id = t.organisation_id AND w.batch_id = t.batch_id AND w.row_no = t.row_no AND w.revision = t.revision);
    IF FOUND THEN RAISE EXCEPTION 'outcome beside an open task' USING ERRCODE = 'BD409'; END IF;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER outcome_guard AFTER INSERT ON outcome REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION outcome_guard();

-- What a decision is about: operation, organisation, gateway connection, options, and the canonical requests in row order.
CREATE FUNCTION content_sha256(p_batch uuid, p_revision smallint) RETURNS bytea LANGUAGE sql STABLE SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT sha256(convert_to(format(E'%s|%s|%s|%s\n', b.operation, b.organisation_id, b.gateway_id, b.options), 'UTF8')
         || coalesce((SELECT string_agg(r.request_sha256, ''::bytea ORDER BY r.row_no) FROM record r
                       WHERE r.organisation_id = b.organisation_id AND r.batch_id = b.id AND r.revision = p_revision), ''::bytea))
    FROM batch b WHERE b.organisation_id = current_organisation() AND b.id = p_batch $$;

-- A batch that ended gives back the unique ids of rows that were never sent.
CREATE FUNCTION free_unique_ids(p_organisation uuid, p_batch uuid, p_all boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  DELETE FROM unique_id_taken u USING record r
   WHERE p_all AND r.organisation_id = p_organisation AND r.batch_id = p_batch
     AND u.organisation_id = p_organisation AND u.unique_id = r.unique_id AND u.batch_id = p_batch;
  DELETE FROM unique_id_taken u USING outcome o JOIN record r USING (organisation_id, batch_id, row_no, revision)
   WHERE NOT p_all AND o.organisation_id = p_organisation AND o.batch_id = p_batch AND NOT o.succeeded AND o.attempts = 0
     AND u.organisation_id = p_organisation AND u.unique_id = r.unique_id AND u.batch_id = p_batch
     AND NOT EXISTS (SELECT FROM record p JOIN outcome q USING (organisation_id, batch_id, row_no, revision)
                      WHERE p.organisation_id = p_organisation AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.unique_id = u.unique_id AND q.attempts > 0)
     AND NOT EXISTS (SELECT FROM open_task t WHERE t.organisation_id = p_organisation AND t.batch_id = p_batch AND t.row_no = u.row_no);
$$;

-- One decision a revision; never by its maker; bound to the rows as they are in the database now, not to what the client says they are.
CREATE FUNCTION decision_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE b desk.batch; v desk.batch_revision;
BEGIN
  PERFORM gate(NEW.organisation_id, true);
  NEW.at := clock_timestamp();
  SELECT * INTO b FROM batch WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  SELECT * INTO v FROM batch_revision WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision;
  IF NOT FOUND OR EXISTS (SELECT FROM decision d WHERE d.organisation_id = NEW.organisation_id AND d.batch_id = NEW.batch_id AND d.revision = NEW.revision)
  THEN RAISE EXCEPTION 'already decided' USING ERRCODE = 'BD409'; END IF;
  IF NEW.verdict = 'NOT_REQUIRED' THEN
    IF v.needs_decision THEN RAISE EXCEPTION 'a checker must decide' USING ERRCODE = 'BD403'; END IF;
    IF v.content_sha256 <> NEW.content_sha256 THEN RAISE EXCEPTION 'content differs' USING ERRCODE = 'BD412'; END IF;
    NEW.checker := NULL;
    RETURN NEW;
  END IF;
  NEW.checker := current_person();
  IF NOT v.needs_decision OR b.status NOT IN ('awaiting_approval', 'processing', 'paused')
  THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF NEW.checker IS NULL OR NEW.checker IN (b.maker, v.maker) THEN RAISE EXCEPTION 'maker may not decide' USING ERRCODE = 'BD403'; END IF;
  IF v.content_sha256 <> NEW.content_sha256 OR v.content_sha256 <> content_sha256(NEW.batch_id, NEW.revision)
  THEN RAISE EXCEPTION 'content changed since shown' USING ERRCODE = 'BD412'; END IF;
  IF NEW.verdict = 'APPROVE' THEN
    UPDATE batch SET status = CASE status WHEN 'awaiting_approval' THEN 'processing' ELSE status END, expires_at = NULL, updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id;
    UPDATE chunk SET state = 'WAITING', run_at = now()
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision AND state = 'HELD' AND b.status <> 'paused';
    PERFORM pg_notify('batchdesk_work', NEW.organisation_id::text);
  ELSIF NEW.revision = 1 THEN
    UPDATE batch SET status = 'rejected', ended_reason = NEW.reason, expires_at = NULL, updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id;
    PERFORM free_unique_ids(NEW.organisation_id, NEW.batch_id, true);
  ELSE                                                -- the corrected rows go back to FAILED
    UPDATE chunk SET state = 'DONE', remaining = 0 WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision;
    INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
    SELECT organisation_id, batch_id, row_no, revision, 0, false, 'REJECTED', 'Rejected by a checker, not sent.' FROM record
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id AND revision = NEW.revision;
    UPDATE batch SET status = CASE status WHEN 'awaiting_approval' THEN 'processing' ELSE status END, expires_at = NULL
     WHERE organisation_id = NEW.organisation_id AND id = NEW.batch_id;
    UPDATE batch_progress SET queued = queued - v.records, failed = failed + v.records,
           queued_minor = queued_minor - v.amount_minor, failed_minor = failed_minor + v.amount_minor, updated_at = now()
     WHERE organisation_id = NEW.organisation_id AND batch_id = NEW.batch_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER decision_guard BEFORE INSERT ON decision FOR EACH ROW EXECUTE FUNCTION decision_guard();

CREATE FUNCTION confirmation_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  NEW.confirmer := current_person();
  PERFORM FROM review_proposal p WHERE p.organisation_id = NEW.organisation_id AND p.batch_id = NEW.batch_id AND p.row_no = NEW.row_no
     AND p.revision = NEW.revision AND p.n = NEW.n AND p.proposer <> NEW.confirmer;
  IF NOT FOUND THEN RAISE EXCEPTION 'another person must confirm' USING ERRCODE = 'BD403'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER confirmation_guard BEFORE INSERT ON review_confirmation FOR EACH ROW EXECUTE FUNCTION confirmation_guard();

-- Completed when nothing is queued. Completed can become completed with failures, never processing again (only a new revision does that).
CREATE FUNCTION progress_done() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE s text := CASE WHEN NEW.failed > 0 THEN 'completed_with_failures' ELSE 'completed' END;
BEGIN
  UPDATE batch b SET updated_at = now(), status = s
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id
     AND b.status IN ('processing', 'paused', 'completed', 'completed_with_failures') AND b.status <> s;
  PERFORM free_unique_ids(NEW.organisation_id, NEW.batch_id, false);
  RETURN NULL;
END $$;
CREATE TRIGGER progress_done AFTER UPDATE ON batch_progress FOR EACH ROW WHEN (NEW.queued = 0) EXECUTE FUNCTION progress_done();

---------------------------------------------------------------------------------------------------- acts of people (rare, so functions)
-- The batch that records may be added to: the session's, while it is being read in. Its share lock makes submit() wait for the last insert.
CREATE FUNCTION open_batch() RETURNS uuid LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT id FROM batch WHERE organisation_id = current_organisation() AND id = nullif(current_setting('app.batch', true), '')::uuid
     AND status = 'validating' FOR SHARE $$;

-- Takes the unique ids of a revision, or names every row whose id is taken.
CREATE FUNCTION take_unique_ids(p_organisation uuid, p_batch uuid, p_revision smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE taken text;
BEGIN
  INSERT INTO unique_id_taken (organisation_id, unique_id, batch_id, row_no)
  SELECT p_organisation, unique_id, p_batch, row_no FROM record
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision AND unique_id IS NOT NULL
   ORDER BY unique_id, row_no                          -- two batches with the same ids: one waits, no ring
  ON CONFLICT DO NOTHING;
  SELECT json_agg(json_build_object('row_no', r.row_no, 'sheet_row', r.sheet_row, 'unique_id', r.unique_id, 'batch_id', u.batch_id, 'other_row', u.row_no) ORDER BY r.row_no)::text INTO taken
    FROM record r JOIN unique_id_taken u ON u.organisation_id = r.organisation_id AND u.unique_id = r.unique_id
   WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.revision = p_revision AND (u.batch_id, u.row_no) <> (r.batch_id, r.row_no);
  IF taken IS NOT NULL THEN RAISE EXCEPTION 'unique ids are taken' USING ERRCODE = 'BD423', DETAIL = taken; END IF;
END $$;

-- Seals a batch that was read in: counts, chunks, counters, and the hash of what is really there. Where no checker is needed the
-- decision that says so is written here, so that every send has one.
CREATE FUNCTION submit(p_batch uuid, p_content_sha256 bytea, p_chunk_rows int DEFAULT 500, p_expires_after interval DEFAULT '7 days') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; need boolean; rule int; n int; total bigint; s text;
BEGIN
  IF p_chunk_rows NOT BETWEEN 1 AND 1000 THEN RAISE EXCEPTION 'chunk size' USING ERRCODE = 'BD422'; END IF;
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch AND status = 'validating' FOR UPDATE;
  IF NOT FOUND OR b.maker IS DISTINCT FROM current_person() THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF content_sha256(p_batch, 1::smallint) IS DISTINCT FROM p_content_sha256 THEN RAISE EXCEPTION 'content differs' USING ERRCODE = 'BD412'; END IF;
  SELECT r.needed, r.version INTO need, rule FROM approval_rule r WHERE r.organisation_id = org AND r.operation = b.operation;
  need := coalesce(need, true);
  SELECT count(*), coalesce(sum(amount_minor), 0) INTO n, total FROM record WHERE organisation_id = org AND batch_id = p_batch;
  IF n = 0 THEN RAISE EXCEPTION 'no records' USING ERRCODE = 'BD422'; END IF;
  PERFORM take_unique_ids(org, p_batch, 1::smallint);
  INSERT INTO batch_revision VALUES (org, p_batch, 1, b.maker, p_content_sha256, need, n, total, now());
  INSERT INTO chunk (organisation_id, batch_id, chunk_no, revision, gateway_id, from_row, to_row, next_row, size, remaining, state, run_at)
  SELECT org, p_batch, g, 1, b.gateway_id, min(row_no), max(row_no), min(row_no), count(*), count(*),
         CASE WHEN need THEN 'HELD' ELSE 'WAITING' END, CASE WHEN need THEN 'infinity' ELSE now() END
    FROM (SELECT row_no, ((row_number() OVER (ORDER BY row_no) - 1) / p_chunk_rows)::int AS g FROM record WHERE organisation_id = org AND batch_id = p_batch) r
   GROUP BY g;
  INSERT INTO batch_progress (organisation_id, batch_id, records, queued, accepted, failed, amount_minor, queued_minor, accepted_minor, failed_minor)
  VALUES (org, p_batch, n, n, 0, 0, total, total, 0, 0);
  s := CASE WHEN need THEN 'awaiting_approval' ELSE 'processing' END;
  UPDATE batch SET status = s, records = n, amount_minor = total, updated_at = now(), expires_at = CASE WHEN need THEN now() + p_expires_after END
   WHERE organisation_id = org AND id = p_batch;
  IF NOT need THEN
    INSERT INTO decision (organisation_id, batch_id, revision, checker, verdict, content_sha256, rule_version)
    VALUES (org, p_batch, 1, NULL, 'NOT_REQUIRED', p_content_sha256, rule);
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  RETURN s;
END $$;

-- Failed rows again, in place: each given row becomes the next revision of its row_no and goes through the same path as the file did.
-- A decision is needed again unless order, amount and transaction are what they were and that revision was allowed.
CREATE FUNCTION open_revision(p_batch uuid, p_row int[], p_order text[], p_amount bigint[], p_key text[], p_unique text[], p_txn text[],
                              p_sha256 bytea[], p_extra text[], p_chunk_rows int DEFAULT 500) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; rev smallint; need boolean; required boolean; rule int; n int; total bigint; was bigint; first_chunk int; hash bytea;
BEGIN
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;       -- two people retrying the same rows: one waits, then is refused
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF b.status NOT IN ('processing', 'completed_with_failures') THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  rev := b.revision + 1;
  INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, revision, order_id, amount_minor, gateway_key, unique_id, txn_id, request_sha256, extra)
  SELECT org, p_batch, u.row_no, r.sheet_row, rev, u.order_id, u.amount_minor, u.gateway_key, u.unique_id, u.txn_id, u.request_sha256, u.extra
    FROM unnest(p_row, p_order, p_amount, p_key, p_unique, p_txn, p_sha256, p_extra)
         AS u(row_no, order_id, amount_minor, gateway_key, unique_id, txn_id, request_sha256, extra)
    JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.row_no = u.row_no ORDER BY r.revision DESC LIMIT 1) r ON true
    JOIN outcome o ON o.organisation_id = org AND o.batch_id = p_batch AND o.row_no = u.row_no AND o.revision = r.revision
    LEFT JOIN reversal x ON x.organisation_id = org AND x.batch_id = p_batch AND x.row_no = u.row_no AND x.revision = r.revision
   WHERE NOT coalesce(x.succeeded, o.succeeded) AND u.gateway_key <> r.gateway_key
   ORDER BY u.row_no;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n = 0 OR n <> cardinality(p_row) THEN RAISE EXCEPTION 'only failed rows can be sent again, under a new key' USING ERRCODE = 'BD409'; END IF;
  PERFORM take_unique_ids(org, p_batch, rev);
  SELECT sum(r.amount_minor), sum(old.amount_minor), NOT bool_and((r.order_id, r.amount_minor, r.txn_id, r.extra) IS NOT DISTINCT FROM (old.order_id, old.amount_minor, old.txn_id, old.extra)
           AND old.code IS DISTINCT FROM 'REJECTED') INTO total, was, need
    FROM record r, LATERAL (SELECT p.order_id, p.amount_minor, p.txn_id, p.extra, o.code FROM record p JOIN outcome o USING (organisation_id, batch_id, row_no, revision)
                             WHERE p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = r.row_no AND p.revision < rev ORDER BY p.revision DESC LIMIT 1) old
   WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.revision = rev AND r.row_no = ANY (p_row);
  SELECT r.needed, r.version INTO required, rule FROM approval_rule r WHERE r.organisation_id = org AND r.operation = b.operation;
  need := need AND coalesce(required, true);
  hash := content_sha256(p_batch, rev);
  INSERT INTO batch_revision VALUES (org, p_batch, rev, current_person(), hash, need, n, total, now());
  SELECT max(chunk_no) + 1 INTO first_chunk FROM chunk WHERE organisation_id = org AND batch_id = p_batch;
  INSERT INTO chunk (organisation_id, batch_id, chunk_no, revision, gateway_id, from_row, to_row, next_row, size, remaining, state, run_at)
  SELECT org, p_batch, first_chunk + g, rev, b.gateway_id, min(row_no), max(row_no), min(row_no), count(*), count(*),
         CASE WHEN need THEN 'HELD' ELSE 'WAITING' END, CASE WHEN need THEN 'infinity' ELSE now() END
    FROM (SELECT row_no, ((row_number() OVER (ORDER BY row_no) - 1) / p_chunk_rows)::int AS g FROM unnest(p_row) AS row_no) r GROUP BY g;
  UPDATE batch SET revision = rev, amount_minor = amount_minor - was + total, updated_at = now(), expires_at = CASE WHEN need THEN now() + (SELECT make_interval(days => o.approval_days) FROM organisation o WHERE o.id = org) END,
         status = CASE WHEN NOT need THEN 'processing' WHEN status = 'completed_with_failures' THEN 'awaiting_approval' ELSE status END
   WHERE organisation_id = org AND id = p_batch;
  UPDATE batch_progress SET failed = failed - n, queued = queued + n, failed_minor = failed_minor - was, queued_minor = queued_minor + total,
         amount_minor = amount_minor - was + total, updated_at = now()
   WHERE organisation_id = org AND batch_id = p_batch;
  -- The orders are read anew before these rows are sent.
  DELETE FROM order_seen s WHERE s.organisation_id = org AND s.batch_id = p_batch AND s.order_id = ANY (p_order)
     AND NOT EXISTS (SELECT FROM record r JOIN chunk c ON c.organisation_id = org AND c.batch_id = p_batch AND c.revision = r.revision AND r.row_no BETWEEN c.next_row AND c.to_row
                      WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.order_id = s.order_id AND r.revision < rev AND c.state <> 'DONE');
  IF NOT need THEN
    INSERT INTO decision (organisation_id, batch_id, revision, checker, verdict, content_sha256, rule_version)
    VALUES (org, p_batch, rev, NULL, 'NOT_REQUIRED', hash, rule);
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  RETURN rev;
END $$;

-- Pause, resume, cancel. Takes effect with its COMMIT: it holds the gate alone. Chunks are only moved out of the claim's way, and one that is
-- just being claimed is left (SKIP LOCKED): its intent will be refused, and the worker gives it back.
CREATE FUNCTION control(p_batch uuid, p_action text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); s text;
BEGIN
  PERFORM gate(org, true);
  UPDATE batch SET updated_at = now(), status = CASE p_action WHEN 'PAUSE' THEN 'paused' WHEN 'RESUME' THEN 'processing' ELSE 'cancelled' END,
         paused_by = CASE p_action WHEN 'PAUSE' THEN current_person() END
   WHERE organisation_id = org AND id = p_batch
     AND CASE p_action WHEN 'PAUSE' THEN status = 'processing' WHEN 'RESUME' THEN status = 'paused'
                       WHEN 'CANCEL' THEN status IN ('processing', 'paused') ELSE false END
  RETURNING status INTO s;
  IF s IS NULL THEN
    PERFORM FROM batch WHERE organisation_id = org AND id = p_batch;
    IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
    RAISE EXCEPTION 'not possible in this state' USING ERRCODE = 'BD409';
  END IF;
  IF p_action = 'PAUSE' THEN
    UPDATE chunk c SET state = 'HELD', run_at = 'infinity'
      FROM (SELECT chunk_no FROM chunk WHERE organisation_id = org AND batch_id = p_batch AND state = 'WAITING' FOR UPDATE SKIP LOCKED) w
     WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.chunk_no = w.chunk_no;
  ELSE                                                -- a cancelled batch's chunks are claimed too: the worker writes their outcomes
    UPDATE chunk c SET state = 'WAITING', run_at = now()
      FROM batch_revision v LEFT JOIN decision d USING (organisation_id, batch_id, revision)
     WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.state = 'HELD'
       AND v.organisation_id = org AND v.batch_id = p_batch AND v.revision = c.revision
       AND (p_action = 'CANCEL' OR d.verdict IN ('APPROVE', 'NOT_REQUIRED'));
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  RETURN s;
END $$;

-- The maker takes a batch back before a decision.
CREATE FUNCTION withdraw(p_batch uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch;
BEGIN
  PERFORM gate(org, true);
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF b.maker IS DISTINCT FROM current_person() THEN RAISE EXCEPTION 'only its maker' USING ERRCODE = 'BD403'; END IF;
  IF b.status <> 'awaiting_approval' OR b.revision <> 1 THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  UPDATE batch SET status = 'withdrawn', ended_reason = 'Withdrawn by its maker.', expires_at = NULL, updated_at = now() WHERE organisation_id = org AND id = p_batch;
  PERFORM free_unique_ids(org, p_batch, true);
END $$;

-- Ends what nobody decided in time: the whole batch, or for a later revision its corrected rows (they are FAILED again).
CREATE FUNCTION expire_due() RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; v desk.batch_revision;
BEGIN
  PERFORM gate(org, true);
  FOR b IN SELECT * FROM batch WHERE organisation_id = org AND status = 'awaiting_approval' AND expires_at <= now() ORDER BY id FOR UPDATE LOOP
    IF b.revision = 1 THEN
      UPDATE batch SET status = 'expired', ended_reason = 'Nobody decided in time.', expires_at = NULL, updated_at = now() WHERE organisation_id = org AND id = b.id;
      PERFORM free_unique_ids(org, b.id, true);
    ELSE
      SELECT * INTO v FROM batch_revision WHERE organisation_id = org AND batch_id = b.id AND revision = b.revision;
      UPDATE chunk SET state = 'DONE', remaining = 0 WHERE organisation_id = org AND batch_id = b.id AND revision = b.revision;
      INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, code, message)
      SELECT org, b.id, row_no, revision, 0, false, 'REJECTED', 'Nobody decided in time, not sent.' FROM record
       WHERE organisation_id = org AND batch_id = b.id AND revision = b.revision;
      UPDATE batch SET status = 'processing', expires_at = NULL, updated_at = now() WHERE organisation_id = org AND id = b.id;
      UPDATE batch_progress SET queued = queued - v.records, failed = failed + v.records,
             queued_minor = queued_minor - v.amount_minor, failed_minor = failed_minor + v.amount_minor, updated_at = now()
       WHERE organisation_id = org AND batch_id = b.id;
    END IF;
    RETURN NEXT b.id;
  END LOOP;
END $$;

-- "Sync with Gateway": everything that is not final there, and what is final but was never confirmed, is asked after now. It sends nothing.
-- Returns how many rows are being asked about; a press while one runs joins it.
CREATE FUNCTION sync_batch(p_batch uuid) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b desk.batch; n int;
BEGIN
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF b.status NOT IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled') THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  IF b.last_synced_at IS NULL OR b.last_synced_at < now() - interval '10 seconds' THEN
    UPDATE open_task t SET run_at = now()
     WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state IN ('UNKNOWN', 'PENDING') AND t.run_at > now()
       AND (t.owner IS NULL OR t.leased_at + interval '1 minute' < now());
    INSERT INTO recheck (organisation_id, batch_id, row_no, revision, gateway_id)
    SELECT org, p_batch, t.row_no, t.revision, t.gateway_id FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state = 'REVIEW'
    UNION ALL
    SELECT org, p_batch, o.row_no, o.revision, b.gateway_id FROM outcome o
     WHERE o.organisation_id = org AND o.batch_id = p_batch AND o.attempts > 0 AND (NOT o.succeeded OR o.gw_ref IS NULL)
       AND NOT EXISTS (SELECT FROM reversal x WHERE x.organisation_id = org AND x.batch_id = p_batch AND x.row_no = o.row_no AND x.revision = o.revision)
       AND NOT EXISTS (SELECT FROM record r WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.row_no = o.row_no AND r.revision > o.revision)
    ON CONFLICT (organisation_id, batch_id, row_no, revision) DO UPDATE SET run_at = now(), tries = 0;
    UPDATE batch SET last_synced_at = now(), updated_at = now() WHERE organisation_id = org AND id = p_batch;
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  SELECT (SELECT count(*) FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.state IN ('UNKNOWN', 'PENDING'))
       + (SELECT count(*) FROM recheck k WHERE k.organisation_id = org AND k.batch_id = p_batch) INTO n;
  RETURN n;
END $$;

-- The state of a batch, held until the transaction ends: a pause or resume under way is waited for. The worker has no right on batch.
CREATE FUNCTION held_status(p_batch uuid) RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT status FROM batch WHERE organisation_id = current_organisation() AND id = p_batch FOR SHARE $$;

---------------------------------------------------------------------------------------------------- stops: a worker can stop sending, never start it
CREATE FUNCTION stop_gateway(p_gateway uuid, p_reason text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  UPDATE gateway SET sending = false, stopped_reason = p_reason, stopped_at = now()
   WHERE organisation_id = current_organisation() AND id = p_gateway AND sending;
  RETURN FOUND;
END $$;
CREATE FUNCTION stop_organisation(p_reason text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  UPDATE organisation SET sending = false, stopped_reason = p_reason, stopped_at = now() WHERE id = current_organisation() AND sending;
  RETURN FOUND;
END $$;

---------------------------------------------------------------------------------------------------- what is seen across organisations
-- Which lanes have work due. A loose index scan: one probe a lane, however much waits in it. `leftovers`: sending is stopped, but what was
-- cancelled or abandoned is still to be written down.
CREATE FUNCTION runnable_lanes() RETURNS TABLE (organisation_id uuid, gateway_id uuid, kind text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  WITH RECURSIVE c AS (
    (SELECT k.organisation_id, k.gateway_id, k.run_at FROM chunk k WHERE k.state IN ('WAITING', 'LEASED')
      ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM c, LATERAL (SELECT k.organisation_id, k.gateway_id, k.run_at FROM chunk k WHERE k.state IN ('WAITING', 'LEASED')
      AND (k.organisation_id, k.gateway_id) > (c.organisation_id, c.gateway_id) ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1) n),
  t AS (
    (SELECT k.organisation_id, k.gateway_id, k.run_at FROM open_task k WHERE k.state <> 'REVIEW'
      ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM t, LATERAL (SELECT k.organisation_id, k.gateway_id, k.run_at FROM open_task k WHERE k.state <> 'REVIEW'
      AND (k.organisation_id, k.gateway_id) > (t.organisation_id, t.gateway_id) ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1) n)
  SELECT c.organisation_id, c.gateway_id, CASE WHEN o.sending AND g.sending THEN 'chunks' ELSE 'leftovers' END
    FROM c JOIN organisation o ON o.id = c.organisation_id
    JOIN gateway g ON g.organisation_id = c.organisation_id AND g.id = c.gateway_id WHERE c.run_at <= now()
  UNION ALL
  SELECT t.organisation_id, t.gateway_id, 'open tasks' FROM t WHERE t.run_at <= now()
  UNION ALL
  SELECT k.organisation_id, k.gateway_id, 'rechecks' FROM recheck k WHERE k.run_at <= now() GROUP BY 1, 2 $$;

CREATE FUNCTION organisations_with_expired() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT DISTINCT b.organisation_id FROM batch b WHERE b.status = 'awaiting_approval' AND b.expires_at <= now() $$;

---------------------------------------------------------------------------------------------------- one way to read a task's state
-- For single tasks, exports and checks.
CREATE VIEW task WITH (security_invoker = true) AS
SELECT r.organisation_id, r.batch_id, r.row_no, r.sheet_row, r.revision, r.order_id, r.amount_minor, r.gateway_key, r.unique_id, r.txn_id, r.extra,
       s.state,
       CASE s.state WHEN 'SUCCEEDED' THEN 'ACCEPTED' WHEN 'PENDING' THEN 'ACCEPTED' WHEN 'FAILED' THEN 'FAILED' ELSE 'QUEUED' END AS status,
       coalesce(x.code, o.code, t.code) AS code, coalesce(x.message, o.message, t.message) AS message,
       coalesce(x.gw_ref, o.gw_ref, t.gw_ref) AS gw_ref, coalesce(x.refund_status, o.refund_status, t.refund_status) AS refund_status,
       coalesce(o.refund_type, t.refund_type) AS refund_type,
       coalesce(o.attempts, t.attempts) AS attempts, coalesce(x.at, o.at, t.updated_at) AS updated_at
  FROM record r
  LEFT JOIN outcome   o ON o.organisation_id = r.organisation_id AND o.batch_id = r.batch_id AND o.row_no = r.row_no AND o.revision = r.revision
  LEFT JOIN open_task t ON t.organisation_id = r.organisation_id AND t.batch_id = r.batch_id AND t.row_no = r.row_no AND t.revision = r.revision
  LEFT JOIN reversal  x ON x.organisation_id = r.organisation_id AND x.batch_id = r.batch_id AND x.row_no = r.row_no AND x.revision = r.revision
  CROSS JOIN LATERAL (SELECT CASE
      WHEN coalesce(x.succeeded, o.succeeded) THEN 'SUCCEEDED'
      WHEN o.at IS NOT NULL                   THEN 'FAILED'
      WHEN t.state IS NOT NULL                THEN t.state
      WHEN EXISTS (SELECT FROM attempt a WHERE a.organisation_id = r.organisation_id AND a.batch_id = r.batch_id AND a.revision = r.revision
                      AND a.attempt = 1 AND a.from_row <= r.row_no AND a.to_row >= r.row_no) THEN 'SENDING'
      ELSE 'READY' END AS state) s
 WHERE NOT EXISTS (SELECT FROM record n WHERE n.organisation_id = r.organisation_id AND n.batch_id = r.batch_id AND n.row_no = r.row_no AND n.revision > r.revision);

---------------------------------------------------------------------------------------------------- row-level security: on and forced for every table
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['batch','batch_progress','batch_revision','decision','record','unique_id_taken','chunk','attempt','outcome','open_task',
                           'recheck','evidence','reversal','review_proposal','review_confirmation','order_balance','order_seen'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %I FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON %I TO batchdesk_web, batchdesk_worker, batchdesk_owner
        USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()))', t, t, t);
  END LOOP;
  -- Asked by name, not by membership: the owner is a member of the scheduler (it hands functions over) and must not see through this.
  FOREACH t IN ARRAY ARRAY['organisation','gateway','audit_waiting','batch','chunk','open_task','recheck'] LOOP
    IF t IN ('organisation', 'gateway', 'audit_waiting') THEN EXECUTE format('DROP POLICY lanes ON %I', t); END IF;
    EXECUTE format('CREATE POLICY lanes ON %I FOR SELECT TO batchdesk_scheduler USING ((SELECT current_user = ''batchdesk_scheduler''))', t);
  END LOOP;
END $$;
CREATE POLICY sealed ON record AS RESTRICTIVE FOR INSERT TO batchdesk_web WITH CHECK (revision = 1 AND batch_id = (SELECT open_batch()));
CREATE POLICY fresh ON batch AS RESTRICTIVE FOR INSERT TO batchdesk_web WITH CHECK (status = 'validating');

---------------------------------------------------------------------------------------------------- grants: the least each step needs
DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'desk'::regnamespace AND p.prokind = 'f'
              AND p.proname IN ('fit_step','attempt_guard','outcome_guard','content_sha256','free_unique_ids','decision_guard','confirmation_guard','progress_done',
                                'open_batch','take_unique_ids','submit','open_revision','control','withdraw','expire_due','sync_batch','stop_gateway',
                                'stop_organisation','held_status','runnable_lanes','organisations_with_expired') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA desk TO batchdesk_web, batchdesk_worker, batchdesk_scheduler;
GRANT EXECUTE ON FUNCTION current_organisation() TO batchdesk_web, batchdesk_worker, batchdesk_scheduler;
GRANT EXECUTE ON FUNCTION current_person() TO batchdesk_web;
GRANT EXECUTE ON FUNCTION content_sha256(uuid, smallint), open_batch(), submit(uuid, bytea, int, interval),
  open_revision(uuid, int[], text[], bigint[], text[], text[], text[], bytea[], text[], int), control(uuid, text), withdraw(uuid), sync_batch(uuid) TO batchdesk_web;
GRANT EXECUTE ON FUNCTION fit_step(bigint, bigint, bigint), content_sha256(uuid, smallint), held_status(uuid), expire_due(), stop_gateway(uuid, text), stop_organisation(text),
  runnable_lanes(), organisations_with_expired() TO batchdesk_worker;
GRANT SELECT ON batch, batch_progress, batch_revision, decision, record, unique_id_taken, chunk, attempt, outcome, open_task, recheck, evidence, reversal,
  review_proposal, review_confirmation, order_balance, order_seen, task TO batchdesk_web, batchdesk_worker;
GRANT SELECT ON organisation, gateway, approval_rule TO batchdesk_worker;

GRANT INSERT (organisation_id, id, gateway_id, operation, options, file_name, description, template, file_sha256, file_bytes, row_limit, currency) ON batch TO batchdesk_web;
GRANT INSERT ON record TO batchdesk_web;
GRANT INSERT (organisation_id, batch_id, revision, verdict, content_sha256, reason) ON decision TO batchdesk_web;
GRANT INSERT (organisation_id, batch_id, row_no, revision, n, verdict, gw_ref, reason) ON review_proposal TO batchdesk_web;
GRANT INSERT (organisation_id, batch_id, row_no, revision, n) ON review_confirmation TO batchdesk_web;

REVOKE UPDATE (sending, stopped_at, stopped_reason) ON organisation, gateway FROM batchdesk_worker;     -- stop_gateway, stop_organisation
GRANT UPDATE (state, epoch, owner, leased_at, run_at, remaining, next_row) ON chunk TO batchdesk_worker;
GRANT INSERT (organisation_id, batch_id, from_row, to_row, revision, attempt, chunk_no, epoch, owner) ON attempt TO batchdesk_worker;
GRANT INSERT ON outcome, evidence, reversal, order_seen TO batchdesk_worker;
GRANT UPDATE ON order_seen TO batchdesk_worker;
GRANT INSERT, DELETE, UPDATE (state, epoch, owner, leased_at, run_at, queries, gw_ref, refund_status, refund_type, code, message, updated_at) ON open_task TO batchdesk_worker;
GRANT UPDATE (run_at, tries), DELETE ON recheck TO batchdesk_worker;
GRANT INSERT, UPDATE (captured_minor, committed_minor, outside_minor) ON order_balance TO batchdesk_worker;
GRANT UPDATE (queued, accepted, failed, pending, queued_minor, accepted_minor, failed_minor, updated_at) ON batch_progress TO batchdesk_worker;

GRANT SELECT (organisation_id, gateway_id, state, run_at) ON chunk, open_task TO batchdesk_scheduler;
GRANT SELECT (organisation_id, gateway_id, run_at) ON recheck TO batchdesk_scheduler;
GRANT SELECT (organisation_id, status, expires_at) ON batch TO batchdesk_scheduler;
GRANT SELECT (id, sending) ON organisation TO batchdesk_scheduler;
GRANT SELECT (organisation_id, id, sending) ON gateway TO batchdesk_scheduler;

-- The functions that look across organisations belong to a role that can do nothing else. A new owner needs CREATE on the schema at that
-- moment only.
GRANT CREATE ON SCHEMA desk TO batchdesk_scheduler;
ALTER FUNCTION runnable_lanes() OWNER TO batchdesk_scheduler;
ALTER FUNCTION organisations_with_expired() OWNER TO batchdesk_scheduler;
REVOKE CREATE ON SCHEMA desk FROM batchdesk_scheduler;
