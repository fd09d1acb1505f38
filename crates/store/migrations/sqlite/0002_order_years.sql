-- What an order becomes over its years: reissues and replacements, renewals, refunds, notices, and the counts
-- that searches and statistics go by.

alter table resellers add column order_count integer not null default 0;

alter table orders add column organization_id integer;
alter table orders add column certificate_id integer;
alter table orders add column paid_names integer not null default 0;
alter table orders add column paid_wildcards integer not null default 0;
alter table orders add column reuse_key integer not null default 0;
alter table orders add column renews_id integer;
alter table orders add column renewed_by_id integer;
alter table orders add column carry_until integer;
-- The how-manieth of its reseller's orders it is, from 1, without gaps.
alter table orders add column ordinal integer not null default 0;
alter table orders add column stage text not null default 'placed';

update orders set
    certificate_id = (select c.id from certificates c join issuances i on i.certificate_id = c.id
        where i.id = orders.issuance_id and c.signed_at is not null),
    paid_names = (select count(*) from json_each(orders.names)
        where json_each.key > 0 and substr(json_each.value, 1, 2) <> '*.'),
    paid_wildcards = (select count(*) from json_each(orders.names)
        where json_each.key > 0 and substr(json_each.value, 1, 2) = '*.'),
    stage = case state
        when 'open' then (select case
            when i.state <> 'validating' then 'issuing'
            when i.looks = 0 then 'placed' else 'validating' end
            from issuances i where i.id = orders.issuance_id)
        when 'issuer_refused' then 'refused'
        else state end;
update orders set ordinal = placed.place from (
    select id, row_number() over (partition by reseller_id order by id) as place from orders) as placed
    where placed.id = orders.id;
update resellers set order_count = (select count(*) from orders o where o.reseller_id = resellers.id);

create unique index orders_by_ordinal on orders (reseller_id, ordinal);
drop index orders_of_reseller;

alter table issuances add column purpose text not null default 'first';
alter table issuances add column amount integer not null default 0;
alter table issuances add column currency text not null default '';
alter table issuances add column sign_from integer;
update issuances set
    amount = (select o.amount from orders o where o.id = issuances.order_id),
    currency = (select o.currency from orders o where o.id = issuances.order_id);
-- What orders that ended have been given back.
update orders set amount = 0 where state in ('cancelled', 'validation_expired', 'issuer_refused');

alter table ledger_entries add column issuance_id integer;
update ledger_entries set issuance_id = (select o.issuance_id from orders o where o.id = ledger_entries.order_id)
    where order_id is not null;
drop index ledger_one_refund;
-- Whatever else goes wrong, a run is charged once and given back once.
create unique index ledger_one_of_a_kind on ledger_entries (issuance_id, kind)
    where issuance_id is not null and account = 'reseller';

-- How many orders of a reseller, of a product, in a stage, lie in a stretch of 2^level ordinals.
create table order_counts (
    reseller_id integer not null,
    level integer not null,
    bucket integer not null,
    product_key text not null,
    stage text not null,
    n integer not null,
    primary key (reseller_id, level, bucket, product_key, stage)
) strict, without rowid;
insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
    select reseller_id, 20, ordinal >> 20, product_key, stage, count(*) from orders group by 1, 3, 4, 5
    union all
    select reseller_id, 10, ordinal >> 10, product_key, stage, count(*) from orders group by 1, 3, 4, 5;

-- How many orders of a reseller, for a product, were placed in a month: years * 12 + months, from 0.
create table order_months (
    reseller_id integer not null,
    month integer not null,
    product_key text not null,
    n integer not null,
    primary key (reseller_id, month, product_key)
) strict, without rowid;
insert into order_months (reseller_id, month, product_key, n)
    select reseller_id,
        cast(strftime('%Y', created_at / 1000000, 'unixepoch') as integer) * 12
            + cast(strftime('%m', created_at / 1000000, 'unixepoch') as integer) - 1,
        product_key, count(*)
    from orders group by 1, 2, 3;

-- What people were told by mail; each thing once.
create table notices (
    id integer primary key,
    order_id integer not null references orders (id),
    certificate_id integer,
    kind text not null,
    subject integer not null,
    days integer not null,
    created_at integer not null,
    sent_at integer,
    unique (order_id, kind, subject, days)
) strict;

-- Every order in its term has the job that tends it.
insert into jobs (id, kind, subject, run_at, attempt, tries, created_at, dedup)
    select s.next + row_number() over (order by o.id) - 1, 'tend', o.id, 0, 0, 0, o.created_at, 'tend-' || o.id
    from orders o, sequences s where s.name = 'row' and o.state = 'active';
update sequences set next = next + (select count(*) from orders where state = 'active') where name = 'row';
