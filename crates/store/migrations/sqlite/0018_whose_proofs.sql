-- Whose a proof is: the order it was obtained for, and the customer whom that order's administrator contact
-- belongs to, where that is not the reseller itself. Those of before belong to the order of their issuance.
alter table authorizations add column order_id integer;
alter table authorizations add column customer_id integer;
-- Since when it may not be used again, though it is young enough.
alter table authorizations add column dropped_at integer;
update authorizations set order_id = (select i.order_id from issuances i where i.id = authorizations.issuance_id);
update authorizations set customer_id = (
    select c.customer_id from orders o join contacts c on c.id = o.administrator_id
    where o.id = authorizations.order_id and c.customer_id <> 0 and c.customer_id <> o.reseller_id);
create index authorizations_of_order on authorizations (order_id, base_domain, obtained_at);
create index authorizations_of_customer on authorizations (customer_id, base_domain, obtained_at)
    where customer_id is not null;
create index authorizations_of_reseller on authorizations (reseller_id, id);
create index authorizations_dropped on authorizations (reseller_id, dropped_at) where dropped_at is not null;

-- A message asks one address about all names of a run that it is to approve: the first in name, all in names, as
-- JSON. In those of before, name is the only one.
alter table approvals add column names text;
-- Not to be sent before.
alter table approvals add column send_from integer;

-- When messages were, or are to be, sent to an address for a reseller; kept for a day, to count them.
create table approval_mails (
    address text not null,
    at integer not null,
    token_hash blob not null,
    reseller_id integer not null,
    primary key (address, at, token_hash)
) strict, without rowid;
create index approval_mails_of_approval on approval_mails (token_hash);
create index approval_mails_by_age on approval_mails (at);
insert into approval_mails (address, at, token_hash, reseller_id)
    select a.address, coalesce(a.sent_at, a.created_at), a.token_hash, i.reseller_id
    from approvals a join issuances i on i.id = a.issuance_id;
