-- Connections that people look after: which one new batches use, who paused what, and what a gateway was seen to promise.

-- A row is an account. A merchant's sandbox and its real account are two connections, and an organisation may have several of both.
ALTER TABLE gateway DROP CONSTRAINT gateway_organisation_id_connector_key;
ALTER TABLE gateway ADD CONSTRAINT gateway_account UNIQUE (organisation_id, connector, merchant_id, sandbox);

-- New batches use the connection that was chosen last; null: never chosen. A batch keeps the connection it was made with.
ALTER TABLE gateway ADD COLUMN chosen_at timestamptz DEFAULT now();
ALTER TABLE gateway ALTER COLUMN chosen_at DROP DEFAULT;

-- While sending is off: the person who paused it. Null: Batchdesk stopped it by itself, and stopped_reason says why.
ALTER TABLE gateway      ADD COLUMN paused_by uuid REFERENCES person;
ALTER TABLE organisation ADD COLUMN paused_by uuid REFERENCES person;
GRANT UPDATE (chosen_at, paused_by) ON gateway TO batchdesk_web;
GRANT UPDATE (paused_by) ON organisation TO batchdesk_web;

-- The account behind a connection stays the same while anything on it is open. Another account has never heard of our keys: asked
-- what became of a refund it says "not found", and the refund would go out a second time, there. And what a checker approved would
-- leave another account than the one he saw. The operator alone, on the command line, may say where the same merchant's account has
-- moved to: a mistyped address would otherwise hold its batches for ever.
CREATE FUNCTION account_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  IF NEW.sandbox <> OLD.sandbox OR NEW.connector <> OLD.connector THEN
    RAISE EXCEPTION 'what a connection is does not change' USING ERRCODE = 'BD422';
  END IF;
  IF NEW.merchant_id = OLD.merchant_id AND (NEW.base_url = OLD.base_url OR current_person() IS NULL) THEN RETURN NEW; END IF;
  IF EXISTS (SELECT FROM batch b WHERE b.organisation_id = OLD.organisation_id AND b.gateway_id = OLD.id
                AND b.status IN ('validating', 'awaiting_approval', 'processing', 'paused'))
     OR EXISTS (SELECT FROM batch b JOIN batch_progress p ON p.organisation_id = b.organisation_id AND p.batch_id = b.id
                 WHERE b.organisation_id = OLD.organisation_id AND b.gateway_id = OLD.id
                  AND b.status IN ('completed', 'completed_with_failures', 'cancelled') AND (p.queued > 0 OR p.pending > 0))
     OR EXISTS (SELECT FROM recheck k WHERE k.organisation_id = OLD.organisation_id AND k.gateway_id = OLD.id) THEN
    RAISE EXCEPTION 'work on this connection is open' USING ERRCODE = 'BD409';
  END IF;
  RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION account_guard() FROM PUBLIC;
CREATE TRIGGER account_guard BEFORE UPDATE OF base_url, merchant_id, sandbox, connector ON gateway FOR EACH ROW EXECUTE FUNCTION account_guard();

-- What a connection's class rests on: measured with a few calls, or declared by the operator. Appended, never changed; the newest one
-- about the account as it is now counts, and what was measured at another address says nothing.
CREATE TABLE gateway_capability (
  organisation_id uuid NOT NULL,
  id              uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  at              timestamptz NOT NULL,
  actor           text NOT NULL,                -- e-mail, or 'Batchdesk' for a command of the operator
  measured        boolean NOT NULL,             -- false: declared
  base_url        text NOT NULL,                -- the account that it is about
  merchant_id     text NOT NULL,
  class           "char" NOT NULL CHECK (class IN ('K', 'Q', 'N')),
  key_window      interval,                     -- named by the operator or the connector: a few calls cannot see it
  order_id        text COLLATE "C",             -- the order that the calls were made on
  evidence        text NOT NULL DEFAULT '[]',   -- JSON: each call, what came back, and what that proves
  CHECK (class <> 'K' OR key_window IS NOT NULL),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
CREATE INDEX gateway_capability_newest ON gateway_capability (organisation_id, gateway_id, id);
ALTER TABLE gateway_capability ENABLE ROW LEVEL SECURITY;
ALTER TABLE gateway_capability FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON gateway_capability TO batchdesk_web, batchdesk_worker, batchdesk_owner
  USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()));
GRANT SELECT, INSERT ON gateway_capability TO batchdesk_web;
