-- Orders as a module of their own: the list of what was seen at the gateway, newest first, and the way from a transaction to its order.

-- What the list is filtered by: how much of the order is refunded already, as the gateway says.
ALTER TABLE stored_order ADD COLUMN refund_state text NOT NULL GENERATED ALWAYS AS
  (CASE WHEN refunded_minor <= 0 THEN 'none' WHEN refunded_minor < amount_minor THEN 'partly' ELSE 'wholly' END) STORED;
CREATE INDEX stored_order_seen      ON stored_order (organisation_id, seen_at, order_id);
CREATE INDEX stored_order_by_status ON stored_order (organisation_id, status, seen_at, order_id);
CREATE INDEX stored_order_by_refund ON stored_order (organisation_id, refund_state, seen_at, order_id);

CREATE TABLE stored_transaction (               -- a list inside a row cannot be searched by a beginning; this can
  organisation_id uuid NOT NULL,
  txn_id          text COLLATE "C" NOT NULL,
  order_id        text COLLATE "C" NOT NULL,
  PRIMARY KEY (organisation_id, txn_id, order_id)
);

-- Written by the statement that stores the order, whichever that is. What the gateway no longer lists goes. An id that no index
-- could hold is left out: it is on the order's page, and only not searched by.
CREATE FUNCTION store_transactions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM stored_transaction t USING was w CROSS JOIN LATERAL unnest(w.transactions) AS x(txn_id)
     WHERE t.organisation_id = w.organisation_id AND t.txn_id = x.txn_id COLLATE "C" AND t.order_id = w.order_id
       AND NOT EXISTS (SELECT FROM seen n WHERE n.organisation_id = w.organisation_id AND n.order_id = w.order_id AND x.txn_id = ANY (n.transactions));
  END IF;
  INSERT INTO stored_transaction (organisation_id, txn_id, order_id)
  SELECT n.organisation_id, x.txn_id, n.order_id FROM seen n CROSS JOIN LATERAL unnest(n.transactions) AS x(txn_id)
   WHERE length(x.txn_id) BETWEEN 1 AND 256
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION store_transactions() FROM PUBLIC;
CREATE TRIGGER store_transactions AFTER INSERT ON stored_order REFERENCING NEW TABLE AS seen
  FOR EACH STATEMENT EXECUTE FUNCTION store_transactions();
CREATE TRIGGER restore_transactions AFTER UPDATE ON stored_order REFERENCING OLD TABLE AS was NEW TABLE AS seen
  FOR EACH STATEMENT EXECUTE FUNCTION store_transactions();

-- Orders that are stored already. A migration belongs to no organisation, so the policy is lifted from the owner for this statement.
ALTER TABLE stored_order NO FORCE ROW LEVEL SECURITY;
INSERT INTO stored_transaction (organisation_id, txn_id, order_id)
SELECT o.organisation_id, x.txn_id, o.order_id FROM stored_order o CROSS JOIN LATERAL unnest(o.transactions) AS x(txn_id)
 WHERE length(x.txn_id) BETWEEN 1 AND 256 ON CONFLICT DO NOTHING;
ALTER TABLE stored_order FORCE ROW LEVEL SECURITY;

ALTER TABLE stored_transaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE stored_transaction FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stored_transaction TO batchdesk_web, batchdesk_worker, batchdesk_owner
  USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()));
GRANT SELECT ON stored_transaction TO batchdesk_web;
