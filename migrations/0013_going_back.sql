-- The database goes back to an older state: a backup is restored, or an asynchronous standby takes over. What was sent
-- since then is forgotten here and done at the gateways. Global tables: the history of the whole database.
--
-- MARKS    While something is sent a mark with a random token is added about once a second. Every process keeps the
--          newest one that it saw, and its own last intents, in its data folder: a database without them has gone back.
--          The token, not the number: a database that went back and goes on reaches the same number again.
-- RESTORE  `batchdesk restored` writes a row here and puts everything unfinished into ask first. What a process misses
--          and is older than the newest finished row is known to be forgotten.
-- ASK      chunk.asked_to: rows from it on are looked up at the gateway before they are sent. The gate of every send
--          holds it.

CREATE TABLE mark (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token  uuid NOT NULL DEFAULT gen_random_uuid(),
  at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX mark_by_time ON mark (at);
CREATE TABLE restore (                          -- each time that the operator said that this is an older state
  number    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  ask_after timestamptz NOT NULL,             -- until then something that was sent before may still arrive at a gateway
  done_at   timestamptz                         -- null: not everything is in ask first yet
);
CREATE TABLE installation (                     -- one row: the cluster that this database was last known to be in
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),
  system text                                   -- what was dumped and restored finds itself in another one
);
GRANT SELECT ON mark, restore, installation TO batchdesk_web, batchdesk_worker;
GRANT INSERT (token, at), DELETE ON mark TO batchdesk_worker;
GRANT INSERT (ask_after), UPDATE (done_at) ON restore TO batchdesk_worker;
GRANT INSERT (system), UPDATE (system) ON installation TO batchdesk_worker;
