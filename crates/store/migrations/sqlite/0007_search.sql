-- What searches and statistics go by, beside the counts.

-- Orders by their common name, the newest first: by ordinal, as they are listed.
create index orders_by_name on orders (reseller_id, common_name, ordinal);
drop index orders_of_name;

create index orders_by_organization on orders (reseller_id, organization_id, ordinal)
    where organization_id is not null;

-- How many of a reseller's orders are in their term, which ends on a day: days since 1970, UTC.
create table order_ends (
    reseller_id integer not null,
    day integer not null,
    n integer not null,
    primary key (reseller_id, day)
) strict, without rowid;
insert into order_ends (reseller_id, day, n)
    select reseller_id, expires_at / 86400000000, count(*) from orders
    where stage in ('active', 'reissuing', 'lapsed', 'revoked') and expires_at is not null
    group by 1, 2;

-- The common names of 2^6 orders in the order of their ordinals, one a line. Written once.
create table name_blocks (
    reseller_id integer not null,
    block integer not null,
    names text not null,
    unique (reseller_id, block)
) strict;

-- Which of 2^17 orders have which three letters in their common names. Written once.
create table name_postings (
    reseller_id integer not null,
    page integer not null,
    segment integer not null,
    postings blob not null,
    unique (reseller_id, page, segment)
) strict;

-- How many blocks and segments of a reseller's there are, from the first on.
create table name_indexes (
    reseller_id integer primary key,
    blocks integer not null,
    segments integer not null
) strict;
