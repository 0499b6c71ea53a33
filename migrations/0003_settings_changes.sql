-- Changes that weaken a control, or say where money and data go, are not one person's: a second administrator confirms
-- them where there is one, and everybody who decides on requests is told.
--
-- A row of settings_change is what somebody asked for; a row of settings_change_end is what became of it, at most one.
-- What the change does is applied in the transaction of its end, by the code that applies a change of one
-- administrator, too.

CREATE TABLE settings_change (
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('approval', 'limits', 'external', 'connection_added',
                    'connection_account', 'connection_chosen', 'connection_limits')),
  object          text NOT NULL,                -- what it is about: an operation, a connection, or nothing; one change
                                                -- of it may wait
  module          text,                         -- whose checkers are told; null: those of all
  summary         text NOT NULL,                -- the change as a sentence, for notices
  was             jsonb NOT NULL,               -- the setting as it was, with its version; another by the time of the
                                                -- confirmation: void
  becomes         jsonb NOT NULL,               -- the setting as it is to be, without secrets
  sealed_secret   bytea,                        -- sealed with a key that is not in the database; wiped when it ends
  reason          text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 500),
  alone           boolean NOT NULL,             -- there was no second administrator, so it was made at once
  proposer        uuid NOT NULL REFERENCES person,
  content_sha256  bytea NOT NULL CHECK (length(content_sha256) = 32),   -- of all of the above, as a confirmer is shown
  at              timestamptz NOT NULL,
  expires_at      timestamptz NOT NULL CHECK (expires_at > at),
  PRIMARY KEY (organisation_id, id)
);
CALL of_organisation('settings_change');

CREATE TABLE settings_change_end (              -- the primary key is the rule "ended once"
  organisation_id uuid NOT NULL,
  change_id       uuid NOT NULL,
  verdict         text NOT NULL CHECK (verdict IN ('CONFIRM', 'REJECT', 'WITHDRAW', 'EXPIRE', 'ALONE')),
  person_id       uuid REFERENCES person,       -- null: its time was over
  content_sha256  bytea NOT NULL,               -- of what was shown
  note            text CHECK (length(note) <= 500),
  at              timestamptz NOT NULL,
  CHECK ((person_id IS NULL) = (verdict = 'EXPIRE')),
  CHECK (verdict <> 'REJECT' OR length(btrim(coalesce(note, ''))) >= 1),
  PRIMARY KEY (organisation_id, change_id),
  FOREIGN KEY (organisation_id, change_id) REFERENCES settings_change (organisation_id, id)
);
CALL of_organisation('settings_change_end');

GRANT SELECT ON settings_change, settings_change_end TO batchdesk_web;
GRANT INSERT (organisation_id, id, kind, object, module, summary, was, becomes, sealed_secret, reason, alone, at,
  expires_at) ON settings_change TO batchdesk_web;
GRANT INSERT (organisation_id, change_id, verdict, content_sha256, note, at) ON settings_change_end TO batchdesk_web;
