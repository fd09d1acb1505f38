-- Whether an order says that its key is not to be certified again by itself. Where `reuse_key` says nothing, and this
-- neither, the reseller's setting counts: orders of before, which nobody was asked about, among them.
alter table orders add column reuse_refused bigint not null default 0;

-- The name that comes along, for nothing, in the certificate in force.
alter table orders add column companion text;
