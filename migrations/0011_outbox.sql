-- What happened, for whoever must hear of it: pages that are open, people, later other systems.
--
-- A row is written in the transaction of the change it tells of, so nothing is told that did not happen and nothing is
-- forgotten that did. Dispatchers (one a process) hand rows on after the commit: they alone NOTIFY, a few times a
-- second, because NOTIFY takes a lock of the whole database at COMMIT which the steps of the money protocol must never
-- wait for.
--
-- Most rows are written by triggers on the facts themselves: a step that is added later cannot forget them. They fire
-- once a group and batch (batch_progress), or for what is rare; never once a task on the usual path.

CREATE TABLE outbox (
  id              bigint GENERATED ALWAYS AS IDENTITY,
  at              timestamptz NOT NULL DEFAULT now(),
  delivered_at    timestamptz,
  organisation_id uuid NOT NULL,              -- no foreign keys: each would lock a row that every step shares
  batch_id        uuid,
  change_id       uuid,
  kind            text NOT NULL,
  audience        text NOT NULL DEFAULT 'pages' CHECK (audience IN ('pages', 'maker', 'maker_and_checker', 'settings',
                    'settings_and_checkers')),                                            -- who gets a notice
  payload         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(payload) = 'object'),   -- small, without secrets
  PRIMARY KEY (organisation_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX outbox_waiting ON outbox (organisation_id, id) WHERE delivered_at IS NULL;
CALL of_organisation('outbox');
CALL seen_by_scheduler('outbox');
GRANT INSERT (organisation_id, batch_id, kind, audience, payload) ON outbox TO batchdesk_web, batchdesk_worker;
GRANT SELECT (organisation_id, delivered_at) ON outbox TO batchdesk_scheduler;

-- One unread notice for a person, kind and batch: a thousand late failures are one line with a number, not a thousand
-- lines. A notice of a change of settings stands for itself: two changes are two lines.
CREATE TABLE notice (
  id              bigint GENERATED ALWAYS AS IDENTITY,
  at              timestamptz NOT NULL,       -- of the latest thing it tells of
  read_at         timestamptz,
  organisation_id uuid NOT NULL,
  person_id       uuid NOT NULL,
  batch_id        uuid,
  change_id       uuid,
  amount_minor    bigint NOT NULL DEFAULT 0,  -- of all tasks it tells of
  tasks           int NOT NULL DEFAULT 0,
  kind            text NOT NULL,
  payload         jsonb NOT NULL,             -- of the latest
  PRIMARY KEY (organisation_id, id)
);
CREATE UNIQUE INDEX notice_unread ON notice (organisation_id, person_id, kind, batch_id, change_id)
  NULLS NOT DISTINCT WHERE read_at IS NULL;
CREATE INDEX notice_of_person ON notice (organisation_id, person_id, at DESC, id DESC);
CALL of_organisation('notice');
-- A notice is its person's own.
CREATE POLICY own ON notice AS RESTRICTIVE TO batchdesk_web USING (person_id = (SELECT current_person()));
GRANT SELECT, UPDATE (read_at) ON notice TO batchdesk_web;
