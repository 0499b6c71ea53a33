-- What an operation that sends makes its gateway do. Promises and choices of connections are by effect; until now every
-- operation had the name of its own.

ALTER TABLE operation
  ADD effect            text CHECK (effect IN ('refund', 'payment_initiation', 'payment_initiation_refund',
                          'payment_request')),          -- null: it sends nothing
  ADD takes_from_orders boolean NOT NULL DEFAULT false; -- an order is read before, and its balance reserved
UPDATE operation SET effect = 'refund', takes_from_orders = true WHERE code = 'refund';
ALTER TABLE operation ADD CONSTRAINT sent_as CHECK (
  (work = 'send') = (effect IS NOT NULL) AND (work = 'send' OR NOT takes_from_orders));
-- The next operation says it.
ALTER TABLE operation ALTER takes_from_orders DROP DEFAULT;
