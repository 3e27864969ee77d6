"""The same history of orders sent to two engines in different ways has to end in the same ledger."""
